//! Clients that exist only as Go programs: built from the Go module proxy at pinned versions.
//!
//! Owns the list of programs ([`PROGRAMS`]) and the Go that builds them. Go checks every module against the public
//! checksum database, so that a pinned version is pinned bytes. A program that was built before from exactly this
//! version costs one look at its stamp.
//!
//! Example: `crane` from `github.com/google/go-containerregistry/cmd/crane@v0.22.1` becomes
//! `target/tools/go/crane`, beside it `crane.stamp` with that line.

use super::{apt_install, must, program_on_path};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// One program: its name, the package and version that it is built from, and how.
struct Program {
    name: &'static str,
    source: &'static str,
    how: How,
}

enum How {
    /// `go install`.
    Install,
    /// `go build` in a module made for the purpose. `go install` refuses modules whose go.mod has `exclude` or
    /// `replace` lines, because they would not count; as somebody's dependency they do not count either.
    Depend,
}

/// Build times are those of two cores with nothing cached.
const PROGRAMS: &[Program] = &[
    // 35 s
    Program {
        name: "crane",
        source: "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
        how: How::Install,
    },
    // 15 s
    Program { name: "oras", source: "oras.land/oras/cmd/oras@v1.3.6", how: How::Install },
    // 3 minutes: it brings the clients of every cloud's key service
    Program { name: "cosign", source: "github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3", how: How::Install },
    // 80 s
    Program { name: "helm", source: "helm.sh/helm/v3/cmd/helm@v3.22.0", how: How::Install },
    // 10 s
    Program {
        name: "regctl",
        source: "github.com/regclient/regclient/cmd/regctl@v0.11.7",
        how: How::Install,
    },
    // 30 s; the module has no releases, so this is a commit of its main branch
    Program {
        name: "conformance",
        source: "github.com/opencontainers/distribution-spec/conformance@v0.0.0-20260831232431-97274622c111",
        how: How::Install,
    },
    // 2 minutes for the first, seconds for the second
    Program { name: "buildkitd", source: "github.com/moby/buildkit/cmd/buildkitd@v0.34.2", how: How::Depend },
    Program { name: "buildctl", source: "github.com/moby/buildkit/cmd/buildctl@v0.34.2", how: How::Depend },
];

/// The oldest Go that builds all of them: each module demands a least version, the highest of them counts.
const NEEDED: Version = (1, 26, 7);

/// Major, minor, patch.
type Version = (u32, u32, u32);

/// The Go that is fetched where the machine's own is older or missing. It is a module like any other.
const TOOLCHAIN: &str = "golang.org/toolchain@v0.0.1-go1.26.8";

/// Builds every program of the list into `folder` that is not there yet.
///
/// Errors: no Go and no way to install one, a build that fails (with the compiler's output). A program is stamped
/// after it was built, so that an interrupted run leaves nothing that a second would trust.
pub(super) fn programs(folder: &Path) -> Result<()> {
    let missing: Vec<&Program> = PROGRAMS.iter().filter(|program| !is_there(folder, program)).collect();
    if missing.is_empty() {
        println!("setup: every Go program is there");
        return Ok(());
    }
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let go = compiler()?;
    for program in missing {
        let begin = Instant::now();
        println!("setup: building {} with go", program.source);
        match program.how {
            How::Install => must(&mut builder(&go, folder, &["install", STRIP, TRIM, program.source])),
            How::Depend => as_dependency(&go, folder, program),
        }?;
        let stamp = stamp(folder, program);
        std::fs::write(&stamp, program.source).with_context(|| format!("write {}", stamp.display()))?;
        println!("setup: {}: {:.0} s", program.name, begin.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Smaller programs, and no paths of this machine in them.
const STRIP: &str = "-ldflags=-s -w";
const TRIM: &str = "-trimpath";

/// A command of Go, in `folder` and for it. The machine's own wishes for Go must not change what is built.
fn builder(go: &Path, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(go);
    command.args(arguments).current_dir(folder).env("GOBIN", folder).env("GOFLAGS", "");
    command.env("GOTOOLCHAIN", "local").env("CGO_ENABLED", "0");
    command
}

/// Builds a program in a module that has nothing but this dependency, with the versions that it asks for itself.
fn as_dependency(go: &Path, folder: &Path, program: &Program) -> Result<()> {
    let module = folder.join(format!("{}-module", program.name));
    if module.exists() {
        std::fs::remove_dir_all(&module).with_context(|| format!("remove {}", module.display()))?;
    }
    std::fs::create_dir_all(&module).with_context(|| format!("create {}", module.display()))?;
    let package = program.source.split('@').next().unwrap_or_default();
    let output = folder.join(program.name);
    let output = output.to_str().context("the target folder's path is not UTF-8")?;
    must(&mut builder(go, &module, &["mod", "init", "tools"]))?;
    must(&mut builder(go, &module, &["get", program.source]))?;
    must(&mut builder(go, &module, &["build", STRIP, TRIM, "-o", output, package]))
}

fn stamp(folder: &Path, program: &Program) -> PathBuf {
    folder.join(format!("{}.stamp", program.name))
}

fn is_there(folder: &Path, program: &Program) -> bool {
    folder.join(program.name).is_file()
        && std::fs::read_to_string(stamp(folder, program)).is_ok_and(|built| built == program.source)
}

/// A Go that is new enough: the machine's own, or the pinned one that an older Go fetches from the module proxy.
fn compiler() -> Result<PathBuf> {
    if !program_on_path("go") {
        apt_install(&["golang-go"])?;
    }
    let own = PathBuf::from("go");
    if version(&own)? >= NEEDED {
        return Ok(own);
    }
    println!("setup: fetching {TOOLCHAIN} from the Go module proxy");
    let processor = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => bail!("no Go {NEEDED:?} or newer on PATH, and none is fetched for {other}"),
    };
    let module = format!("{TOOLCHAIN}.linux-{processor}");
    let output = Command::new(&own)
        .args(["mod", "download", "-json", &module])
        .env("GOFLAGS", "-modcacherw")
        .stderr(Stdio::inherit())
        .output()
        .context("start go")?;
    let folder = unpacked(&output.stdout).with_context(|| format!("go mod download {module}"))?;
    // A module's files come without the permission to run them.
    must(Command::new("chmod").args(["-R", "u+x"]).arg(folder.join("bin")).arg(folder.join("pkg/tool")))?;
    let fetched = folder.join("bin/go");
    if version(&fetched)? < NEEDED {
        bail!("{} is older than {NEEDED:?}", fetched.display());
    }
    Ok(fetched)
}

/// The folder that `go mod download -json` names: its answer holds `"Dir": "/…/toolchain@v0.0.1-go1.26.8…"`.
fn unpacked(answer: &[u8]) -> Result<PathBuf> {
    let answer: serde_json::Value = serde_json::from_slice(answer).context("go answered no JSON")?;
    let folder = answer.get("Dir").and_then(serde_json::Value::as_str);
    folder.map(PathBuf::from).with_context(|| format!("no folder in {answer}"))
}

/// Asks a Go for its version: `go version go1.26.8 linux/amd64`.
fn version(go: &Path) -> Result<Version> {
    let output = Command::new(go)
        .arg("version")
        .env("GOTOOLCHAIN", "local")
        .output()
        .with_context(|| format!("start {}", go.display()))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    parse_version(&printed).with_context(|| format!("{} prints no version: {printed:?}", go.display()))
}

fn parse_version(printed: &str) -> Option<Version> {
    let release = printed.strip_prefix("go version go")?.split_whitespace().next()?;
    // `1.27rc1` counts as 1.27.0: what comes after the minor number is then no plain number.
    let mut numbers = release.split(['.', 'r', 'b', '-']);
    let (major, minor) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some((major, minor, numbers.next().and_then(|patch| patch.parse().ok()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::{PROGRAMS, parse_version};

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(parse_version("go version go1.26.8 linux/amd64\n"), Some((1, 26, 8)));
        assert_eq!(parse_version("go version go1.19 linux/arm64"), Some((1, 19, 0)));
        assert_eq!(parse_version("go version go1.27rc1 linux/amd64"), Some((1, 27, 0)));
        assert!(parse_version("go version go1.9.7 linux/amd64") < parse_version("go version go1.26.0 x"));
        assert_eq!(parse_version("command not found"), None);
    }

    #[test]
    fn every_program_is_pinned_and_named_as_go_will_name_it() {
        for program in PROGRAMS {
            let (package, version) = program.source.split_once('@').unwrap();
            assert_eq!(package.rsplit('/').next(), Some(program.name));
            assert!(version.starts_with('v') && version.contains('.'), "{version}");
        }
    }
}
