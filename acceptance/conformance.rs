//! The conformance program of the OCI distribution-spec passes in full: every version of the specification that it
//! knows, on SQLite and on PostgreSQL, by a user with the rights of a pusher and no more.
//!
//! Nothing fails and nothing is skipped. What is disabled is what the program itself leaves out for that version,
//! and sparse manifests, which ECR forbids (docs/decisions/0006). The repositories are created on push.
//!
//! The reports stay in `target/conformance/<version>-<engine>`; the table in docs/reference/compatibility.md must
//! say what they say: `LONGSHORE_BLESS=1 cargo test --test acceptance conformance && LONGSHORE_BLESS=1 cargo test
//! --test reference` writes it anew.

use crate::harness::{People, Postgres, Response, Server, Settings, Terminal, repository_arn, tools};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// What the program calls the versions: two releases, and what has come since with everything switched on.
const VERSIONS: &[&str] = &["1.0", "1.1", "dev"];

/// The section of the page, written by this test and included by the reference test.
const SECTION: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/reference/conformance.md");

/// Disabled by the program for these versions, in the order of the list above; sparse manifests by nobody's wish
/// but ECR's.
const DISABLED: &[&[&str]] = &[
    &[
        "Blob anonymous mount",
        "Blob upload cancel",
        "Manifest put with tag params",
        "Referrers",
        "Sparse Manifests",
        "Tag Param",
        "Tag Param sha512",
    ],
    &[
        "Blob upload cancel",
        "Manifest put with tag params",
        "Sparse Manifests",
        "Tag Param",
        "Tag Param sha512",
    ],
    &["Sparse Manifests"],
];

/// What a run has come to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    /// `Pass`, `Disabled`, `Skip`, `FAIL` or `Error` by category, of requests and of data.
    categories: BTreeMap<String, String>,
    tests: u32,
    /// Failures of the server and of the program itself.
    failed: u32,
    skipped: u32,
    disabled: u32,
}

#[test]
fn the_conformance_program_passes_in_full() {
    let folder = tools::artefacts("conformance");
    let database = Postgres::start();
    let engines = [
        ("sqlite", Settings::default()),
        ("postgres", Settings::default().with_flags(&["--database", &database.url()])),
    ];
    let mut of_engines = Vec::new();
    for (engine, settings) in engines {
        let server = Server::start_with(settings);
        let root = server.root();
        root.run(
            "aws ecr create-repository-creation-template --prefix conformance --applied-for CREATE_ON_PUSH",
        );
        let pusher = pusher(&root);
        let outcomes: Vec<Outcome> = VERSIONS
            .iter()
            .map(|version| run(&server, &root, &pusher, version, &folder.join(format!("{version}-{engine}"))))
            .collect();
        of_engines.push(outcomes);
    }
    assert_eq!(of_engines[0], of_engines[1], "the engines differ");
    check_page(&section(&of_engines[0]));
}

/// A user who may push, pull, list and delete below `conformance/`, and create repositories there.
fn pusher(root: &Terminal) -> Terminal {
    let user = People::of(root).user_with("pusher", "AmazonEC2ContainerRegistryPowerUser");
    let policy = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Resource":"{}",
        "Action":["ecr:BatchDeleteImage","ecr:CreateRepository"]}}}}"#,
        repository_arn("conformance/*")
    );
    root.write("policy.json", policy);
    root.run(
        "aws iam put-user-policy --user-name pusher --policy-name conformance --policy-document file://policy.json",
    );
    user
}

/// Runs the program for one version against repositories that do not exist before.
fn run(server: &Server, root: &Terminal, pusher: &Terminal, version: &str, results: &Path) -> Outcome {
    let password = pusher.run("aws ecr get-login-password");
    let repositories = ["first", "second"].map(|name| format!("conformance/{version}/{name}"));
    // The program asks for the referrers in a repository before it pushes to it, and the specification promises an
    // answer only "assuming a repository is found". So somebody pushes first, and the second repository is the
    // program's own.
    let uploads = format!("http://{}/v2/{}/blobs/uploads/", server.address(), repositories[0]);
    let request = |url: &str, method: &str| {
        Response::of(root, &format!("--user 'AWS:{password}' --request {method} '{url}'")).status
    };
    assert_eq!(request(&uploads.replace("blobs/uploads/", "tags/list"), "GET"), 404);
    assert_eq!(request(&uploads, "POST"), 202, "a push creates the repository");

    let mut terminal = pusher.clone();
    for (name, value) in [
        ("REGISTRY", server.address()),
        ("TLS", "disabled"),
        ("USERNAME", "AWS"),
        ("PASSWORD", &password),
        ("REPO1", &repositories[0]),
        ("REPO2", &repositories[1]),
        ("VERSION", version),
        ("RESULTS_DIR", results.to_str().unwrap()),
    ] {
        terminal = terminal.with(&format!("OCI_{name}"), Some(value));
    }
    let answer = terminal.try_run("conformance");
    let outcome = Outcome::read(results);
    let context = || format!("{version} in {}:\n{answer}", results.display());
    assert!(answer.succeeded, "{}", context());
    let position = VERSIONS.iter().position(|known| *known == version).unwrap();
    for (category, status) in &outcome.categories {
        let expected = if DISABLED[position].contains(&category.as_str()) { "Disabled" } else { "Pass" };
        assert_eq!(status, expected, "{category} of {}", context());
    }
    assert_eq!((outcome.failed, outcome.skipped), (0, 0), "{}", context());

    // By ground truth: both repositories are there, and the program has removed all that it pushed.
    for repository in &repositories {
        let images = root.json(&format!("aws ecr list-images --repository-name {repository}"));
        assert_eq!(images["imageIds"].as_array().map(Vec::len), Some(0), "{images}");
    }
    for file in ["report.html", "results.yaml", "junit.xml"] {
        let report = read(&results.join(file));
        assert!(!report.contains(&password), "{file} is kept and must hold no password");
    }
    outcome
}

impl Outcome {
    /// Reads `results.yaml` (`  Blob delete: Pass` under `apis:` and `data:`) and the head of `junit.xml`.
    fn read(results: &Path) -> Outcome {
        let yaml = read(&results.join("results.yaml"));
        let (_, outcomes) = yaml.split_once("\napis:\n").expect("categories of requests");
        let categories: BTreeMap<String, String> = outcomes
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.split_once(": "))
            .map(|(category, status)| (category.to_owned(), status.to_owned()))
            .collect();
        assert!(categories.contains_key("Blob push") && categories.contains_key("Image"), "{yaml}");
        let junit = read(&results.join("junit.xml"));
        let head = junit.split('>').next().unwrap();
        let number = |name: &str| {
            let value = head.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
            value.parse::<u32>().ok()
        };
        Outcome {
            categories,
            tests: number("tests").expect(head),
            failed: number("failures").unwrap_or(0) + number("errors").unwrap_or(0),
            skipped: number("skipped").unwrap_or(0),
            disabled: number("disabled").unwrap_or(0),
        }
    }
}

/// A file of the report. The program quotes bodies that look like text to it, and a random one does that begins with
/// a byte order mark; so the report is not always UTF-8.
fn read(path: &Path) -> String {
    let content = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    String::from_utf8_lossy(&content).into_owned()
}

/// The section of the page.
fn section(outcomes: &[Outcome]) -> String {
    let source = tools::source_of("conformance");
    let mut text = format!(
        "\n## Conformance to the OCI distribution-spec\n\n\
         `cargo xtask test` runs the specification's own program, `{source}`,\n\
         once per version that it knows, on SQLite and again on PostgreSQL, as a user with AWS's PowerUser policy,\n\
         `ecr:BatchDeleteImage` and `ecr:CreateRepository`, in repositories that a push creates. The results are the same\n\
         on both. *dev* is what has come since 1.1, with everything switched on. A dash is what the program does not ask\n\
         of that version; sparse manifests, which name blobs or members that are not there, are refused as by ECR.\n\n\
         | | "
    );
    let row = |text: &mut String, name: &str, cells: Vec<String>| {
        writeln!(text, "| {name} | {} |", cells.join(" | ")).unwrap();
    };
    let cells = |of: &dyn Fn(&Outcome) -> String| outcomes.iter().map(of).collect::<Vec<_>>();
    writeln!(text, "{} |\n|---|{}", VERSIONS.join(" | "), "---|".repeat(VERSIONS.len())).unwrap();
    let passed = |outcome: &Outcome| outcome.tests - outcome.failed - outcome.skipped - outcome.disabled;
    row(&mut text, "tests passed", cells(&|outcome| passed(outcome).to_string()));
    row(&mut text, "tests failed", cells(&|outcome| outcome.failed.to_string()));
    row(&mut text, "tests skipped", cells(&|outcome| outcome.skipped.to_string()));
    for category in outcomes[0].categories.keys() {
        let shown = |outcome: &Outcome| match outcome.categories[category].as_str() {
            "Disabled" => "–".to_owned(),
            status => status.to_lowercase(),
        };
        row(&mut text, category, cells(&shown));
    }
    text
}

/// Compares the section with the committed one, or writes it when asked to.
fn check_page(section: &str) {
    if std::env::var_os("LONGSHORE_BLESS").is_some() {
        std::fs::write(SECTION, section).unwrap();
    }
    let found = std::fs::read_to_string(SECTION).unwrap_or_default();
    assert!(
        found == section,
        "{SECTION} is not current; rewrite it with `LONGSHORE_BLESS=1 cargo test --test acceptance conformance`, \
         then `LONGSHORE_BLESS=1 cargo test --test reference`"
    );
}
