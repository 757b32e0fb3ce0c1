//! `cargo xtask codegen`: generates the wire shapes of ECR, IAM and STS into `crates/aws/src/generated`.
//!
//! Input are the trimmed service models in `xtask/models` (names and constraints that the botocore package
//! ships, no prose); output is committed Rust. `--import PATH` first refreshes the models from a botocore wheel
//! or an installed `botocore` directory (this needs python3), `--check` writes nothing and fails when a
//! committed file differs from what would be generated.

mod enums;
mod model;
mod name;
mod operations;
mod pattern;
mod schema;
mod structures;
mod write;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

use self::model::Model;

/// Services and the API version directory of botocore they come from.
const SERVICES: [(&str, &str); 3] = [("ecr", "2015-09-21"), ("iam", "2010-05-08"), ("sts", "2011-06-15")];

const TRIM: &str = include_str!("codegen/trim.py");

/// Files to write: path below `generated/` to content.
type Files = BTreeMap<PathBuf, String>;

/// Runs the subcommand.
///
/// # Errors
/// Unknown arguments, unreadable models, a model feature or pattern the generator does not know, stale files.
pub fn run(arguments: &[String]) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no repository root")?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => write::all(root, &generate(root)?),
        ["--check"] => write::check(root, &generate(root)?),
        ["--import", source] => {
            import(root, source)?;
            write::all(root, &generate(root)?)
        }
        _ => bail!("usage: cargo xtask codegen [--check | --import WHEEL_OR_DIRECTORY]"),
    }
}

fn generate(root: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut patterns = pattern::Patterns::default();
    let mut head = String::from("//! Generated shapes, one module per service.\n\n");
    for (service, _) in SERVICES {
        let path = root.join("xtask/models").join(format!("{service}.json"));
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        let model: Model =
            serde_json::from_str(&text).with_context(|| format!("parse {}", path.display()))?;
        model.validate().with_context(|| format!("model of {service}"))?;
        head.push_str(&format!("pub mod {service};\n"));
        let mut add = |name: &str, content: String| {
            files.insert(PathBuf::from(service).join(name), content);
        };
        add("schema.rs", schema::generate(service, &model, &mut patterns)?);
        add("requests.rs", structures::generate(&model, structures::Side::Request)?);
        add("responses.rs", structures::generate(&model, structures::Side::Response)?);
        add("operation.rs", operations::generate(&model)?);
        add("enums.rs", enums::generate(&model)?);
        add("errors.rs", operations::errors(&model));
        add("mod.rs", operations::module(service, &model));
    }
    head.push_str("mod patterns;\n");
    files.insert(PathBuf::from("patterns.rs"), patterns.generate());
    files.insert(PathBuf::from("mod.rs"), head);
    Ok(files)
}

fn import(root: &Path, source: &str) -> Result<()> {
    for (service, version) in SERVICES {
        let output = Command::new("python3").args(["-c", TRIM, source, service, version]).output();
        let output = output.context("run python3")?;
        ensure!(output.status.success(), "trim {service}: {}", String::from_utf8_lossy(&output.stderr));
        let path = root.join("xtask/models").join(format!("{service}.json"));
        fs::write(&path, output.stdout).with_context(|| format!("write {}", path.display()))?;
    }
    Ok(())
}
