//! The whole table of errors as docker sees it. A change here is a change for every script that matches on it.

use http_body_util::BodyExt as _;

use super::*;
use crate::catalog::error_samples;
use crate::identity;

fn secret() -> identity::Error {
    identity::Error::Internal(anyhow::anyhow!("a secret cause"))
}

/// Every error once, so that the snapshot is the table.
fn every_error() -> Vec<Error> {
    let malformed = |malformed: Malformed| Error::Refused(Refusal::Malformed(malformed));
    let name = || "team/app".parse().unwrap();
    let mut errors = vec![
        Error::Refused(Refusal::NotFound),
        Error::Refused(Refusal::Method("GET, HEAD")),
        malformed(Malformed::Name),
        malformed(Malformed::Tag),
        malformed(Malformed::Digest("sha256:\"x\r\n".to_owned())),
        malformed(Malformed::DigestMissing),
        malformed(Malformed::TagsBesideTag),
        malformed(Malformed::TooManyTags),
        malformed(Malformed::Upload),
        malformed(Malformed::Limit),
        Error::Unauthenticated(BasicError::Unauthorized),
        Error::Unauthenticated(BasicError::Expired),
        Error::Unauthenticated(BasicError::Internal(secret())),
        Error::Access(AccessError::Denied { sentence: "User: … is not authorized".to_owned() }),
        Error::Access(AccessError::Identity(secret())),
        Error::Access(AccessError::from(catalog::Error::Internal(anyhow::anyhow!("a secret cause")))),
        Error::NotGranted(NotGranted { action: "ecr:PutImage" }),
        Error::Manifest("the manifest is not valid: config is missing".to_owned()),
        Error::ManifestTooLarge,
        Error::ChunkOutOfOrder { first: 0, name: name(), upload: "u-1".to_owned(), received: 7 },
        Error::BadHeader("Content-Range is not a range".to_owned()),
        Error::RangeNotSatisfiable { length: 5 },
    ];
    errors.extend(error_samples::all().into_iter().map(Error::Catalog));
    errors
}

#[tokio::test]
async fn the_table_of_errors() {
    let mut table = String::new();
    for error in every_error() {
        let answer = error.answer(&BaseUrl { is_secure: true, host: "registry.example".to_owned() });
        table.push_str(&format!("{}", answer.status().as_u16()));
        for (name, value) in answer.headers() {
            if name != CONTENT_TYPE || value != "application/json; charset=utf-8" {
                table.push_str(&format!(" [{name}: {}]", value.to_str().unwrap()));
            }
        }
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        table.push_str(&format!(" {}\n", String::from_utf8(body.to_vec()).unwrap().trim_end()));
    }
    assert!(!table.contains("secret"), "causes are for the log only");
    insta::assert_snapshot!(table);
}
