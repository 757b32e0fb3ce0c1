//! The order in which the AWS tools look, and what is refused.

use std::ffi::OsString;

use super::*;

const SHARED: &str = "[default]\naws_access_key_id = AKIASHARED\naws_secret_access_key = s\n\
     [half]\naws_access_key_id = AKIAHALF\n[both]\naws_access_key_id = AKIABOTH\naws_secret_access_key = s\n";
const CONFIG: &str = "[default]\nregion = eu-west-3\nendpoint_url = https://files.example.com\nca_bundle = /ca.pem\n\
     [profile config]\naws_access_key_id = AKIACONFIG\naws_secret_access_key = s\naws_session_token = t\n\
     [profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = default\n\
     [profile process]\ncredential_process = /bin/true\naws_access_key_id = A\naws_secret_access_key = s\n\
     [profile both]\ncredential_process = /bin/true\n[profile empty]\nregion = eu-west-3\n";

/// Loads with these variables and both files.
fn load(variables: &[(&str, &str)]) -> anyhow::Result<Aws> {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    std::fs::write(home.path().join(".aws/credentials"), SHARED).unwrap();
    std::fs::write(home.path().join(".aws/config"), CONFIG).unwrap();
    Aws::load(&|name| match name {
        "HOME" => Some(home.path().into()),
        _ => variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)),
    })
}

fn id(variables: &[(&str, &str)]) -> Result<String, String> {
    let aws = load(variables).map_err(|error| error.to_string())?;
    aws.credentials().map(|key| key.access_key_id.clone()).map_err(|error| error.to_string())
}

#[test]
fn variables_come_before_the_profile_of_the_two_files() {
    let key =
        [("AWS_ACCESS_KEY_ID", "AKIAVARIABLE"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_PROFILE", "config")];
    assert_eq!(id(&key).as_deref(), Ok("AKIAVARIABLE"));
    assert_eq!(id(&[]).as_deref(), Ok("AKIASHARED"));
    assert_eq!(id(&[("AWS_PROFILE", "config")]).as_deref(), Ok("AKIACONFIG"));
    assert_eq!(id(&[("AWS_PROFILE", "both")]).as_deref(), Ok("AKIABOTH"), "a key is nearer than a process");
    assert_eq!(id(&[("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")]).as_deref(), Ok("AKIASHARED"));
    let aws = load(&[("AWS_PROFILE", "config")]).unwrap();
    assert_eq!(aws.credentials().unwrap().session_token, Some(Secret::from("t")));
}

#[test]
fn what_is_half_there_or_comes_from_elsewhere_is_refused_by_name() {
    for (variables, expected) in [
        (
            &[("AWS_ACCESS_KEY_ID", "AKIA")][..],
            "Partial credentials found in the environment, missing: AWS_SECRET_ACCESS_KEY",
        ),
        (
            &[("AWS_SECRET_ACCESS_KEY", "s")],
            "Partial credentials found in the environment, missing: AWS_ACCESS_KEY_ID",
        ),
        (
            &[("AWS_PROFILE", "half")],
            "Partial credentials found in the profile half, missing: aws_secret_access_key",
        ),
        (&[("AWS_PROFILE", "role")], "the profile role takes its credentials from role_arn"),
        (&[("AWS_PROFILE", "process")], "the profile process takes its credentials from credential_process"),
        (&[("AWS_PROFILE", "empty")], "no AWS credentials"),
        (&[("AWS_PROFILE", "none")], "The config profile (none) could not be found"),
        (&[("AWS_CONFIG_FILE", "/"), ("AWS_PROFILE", "default")], "/ cannot be read"),
        (&[("AWS_ENDPOINT_URL", "nonsense")], "the AWS endpoint"),
    ] {
        let refused = id(variables).unwrap_err();
        assert!(refused.starts_with(expected), "{refused}");
    }
}

#[test]
fn endpoint_region_and_authorities() {
    let shown = |variables: &[(&str, &str)]| {
        let aws = load(variables).unwrap();
        (aws.endpoint.map(|endpoint| endpoint.to_string()), aws.region, aws.authorities)
    };
    let of_files =
        (Some("https://files.example.com".to_owned()), Some("eu-west-3".to_owned()), Some("/ca.pem".into()));
    assert_eq!(shown(&[]), of_files);
    let all = [
        ("AWS_ENDPOINT_URL", "http://localhost:1"),
        ("AWS_ENDPOINT_URL_ECR", "http://localhost:2"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
        ("AWS_REGION", "eu-west-2"),
        ("AWS_CA_BUNDLE", "/other.pem"),
    ];
    let of_variables =
        (Some("http://localhost:2".to_owned()), Some("eu-west-2".to_owned()), Some("/other.pem".into()));
    assert_eq!(shown(&all), of_variables);
    assert_eq!(shown(&all[..1]).0.as_deref(), Some("http://localhost:1"));
    assert_eq!(shown(&[("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"), all[0]]).0, None);
}

#[test]
fn no_secret_is_shown() {
    let aws = load(&[
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "hush"),
        ("AWS_SESSION_TOKEN", "hush"),
    ]);
    assert!(!format!("{aws:?}").contains("hush"));
}
