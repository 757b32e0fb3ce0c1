"""Prints the trimmed model of one service as JSON: names and constraints, no prose.

Arguments: PATH of a botocore wheel or of an installed `botocore` package directory, SERVICE, API VERSION.
Members keep their order (the XML answers are written in it), so they become a list of objects.
"""
import gzip
import json
import os
import sys
import zipfile

path, service, version = sys.argv[1:4]


def read(name):
    inside = f"data/{service}/{version}/{name}"
    if os.path.isdir(path):
        with open(os.path.join(path, inside), "rb") as file:
            raw = file.read()
    else:
        with zipfile.ZipFile(path) as wheel:
            raw = wheel.read("botocore/" + inside)
    return json.loads(gzip.decompress(raw) if name.endswith(".gz") else raw)


def only(source, *names):
    return {name: source[name] for name in names if name in source}


def shape(source):
    kept = only(source, "type", "min", "max", "pattern", "enum", "sensitive", "union", "exception", "fault", "error")
    for part in ("member", "key", "value"):
        if part in source:
            extra = set(source[part]) - {"shape", "documentation"}
            assert not extra, f"wire details of a list or map that the generator does not know: {extra}"
            kept[part] = source[part]["shape"]
    if source["type"] == "structure":
        required = source.get("required", [])
        kept["members"] = []
        for name, member in source["members"].items():
            extra = set(member) - {"shape", "documentation", "deprecated", "deprecatedMessage", "deprecatedSince"}
            assert not extra, f"wire details of member {name} that the generator does not know: {extra}"
            kept["members"].append({"name": name, "shape": member["shape"], "required": name in required})
    return kept


def operation(source):
    kept = {"errors": [error["shape"] for error in source.get("errors", [])]}
    for part in ("input", "output"):
        if part in source:
            kept[part] = source[part]["shape"]
    if source.get("authtype") == "none":
        kept["unsigned"] = True
    return kept


model = read("service-2.json.gz")
metadata = model["metadata"]
trimmed = {
    "metadata": only(metadata, "apiVersion", "protocol", "targetPrefix", "xmlNamespace"),
    "operations": {name: operation(value) for name, value in sorted(model["operations"].items())},
    "pagination": {
        name: only(value, "input_token", "output_token", "limit_key", "result_key", "more_results")
        for name, value in sorted(read("paginators-1.json")["pagination"].items())
    },
    "shapes": {name: shape(value) for name, value in sorted(model["shapes"].items())},
}
json.dump(trimmed, sys.stdout, indent=1, ensure_ascii=True)
sys.stdout.write("\n")
