"""Writes the vectors next to this file with botocore as the independent peer.

    python3 -m pip install botocore==1.44.5
    python3 crates/aws/tests/vectors/generate.py

- sigv4.json      requests signed by botocore's SigV4Auth and SigV4QueryAuth
- requests.json   a request of every operation, serialised by botocore, with the values that went in
- answers.json    an XML answer of every Query operation, written here and proven by botocore's parser
- patterns.json   words in and out of every pattern's language, judged by Python's `re`

Deterministic: the same botocore gives the same bytes.
"""
import base64
import datetime
import json
import os
import random
import re
import sys
import unicodedata

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from xml.sax.saxutils import escape

HERE = os.path.dirname(os.path.abspath(__file__))
MOMENT = datetime.datetime(2026, 11, 23, 13, 30, 0, tzinfo=datetime.timezone.utc)
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
SESSION = botocore.session.get_session()
SERVICES = ("ecr", "iam", "sts")
MODELS = {name: SESSION.get_service_model(name) for name in SERVICES}


def save(name, value):
    with open(os.path.join(HERE, name), "w") as file:
        json.dump(value, file, indent=1, ensure_ascii=True)
        file.write("\n")


# ---- signatures


def signatures():
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: MOMENT.replace(tzinfo=None)
    form = "Action=GetCallerIdentity&Version=2011-06-15"
    target = "AmazonEC2ContainerRegistry_V20150921.CreateRepository"
    json_headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
    form_headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    cases = [
        ("empty get", "GET", "/", "", {}, "", "sts", "us-east-1", None, None),
        ("json post", "POST", "/", "", json_headers, '{"repositoryName":"a"}', "ecr", "eu-central-1", None, None),
        ("form post", "POST", "/", "", form_headers, form, "sts", "eu-central-1", None, None),
        ("session token", "POST", "/", "", form_headers, form, "sts", "eu-central-1", "token/+=", None),
        ("sorted query", "GET", "/", "Version=2011-06-15&Action=GetCallerIdentity&a=b&a=a&empty=", {}, "", "sts", "eu-central-1", None, None),
        ("escaped query", "GET", "/", "Param=%20%2B%2F%3D%C3%A9~-._", {}, "", "iam", "us-east-1", None, None),
        ("spaces in a header", "GET", "/", "", {"X-K8s-Aws-Id": "  a   b  c "}, "", "sts", "us-east-1", None, None),
        ("path with dots", "GET", "/a/./b//c/../d/", "", {}, "", "iam", "us-east-1", None, None),
        ("path with escapes", "GET", "/a%20b/%C3%A9/x+y", "", {}, "", "iam", "us-east-1", None, None),
        ("declared body hash", "POST", "/", "", {**form_headers, "X-Amz-Content-SHA256": "#"}, form, "iam", "us-east-1", None, None),
        ("presigned", "GET", "/", form, {}, "", "sts", "us-east-1", None, 60),
        ("presigned with a cluster name", "GET", "/", form, {"x-k8s-aws-id": "prod"}, "", "sts", "eu-central-1", None, 60),
        ("presigned session", "GET", "/", form, {}, "", "sts", "eu-central-1", "token/+=", 900),
    ]
    vectors = []
    for name, method, path, query, headers, body, service, region, token, expires in cases:
        url = "http://localhost:4580" + path + ("?" + query if query else "")
        headers = dict(headers)
        if headers.get("X-Amz-Content-SHA256") == "#":
            import hashlib

            headers["X-Amz-Content-SHA256"] = hashlib.sha256(body.encode()).hexdigest()
        request = AWSRequest(method=method, url=url, headers=headers, data=body.encode())
        credentials = Credentials("AKIDEXAMPLE", SECRET, token)
        if expires is None:
            botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
        else:
            botocore.auth.SigV4QueryAuth(credentials, service, region, expires=expires).add_auth(request)
        _, _, signed_query = request.url.partition("?")
        vectors.append(
            {
                "name": name,
                "method": method,
                "path": path,
                "query": signed_query,
                "headers": [["Host", "localhost:4580"]] + [[key, value] for key, value in request.headers.items()],
                "body": body,
                "service": service,
                "region": region,
                "session_token": token,
                "presigned": expires is not None,
            }
        )
    save("sigv4.json", {"now": int(MOMENT.timestamp()), "secret_access_key": SECRET, "cases": vectors})


# ---- values

WORDS = [
    "alice", "a", "abc", "AKIAEXAMPLE1234567890", "123456789012", "/", "/eng/", "v1", "us-east-1", "1", "123456",
    "arn:aws:iam::123456789012:user/alice", "https://example.org/a", "randserver", "sha256:" + "0a" * 32, "latest",
    "0ba7b810-9dad-41d1-80b4-00c04fd430c8", "o-exampleorgid1", "o-exampleorgid1/r-abcd/ou-abcd-abcdefgh/", "p-examplepolicy",
    "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ecr-pullthroughcache/x",
    "arn:aws:kms:eu-central-1:123456789012:key/abcd", "arn:aws:signer:eu-central-1:123456789012:/signing-profiles/abc",
    "arn:aws:iam::123456789012:role/pusher", "ROOT", "prod*", "tag <&> \u00e9",
]


def judged(pattern, words):
    """The words that `re` may judge: some of ECR's patterns make it backtrack for years on longer ones."""
    nested = "arn:" not in pattern and re.search(r"\][*+]\)\*|\]\?\[", pattern)
    return [word for word in words if not nested or len(word) <= 16]


def translated(pattern):
    """The pattern for `re`: Unicode categories written out, everything else means the same with re.ASCII."""
    for category in "LZN":
        if "\\p{%s}" % category in pattern:
            pattern = pattern.replace("\\p{%s}" % category, ranges(category))
    return re.compile(pattern, re.ASCII)


def ranges(category, cache={}):
    if category not in cache:
        text, start = "", None
        for code in range(0x110001):
            inside = code < 0x110000 and unicodedata.category(chr(code))[0] == category
            if inside and start is None:
                start = code
            elif not inside and start is not None:
                text += "\\U%08x-\\U%08x" % (start, code - 1)
                start = None
        cache[category] = text
    return cache[category]


def sample(shape, pick, depth=0):
    """A valid value of a botocore shape, as (value for botocore, value as JSON on our side)."""
    kind = shape.type_name
    meta = shape.metadata
    if kind == "structure":
        pairs = {name: sample(member, pick, depth + 1) for name, member in shape.members.items()}
        return {k: v[0] for k, v in pairs.items()}, {k: v[1] for k, v in pairs.items()}
    if kind == "list":
        count = max(meta.get("min", 0), min(2, meta.get("max", 2)))
        items = [sample(shape.member, pick, depth + 1) for _ in range(count)]
        return [item[0] for item in items], [item[1] for item in items]
    if kind == "map":
        key = sample(shape.key, pick)[0]
        value = sample(shape.value, pick)
        return {key: value[0]}, {key: value[1]}
    if kind == "string":
        if shape.enum:
            value = shape.enum[pick.randrange(len(shape.enum))]
            return value, value
        low, high = meta.get("min", 0), meta.get("max", 10**6)
        pattern = translated(meta["pattern"]) if "pattern" in meta else None
        words = [word for word in WORDS + ["x" * low, "1" * low] if low <= len(word) <= high]
        if pattern is not None:
            words = [word for word in judged(meta["pattern"], words) if pattern.fullmatch(word)]
        assert words, (shape.name, meta)
        word = words[pick.randrange(len(words))]
        return word, word
    if kind in ("integer", "long"):
        value = meta.get("min", 0) + (1 if meta.get("max", 9) > meta.get("min", 0) else 0)
        return value, value
    if kind == "double":
        return 1.5, 1.5
    if kind == "boolean":
        value = pick.random() < 0.5
        return value, value
    if kind == "timestamp":
        return MOMENT, MOMENT.timestamp()
    if kind == "blob":
        return b"\x00\xffblob", base64.b64encode(b"\x00\xffblob").decode()
    raise AssertionError(kind)


# ---- requests


def requests():
    vectors = []
    for service in SERVICES:
        model = MODELS[service]
        serializer = create_serializer(model.metadata["protocol"], include_validation=False)
        for name in sorted(model.operation_names):
            operation = model.operation_model(name)
            pick = random.Random(service + name)
            given, expected = ({}, {}) if operation.input_shape is None else sample(operation.input_shape, pick)
            request = serializer.serialize_to_request(given, operation)
            body = request["body"]
            if isinstance(body, dict):
                body = AWSRequest(method="POST", url="http://localhost/", data=body).prepare().body
            if isinstance(body, bytes):
                body = body.decode()
            vectors.append({"service": service, "operation": name, "body": body, "value": expected})
    save("requests.json", vectors)


# ---- answers


def xml(shape, name, value, out):
    kind = shape.type_name
    if value in ([], {}, ""):
        out.append("<%s/>" % name)
        return
    out.append("<%s>" % name)
    content(shape, value, out)
    out.append("</%s>" % name)


def content(shape, value, out):
    kind = shape.type_name
    if kind == "structure":
        for name, member in shape.members.items():
            if name in value:
                xml(member, name, value[name], out)
    elif kind == "list":
        for item in value:
            xml(shape.member, "member", item, out)
    elif kind == "map":
        for key in sorted(value):
            out.append("<entry><key>%s</key>" % escape(key))
            xml(shape.value, "value", value[key], out)
            out.append("</entry>")
    elif kind == "timestamp":
        out.append(value.strftime("%Y-%m-%dT%H:%M:%SZ"))
    elif kind == "boolean":
        out.append("true" if value else "false")
    elif kind == "blob":
        out.append(base64.b64encode(value).decode())
    else:
        out.append(escape(str(value)))


def answers():
    vectors = []
    for service in ("iam", "sts"):
        model = MODELS[service]
        parser = create_parser(model.metadata["protocol"])
        for name in sorted(model.operation_names):
            operation = model.operation_model(name)
            out = ['<%sResponse xmlns="%s">' % (name, model.metadata["xmlNamespace"])]
            given, expected = None, None
            if operation.output_shape is not None:
                given, expected = sample(operation.output_shape, random.Random(name + service))
                out.append("<%sResult>" % name)
                content(operation.output_shape, given, out)
                out.append("</%sResult>" % name)
            out.append("<ResponseMetadata><RequestId>0ba7b810</RequestId></ResponseMetadata></%sResponse>" % name)
            body = "".join(out)
            response = {"status_code": 200, "headers": {}, "body": body.encode()}
            parsed = parser.parse(response, operation.output_shape)
            metadata = parsed.pop("ResponseMetadata")
            assert metadata["RequestId"] == "0ba7b810", name
            assert parsed == (given or {}), (name, parsed, given)
            vectors.append({"service": service, "operation": name, "value": expected, "xml": body})
    save("answers.json", vectors)


# ---- patterns


def patterns():
    vectors = []
    seen = set()
    for service in SERVICES:
        shapes = MODELS[service]._service_description["shapes"]
        for name in sorted(shapes):
            pattern = shapes[name].get("pattern")
            if pattern is None or pattern in seen:
                continue
            seen.add(pattern)
            compiled = translated(pattern)
            pick = random.Random(pattern)
            odd = " \t\n\r\u0000\u001f\u007f\u00a0\u00a1\u00ff\u0100\u0660\u00b2\u2028\u0301\u4e2d\U0001f600\U00020000-_/.:@*+=,aZ0"
            words = {"", *WORDS, *odd, "a--b", "a-b", "-a", "a-", "aa", "a" * 64, "//", "/a", "a/", "a//b", "a__b", "a.-b"}
            good = [word for word in judged(pattern, WORDS) if compiled.fullmatch(word)]
            for _ in range(60):
                word = list(pick.choice(good or WORDS))
                for _ in range(pick.randrange(1, 3)):
                    place = pick.randrange(len(word) + 1)
                    word[place : place + pick.randrange(2)] = pick.choice(odd)
                words.add("".join(word))
            words = judged(pattern, words)
            inside = sorted(word for word in words if compiled.fullmatch(word))
            outside = sorted(word for word in words if not compiled.fullmatch(word))
            assert outside and inside, (name, pattern)
            vectors.append({"service": service, "shape": name, "inside": inside, "outside": outside})
    save("patterns.json", vectors)


if __name__ == "__main__":
    signatures()
    requests()
    answers()
    patterns()
    print("written with botocore", botocore.__version__, file=sys.stderr)
