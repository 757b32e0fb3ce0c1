//! Requests that are no good: unknown operations, bad parameters, malformed documents, AWS's own policies.

use aws::Service;

use super::allow;
use crate::api::iam::BUILT;
use crate::api::query::testing::{Answer, NOW, houses};

#[tokio::test]
async fn operations_that_are_not_there_and_not_built() {
    for house in houses().await {
        let (status, code, message) = house.refused("Nothing", &[]).await;
        assert_eq!((status, code.as_str()), (400, "InvalidAction"));
        assert_eq!(message, "Could not find operation Nothing for version 2010-05-08");
        for (form, name, version) in [
            ("Action=ListUsers&Version=2011-06-15", "ListUsers", "2011-06-15"),
            ("Action=ListUsers", "ListUsers", ""),
            ("Version=2010-05-08", "", "2010-05-08"),
            ("", "", ""),
        ] {
            let request = house.signed(Service::Iam, &house.root, form.to_owned());
            let answer = Answer::of(Service::Iam, super::super::perform(&house.services, request).await);
            let message = format!("Could not find operation {name} for version {version}");
            assert_eq!(answer.refusal(), (400, "InvalidAction".to_owned(), message), "{form}");
        }
        let mut absent = 0;
        for operation in aws::iam::OPERATIONS {
            let (_, code, message) = match house.iam(operation.name, &[]).await {
                answer if answer.status == 200 => continue,
                answer => answer.refusal(),
            };
            let is_not_built = code == "InvalidAction";
            // Without parameters many fail before they are dispatched; what is told then must not be "not built".
            assert!(!(is_not_built && BUILT.contains(&operation.name)), "{}", operation.name);
            if is_not_built {
                absent += 1;
                let name = operation.name;
                assert_eq!(message, format!("The operation {name} is not implemented by this server"));
            }
        }
        assert!(absent > 10, "{absent}");
    }
}

/// A value that the constraints of a member accept.
fn sample(member: &aws::shape::Member) -> String {
    use aws::shape::Kind;
    match &member.shape.kind {
        Kind::Text { values: [first, ..], .. } => (*first).to_owned(),
        Kind::Text { min, .. } if member.name.ends_with("Arn") => {
            format!("arn:aws:iam::123456789012:x/{}", "a".repeat(min.unwrap_or(1).try_into().unwrap()))
        }
        Kind::Text { min, .. } => "1".repeat(min.unwrap_or(1).max(6).try_into().unwrap()),
        Kind::Boolean => "true".to_owned(),
        _ => "3600".to_owned(),
    }
}

#[tokio::test]
async fn the_table_of_built_operations_is_what_is_dispatched() {
    for house in houses().await {
        let mut asked = 0;
        for operation in aws::iam::OPERATIONS {
            let members = operation.input.map_or(&[][..], |input| input.members());
            let values: Vec<(&str, String)> = members
                .iter()
                .filter(|member| member.required)
                .map(|member| (member.name, sample(member)))
                .collect();
            let parameters: Vec<(&str, &str)> =
                values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let answer = house.iam(operation.name, &parameters).await;
            let sentence = format!("The operation {} is not implemented by this server", operation.name);
            let is_absent = answer.status == 400 && answer.refusal().2 == sentence;
            let is_undecided = answer.status == 400 && answer.refusal().1 == "ValidationError";
            if BUILT.contains(&operation.name) {
                assert!(!is_absent && answer.status < 500, "{}: {}", operation.name, answer.xml);
            } else {
                // Some required members are structures, which the sample cannot fill.
                assert!(is_absent || is_undecided, "{}: {}", operation.name, answer.xml);
            }
            asked += usize::from(is_absent);
        }
        assert!(asked * 10 > (aws::iam::OPERATIONS.len() - BUILT.len()) * 8, "only {asked} said so");
    }
}

#[tokio::test]
async fn a_presigned_query_is_as_good_as_a_form() {
    for house in houses().await {
        let headers = [("host", &b"localhost:4580"[..])];
        let digest: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(b"").into();
        let query = "Action=ListUsers&Version=2010-05-08";
        let input = aws::sigv4::Input {
            method: "GET",
            path: "/",
            query,
            headers: &headers,
            body_sha256: &digest,
            now: NOW,
        };
        let credentials = aws::sigv4::Credentials {
            access_key_id: &house.root.id,
            secret_access_key: &house.root.secret,
            session_token: None,
        };
        let signed = aws::sigv4::presign(&input, &credentials, "us-east-1", "iam", 60);
        let send = async |query: &str| {
            let request = http::Request::get(format!("/?{query}")).header("host", "localhost:4580");
            let mut whole = house.request(Service::Iam, &house.root, &[]);
            whole.head = request.body(()).unwrap().into_parts().0;
            whole.body = bytes::Bytes::new();
            Answer::of(Service::Iam, super::super::perform(&house.services, whole).await)
        };
        assert_eq!(send(&signed).await.status, 200);
        assert_eq!(
            send(&signed.replace("ListUsers", "ListRoles")).await.refusal().1,
            "SignatureDoesNotMatch"
        );
        house.clock.advance(61 * crate::environment::SECOND);
        assert_eq!(send(&signed).await.refusal().1, "SignatureDoesNotMatch", "too late");
    }
}

#[tokio::test]
async fn signatures_that_are_not_good() {
    for house in houses().await {
        let good = || house.request(Service::Iam, &house.root, &[("Action", "ListUsers")]);
        let send =
            async |request| Answer::of(Service::Iam, super::super::perform(&house.services, request).await);
        assert_eq!(send(good()).await.status, 200);
        let mut changed = good();
        changed.body = b"Action=ListRoles&Version=2010-05-08"[..].into();
        assert_eq!(send(changed).await.refusal().1, "SignatureDoesNotMatch");
        let mut unsigned = good();
        unsigned.head.headers.remove("authorization");
        assert_eq!(send(unsigned).await.refusal().1, "MissingAuthenticationToken");
        let other = house.request(Service::Sts, &house.root, &[("Action", "ListUsers")]);
        assert_eq!(send(other).await.refusal().1, "SignatureDoesNotMatch", "signed for another service");
        let mut garbled = good();
        garbled.body = b"Action=%zz"[..].into();
        assert_eq!(send(garbled).await.refusal().1, "MalformedQueryString");
    }
}

#[tokio::test]
async fn bad_parameters() {
    let document = allow("ecr:*");
    for house in houses().await {
        let detected = "1 validation error detected: Value at";
        let characters = "It must contain only alphanumeric characters and/or the following: +=,.@_-";
        let too_long = "x".repeat(65);
        for (operation, parameters, message) in [
            ("CreateUser", vec![], format!("{detected} 'userName' failed to satisfy constraint: Member must not be null")),
            ("CreateUser", vec![("UserName", "a b")], format!("The specified value for userName is invalid. {characters}")),
            ("CreateUser", vec![("UserName", "\u{e9}")], format!("The specified value for userName is invalid. {characters}")),
            ("CreateUser", vec![("UserName", "../x")], format!("The specified value for userName is invalid. {characters}")),
            ("CreateUser", vec![("UserName", &*too_long)], format!("{detected} 'userName' failed to satisfy constraint: Member must have length less than or equal to 64")),
            (
                "CreateUser",
                vec![("UserName", "a"), ("Path", "nope")],
                "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric \
                 characters and/or / characters."
                    .to_owned(),
            ),
            (
                "UpdateAccessKey",
                vec![("UserName", "a"), ("AccessKeyId", "AKIAIOSFODNN7EXAMPLE"), ("Status", "Lost")],
                format!("{detected} 'status' failed to satisfy constraint: Member must satisfy enum value set"),
            ),
            (
                "AttachUserPolicy",
                vec![("UserName", "a"), ("PolicyArn", "AmazonEC2ContainerRegistryReadOnly")],
                "Invalid ARN:  Could not be parsed!".to_owned(),
            ),
            (
                "TagUser",
                vec![("UserName", "a"), ("Tags.member.1.Key", "aws:x"), ("Tags.member.1.Value", "")],
                "Tag keys that begin with aws: are reserved for system use.".to_owned(),
            ),
        ] {
            let expected = (400, "ValidationError".to_owned(), message);
            assert_eq!(house.refused(operation, &parameters).await, expected, "{operation} {parameters:?}");
        }
        let boundary = "arn:aws:iam::123456789012:user/alice";
        house.user("a").await;
        let parameters = [("UserName", "a"), ("PermissionsBoundary", boundary)];
        let refused = house.refused("PutUserPermissionsBoundary", &parameters).await;
        let sentence = format!("Value ({boundary}) for parameter PermissionsBoundary is invalid.");
        assert_eq!(refused, (400, "InvalidParameterValue".to_owned(), sentence));
        let nul = house.refused("CreateUser", &[("UserName", "a\0b")]).await;
        assert_eq!(nul.1, "ValidationError");
        let nul = [("UserName", "a"), ("PolicyName", "p"), ("PolicyDocument", &*format!("{document}\0"))];
        assert_eq!(house.refused("PutUserPolicy", &nul).await.0, 400);
    }
}

#[tokio::test]
async fn malformed_documents_change_nothing() {
    let old = r#"{"Version":"2008-10-17","Statement":{"Effect":"Allow","Action":"ecr:*","Resource":"*"}}"#;
    for house in houses().await {
        house.user("a").await;
        for (text, sentence) in [
            ("{", "Syntax errors in policy."),
            (old, "Policy document must be version 2012-10-17 or greater."),
            (
                r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr:*"}}"#,
                "Policy statement must contain resources.",
            ),
            (
                r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ecr","Resource":"*"}}"#,
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
            ),
        ] {
            let expected = (400, "MalformedPolicyDocument".to_owned(), sentence.to_owned());
            let made = house.refused("CreatePolicy", &[("PolicyName", "p"), ("PolicyDocument", text)]).await;
            assert_eq!(made, expected);
        }
        // Inline policies may be of the old version.
        house.done("PutUserPolicy", &[("UserName", "a"), ("PolicyName", "p"), ("PolicyDocument", old)]).await;
        let bad = [("UserName", "a"), ("PolicyName", "p"), ("PolicyDocument", "[]")];
        assert_eq!(house.refused("PutUserPolicy", &bad).await.1, "MalformedPolicyDocument");
        let kept = house.done("GetUserPolicy", &[("UserName", "a"), ("PolicyName", "p")]).await;
        assert_eq!(kept.text("PolicyDocument"), aws::percent::encode(old));
        assert!(house.done("ListPolicies", &[("Scope", "Local")]).await.texts("PolicyName").is_empty());
    }
}

#[tokio::test]
async fn the_policies_of_aws_belong_to_aws() {
    let document = allow("ecr:*");
    let arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly";
    for house in houses().await {
        let shown = house.done("GetPolicy", &[("PolicyArn", arn)]).await;
        assert_eq!((shown.text("DefaultVersionId"), shown.text("Path")), ("v3".to_owned(), "/".to_owned()));
        let version = house.done("GetPolicyVersion", &[("PolicyArn", arn), ("VersionId", "v3")]).await;
        assert!(version.text("Document").contains("GetAuthorizationToken"));
        for (operation, parameters) in [
            ("DeletePolicy", vec![]),
            ("CreatePolicyVersion", vec![("PolicyDocument", &*document)]),
            ("DeletePolicyVersion", vec![("VersionId", "v3")]),
            ("SetDefaultPolicyVersion", vec![("VersionId", "v3")]),
            ("TagPolicy", vec![("Tags.member.1.Key", "k"), ("Tags.member.1.Value", "v")]),
            ("UntagPolicy", vec![("TagKeys.member.1", "k")]),
        ] {
            let mut all = vec![("PolicyArn", arn)];
            all.extend(parameters);
            let message = format!(
                "User: arn:aws:iam::123456789012:root is not authorized to perform: iam:{operation} on resource: \
                 policy {arn}"
            );
            let expected = (403, "AccessDenied".to_owned(), message);
            assert_eq!(house.refused(operation, &all).await, expected);
        }
    }
}
