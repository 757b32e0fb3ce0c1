//! Precedence, and what every malformed value is answered with.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use super::*;

/// What one check gives to the loader.
#[derive(Default)]
struct Input<'a> {
    flags: &'a [(&'static str, &'a str)],
    variables: &'a [(&'a str, &'a str)],
    file: Option<&'a str>,
}

fn load(input: &Input<'_>) -> Result<Config, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let config = input.file.map(|text| {
        let path = folder.path().join("file.toml");
        std::fs::write(&path, text).unwrap();
        path
    });
    let flags: BTreeMap<_, _> = input.flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    let variables = |name: &str| {
        input.variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
    };
    Config::load(&Sources { flags, config, environment: &variables })
}

/// The problems as text, with the file's folder taken out.
fn problems(input: &Input<'_>) -> Vec<String> {
    let problems = load(input).expect_err("problems");
    let shorten = |mut problem: Problem| {
        if let Source::File(path, _) = &mut problem.source {
            *path = path.file_name().unwrap().into();
        }
        problem.to_string()
    };
    problems.0.into_iter().map(shorten).collect()
}

#[test]
fn nothing_set_is_a_server_on_loopback() {
    let config = load(&Input::default()).unwrap();
    assert_eq!(config.listen, Listen::default());
    assert_eq!(config.account.as_str(), "123456789012");
    assert_eq!(config.region.as_str(), "eu-central-1");
    assert_eq!(config.public_host, None);
    assert_eq!(config.database, db::Location::Sqlite("longshore-data/catalog.db".into()));
    assert_eq!(config.blobs, blob::Location::Disk("longshore-data/blobs".into()));
    assert_eq!(config.key_file, Path::new("longshore-data/keys"));
    assert_eq!(config.catalog, catalog::Limits::default(), "the table repeats the room's own defaults");
    assert!(config.root_key.is_none() && config.tls.is_none() && !config.is_public_secure);
    assert!(config.shown.iter().all(|shown| shown.source == Source::Default));
}

#[test]
fn flags_beat_variables_beat_the_file_beat_defaults() {
    let file =
        Some("region = \"file\"\naccount = \"000000000001\"\nlisten = \"127.0.0.1:1\"\nmax-images = 7");
    let variables = &[("LONGSHORE_REGION", "variable"), ("LONGSHORE_ACCOUNT", "000000000002")];
    let config = load(&Input { flags: &[("region", "flag")], variables, file }).unwrap();
    assert_eq!(config.region.as_str(), "flag");
    assert_eq!(config.account.as_str(), "000000000002");
    assert_eq!(config.listen.port, 1);
    assert_eq!(config.catalog.images_per_repository, 7);
    assert_eq!(config.limits.headers, 100);
    let empty = load(&Input { variables: &[("LONGSHORE_REGION", "")], file, ..Input::default() }).unwrap();
    assert_eq!(empty.region.as_str(), "file", "an empty variable is not set");
}

#[test]
fn every_setting_can_be_set_in_every_way() {
    let good = |setting: &Setting| match setting.form {
        "HOST:PORT" => "127.0.0.1:1",
        "DIGITS" => "000000000042",
        "TEMPLATE" => "{account}.x.{region}.y:1",
        "http|https" => "https",
        "self-signed" => "self-signed",
        "true|false" => "true",
        "human|json" => "json",
        "LEVEL" => "debug,longshore=trace",
        "CIDR,…" => "10.0.0.0/8",
        "URL" if setting.key == "database" => "sqlite:/x",
        "URL" => "file:/x",
        "SECONDS" => "61",
        "NUMBER" => "77",
        "BYTES" => "2000000",
        _ => "aaaaaaaaaaaaaaaaaaaa",
    };
    let good = |setting: &Setting| {
        let is_below_a_mebibyte = matches!(
            setting.key,
            "max-header-bytes" | "min-body-bytes-per-second" | "min-answer-bytes-per-second"
        );
        if is_below_a_mebibyte { "65536" } else { good(setting) }
    };
    let pairs = [
        ("tls-cert", "tls-key"),
        ("tls-key", "tls-cert"),
        ("root-access-key-id", "root-secret-access-key"),
        ("root-secret-access-key", "root-access-key-id"),
    ];
    for setting in SETTINGS {
        let other =
            pairs.iter().find(|(one, _)| *one == setting.key).and_then(|(_, other)| Setting::find(other));
        let settings: Vec<&Setting> = [setting].into_iter().chain(other).collect();
        let of = |config: &Config| {
            let shown = config.shown.iter().find(|shown| shown.key == setting.key).unwrap();
            (shown.value.clone(), shown.source.clone())
        };
        let names: Vec<(String, &str)> =
            settings.iter().map(|setting| (setting.variable(), good(setting))).collect();
        let variables: Vec<(&str, &str)> =
            names.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let config = load(&Input { variables: &variables, ..Input::default() }).unwrap();
        assert_eq!(of(&config).1, Source::Environment(setting.variable()));
        if setting.reach == Reach::Environment {
            assert_eq!(of(&config).0, "(hidden)");
            let file = format!("{} = \"{}\"", setting.key, good(setting));
            let found = problems(&Input { file: Some(&file), ..Input::default() });
            assert!(found[0].contains("never into a file"), "{found:?}");
            continue;
        }
        let flags: Vec<_> = settings.iter().map(|setting| (setting.key, good(setting))).collect();
        let config = load(&Input { flags: &flags, ..Input::default() }).unwrap();
        assert_eq!(of(&config), (good(setting).to_owned(), Source::Flag(setting.key)));
        let file: String =
            settings.iter().map(|setting| format!("{} = \"{}\"\n", setting.key, good(setting))).collect();
        let config = load(&Input { file: Some(&file), ..Input::default() }).unwrap();
        assert!(matches!(of(&config).1, Source::File(_, 1)), "{}", setting.key);
    }
}

#[test]
fn malformed_values_say_what_is_expected() {
    for (key, values) in [
        ("listen", &["", "4580", "localhost", "a b:1", "127.0.0.1:65536", "::1:80", "[::g]:80", ":80"][..]),
        ("account", &["", "12345678901", "1234567890123", "12345678901a", "１２３４５６７８９０１２"]),
        ("region", &["", "EU", "a b", "a/b"]),
        ("public-host", &["", "http://a", "a/b", "{what}.a", "a:0", "a:x", "a..b", "-a", "a b", "[::g]"]),
        ("public-scheme", &["", "HTTP", "ftp"]),
        ("insecure-http", &["", "yes", "1"]),
        ("database", &["", "sqlite:", "mysql://x", "/a/b"]),
        ("blobs", &["", "file:", "s3://bucket", "/a/b"]),
        ("log-format", &["", "xml"]),
        ("log-level", &["", "a=b=c", "longshore=loud"]),
        ("trusted-proxies", &["10.0.0.0/33", "a", "10.0.0.0/8;::1"]),
        ("clock-skew-seconds", &["", "-1", "3601", "1.5", "a"]),
        ("max-connections", &["0", "1000001"]),
        ("max-header-bytes", &["8191", "262145"]),
        ("header-timeout-seconds", &["0", "3601"]),
        ("upload-expiry-seconds", &["59", "99999999999999999999"]),
        ("audit-segments", &["1"]),
    ] {
        for value in values {
            let found = problems(&Input { flags: &[(key, value)], ..Input::default() });
            let about: Vec<&String> =
                found.iter().filter(|line| line.starts_with(&format!("{key} (--{key}): "))).collect();
            assert_eq!(about.len(), 1, "{key} {value:?}: {found:?}");
            assert!(about[0].contains(&format!("{value:?}")) || key == "database", "{about:?}");
        }
    }
    for value in ["localhost:0", "[::1]:80", "0.0.0.0:1", "a.b-c:1"] {
        let flags = &[("listen", value), ("insecure-http", "true")];
        load(&Input { flags, ..Input::default() }).unwrap();
    }
    for value in ["a", "a.b:1", "{account}.dkr.ecr.{region}.amazonaws.com", "[::1]:4580", "10.0.0.1"] {
        load(&Input { flags: &[("public-host", value)], ..Input::default() }).unwrap();
    }
}

#[test]
fn all_problems_come_at_once_with_their_lines_and_without_secrets() {
    let file = "nonsense = 1\nData_Dir = \"x\"\nregion = 7\n\nmax-images = \"many\"\nlog-level = [1]\n";
    let variables = &[
        ("LONGSHORE_ACCOUNT", "12"),
        ("LONGSHORE_DATABASE", "my secret"),
        ("LONGSHORE_ROOT_SECRET_ACCESS_KEY", "too short"),
    ];
    let found = problems(&Input { flags: &[("tls-key", "k"), ("listen", "x")], variables, file: Some(file) });
    insta::assert_snapshot!(found.join("\n"));
    assert!(!found.join("\n").contains("secret\"") && !found.join("\n").contains("too short"));
}

#[test]
fn a_certificate_comes_from_one_place() {
    let flags = [("listen", "0.0.0.0:1"), ("data-dir", "d"), ("tls", "self-signed")];
    let config = load(&Input { flags: &flags, ..Input::default() }).unwrap();
    assert_eq!(config.tls, Some(Tls::SelfSigned("d/tls".into())));
    assert!(config.is_public_secure);
    let both = [("tls", "self-signed"), ("tls-cert", "c"), ("tls-key", "k")];
    let found = problems(&Input { flags: &both, ..Input::default() });
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|problem| problem.contains("cannot be used together with tls")), "{found:?}");
    let found = problems(&Input { flags: &[("tls", "yes")], ..Input::default() });
    assert!(found.len() == 1 && found[0].contains("\"yes\" is not self-signed"), "{found:?}");
}

#[test]
fn others_can_reach_an_address_only_with_tls_or_on_demand() {
    for listen in ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.com:1"] {
        let found = problems(&Input { flags: &[("listen", listen)], ..Input::default() });
        assert!(found.len() == 1 && found[0].contains("--insecure-http"), "{found:?}");
        load(&Input { flags: &[("listen", listen), ("insecure-http", "true")], ..Input::default() }).unwrap();
        let tls = [("listen", listen), ("tls-cert", "c"), ("tls-key", "k")];
        assert!(load(&Input { flags: &tls, ..Input::default() }).unwrap().is_public_secure);
    }
    for listen in ["127.0.0.1:1", "127.1.2.3:1", "[::1]:1", "localhost:1"] {
        load(&Input { flags: &[("listen", listen)], ..Input::default() }).unwrap();
    }
}

#[test]
fn broken_files_are_named() {
    for (text, expected) in [
        ("listen = ", "config (file.toml:1): is not TOML"),
        ("region = \"a\"\nregion = \"b\"", "config (file.toml:2): is not TOML"),
        ("[listen]\nhost = \"a\"", "is of type table; expected HOST:PORT"),
    ] {
        let found = problems(&Input { file: Some(text), ..Input::default() });
        assert!(found.iter().any(|line| line.contains(expected)), "{text}: {found:?}");
    }
    let missing =
        Sources { flags: BTreeMap::new(), config: Some("does/not/exist".into()), environment: &|_| None };
    assert!(Config::load(&missing).unwrap_err().to_string().contains("cannot be read"));
}

#[test]
fn the_file_in_the_data_folder_is_found_and_cannot_move_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("longshore.toml");
    let data_dir = folder.path().to_str().unwrap();
    let load = || {
        let flags = BTreeMap::from([("data-dir", data_dir.to_owned())]);
        Config::load(&Sources { flags, config: None, environment: &|_| None })
    };
    std::fs::write(&file, "region = \"found\"").unwrap();
    assert_eq!(load().unwrap().region.as_str(), "found");
    std::fs::write(&file, "data-dir = \"elsewhere\"").unwrap();
    assert!(load().unwrap_err().to_string().contains("cannot move it"));
}

#[test]
fn the_reference_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/configuration.md");
    if std::env::var_os("LONGSHORE_UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, reference()).unwrap();
    }
    let page = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(page, reference(), "run: LONGSHORE_UPDATE_DOCS=1 cargo test --lib config");
}
