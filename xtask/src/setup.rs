//! `cargo xtask setup`: installs the clients and servers that the tests drive.
//!
//! Owns the list of Debian packages ([`NEEDS`]) and the Python environment with the pinned `aws`; [`go`] owns the
//! clients that are built from Go modules.
//! Idempotent: what is there already costs a look, nothing more. A client that is missing and cannot be
//! installed is an error that names it; no test is ever skipped for want of one.
//!
//! Example: on a fresh Debian 12 as root, `cargo xtask setup` installs docker.io, postgresql, podman, nginx and so
//! on, puts `aws` 1.46.3 into `target/tools/python/bin` and `crane`, `oras`, `cosign` into `target/tools/go`.

mod go;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Every pinned Python package; `acceptance/requirements.txt` says why they are pinned.
const REQUIREMENTS: &str = include_str!("../../acceptance/requirements.txt");

/// One thing that the tests run, and the Debian 12 package that brings it.
struct Need {
    what: &'static str,
    package: &'static str,
    proof: Proof,
}

/// How to see that a need is met without running anything slow.
enum Proof {
    /// A program of this name in one of the `PATH` folders.
    Program(&'static str),
    /// The PostgreSQL server programs, which Debian keeps outside `PATH`.
    PostgresServer,
    /// The library that lets a test move a server's clock.
    FakeClock,
    /// Debian splits the part of Python that creates environments into a package of its own.
    PythonEnvironments,
}

const NEEDS: &[Need] = &[
    Need { what: "Docker Engine", package: "docker.io", proof: Proof::Program("dockerd") },
    Need { what: "docker client", package: "docker.io", proof: Proof::Program("docker") },
    Need { what: "podman", package: "podman", proof: Proof::Program("podman") },
    Need { what: "buildah", package: "buildah", proof: Proof::Program("buildah") },
    Need { what: "skopeo", package: "skopeo", proof: Proof::Program("skopeo") },
    Need { what: "containerd", package: "containerd", proof: Proof::Program("containerd") },
    Need { what: "ctr", package: "containerd", proof: Proof::Program("ctr") },
    Need { what: "C++ compiler of the fuzz engine", package: "g++", proof: Proof::Program("g++") },
    Need {
        what: "amazon-ecr-credential-helper",
        package: "amazon-ecr-credential-helper",
        proof: Proof::Program("docker-credential-ecr-login"),
    },
    Need { what: "nginx", package: "nginx", proof: Proof::Program("nginx") },
    Need { what: "distribution", package: "docker-registry", proof: Proof::Program("docker-registry") },
    Need { what: "zstd", package: "zstd", proof: Proof::Program("zstd") },
    Need { what: "PostgreSQL server", package: "postgresql", proof: Proof::PostgresServer },
    Need { what: "ip", package: "iproute2", proof: Proof::Program("ip") },
    Need { what: "curl", package: "curl", proof: Proof::Program("curl") },
    Need {
        what: "certificates of public authorities",
        package: "ca-certificates",
        proof: Proof::Program("update-ca-certificates"),
    },
    Need { what: "libfaketime", package: "libfaketime", proof: Proof::FakeClock },
    Need { what: "Python environments", package: "python3-venv", proof: Proof::PythonEnvironments },
];

/// Makes everything ready that `cargo xtask test` needs.
///
/// Errors: a package that apt cannot install, a need that is still unmet afterwards, a failing pip. Nothing is
/// left half-done that a second run would not complete.
pub fn run() -> Result<()> {
    debian_packages()?;
    let tools = tools_folder()?;
    python_clients(&tools.join("python"))?;
    go::programs(&tools.join("go"))?;
    Ok(())
}

/// Makes ready what `cargo xtask bench` needs, which is less: servers from Debian and `aws`.
///
/// Errors: as [`run`].
pub fn bench() -> Result<()> {
    debian_packages()?;
    python_clients(&tools_folder()?.join("python"))
}

/// The folder of what setup makes itself: `tools` in cargo's target folder, next to `debug` and `release`.
///
/// The acceptance suite finds the same folder on its own (`acceptance/harness/tools.rs`), so that a plain
/// `cargo test` works too.
pub fn tools_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("tools"))
}

/// Cargo's target folder, taken from where this very program lies, so that every way to configure it is honoured.
pub fn target_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().context("where is xtask itself")?;
    let folder = program.ancestors().nth(2).context("xtask does not lie in <target>/<profile>/")?;
    Ok(folder.to_path_buf())
}

/// The newest installed folder of PostgreSQL server programs (`initdb`, `postgres`, `pg_isready`, `psql`).
pub fn postgres_programs() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            (programs.join("postgres").exists() && programs.join("initdb").exists())
                .then_some((version, programs))
        })
        .collect();
    found.sort();
    found.pop().map(|(_, programs)| programs)
}

/// Debian's own Python; a version manager's shim on `PATH` may vanish together with its version.
pub fn python() -> &'static str {
    if Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" }
}

fn is_met(need: &Need) -> bool {
    match need.proof {
        Proof::Program(name) => program_on_path(name),
        Proof::PostgresServer => postgres_programs().is_some(),
        Proof::FakeClock => fake_clock_library().is_some(),
        Proof::PythonEnvironments => quiet(Command::new(python()).args(["-c", "import ensurepip, venv"])),
    }
}

fn program_on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administrative = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(administrative).any(|folder| folder.join(name).is_file())
}

fn fake_clock_library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    folders
        .filter_map(|entry| Some(entry.ok()?.path().join("faketime/libfaketime.so.1")))
        .find(|library| library.is_file())
}

fn debian_packages() -> Result<()> {
    let mut missing: Vec<&str> = NEEDS.iter().filter(|need| !is_met(need)).map(|need| need.package).collect();
    missing.dedup();
    if missing.is_empty() {
        println!("setup: every Debian package is there");
        return Ok(());
    }
    println!("setup: installing {} with apt-get", missing.join(", "));
    apt_install(&missing)?;
    let unmet: Vec<&str> = NEEDS.iter().filter(|need| !is_met(need)).map(|need| need.what).collect();
    if !unmet.is_empty() {
        bail!("still missing after apt-get: {}", unmet.join(", "));
    }
    Ok(())
}

/// Installs these packages. Errors: no Debian, no root, or apt's own failure; each names the packages.
fn apt_install(packages: &[&str]) -> Result<()> {
    if !program_on_path("apt-get") {
        bail!("{} is missing and this is not a Debian system: install it by hand", packages.join(", "));
    }
    if !quiet(Command::new("sh").args(["-c", "test \"$(id -u)\" = 0"])) {
        bail!("{} is missing: run `cargo xtask setup` as root, or install it by hand", packages.join(", "));
    }
    // Another apt may run on a machine that has just booted; waiting for it beats failing at once.
    let patience = ["-o", "DPkg::Lock::Timeout=300", "-q"];
    must(apt_get().args(patience).arg("update"))?;
    must(apt_get().args(patience).args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

/// Puts the pinned `aws` and the Python client of oras into the environment `tools`, unless the stamp says that
/// exactly this list is installed already.
fn python_clients(tools: &Path) -> Result<()> {
    let stamp = tools.join("requirements.stamp");
    let current = std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == REQUIREMENTS);
    if current && quiet(Command::new(tools.join("bin/aws")).arg("--version")) {
        println!("setup: every Python client is there");
        return Ok(());
    }
    println!("setup: installing aws and oras with pip");
    // A half-made environment from an interrupted run cannot be trusted: begin anew.
    if tools.exists() {
        std::fs::remove_dir_all(tools).with_context(|| format!("remove {}", tools.display()))?;
    }
    must(Command::new(python()).args(["-m", "venv"]).arg(tools))?;
    let list = tools.join("requirements.txt");
    std::fs::write(&list, REQUIREMENTS).with_context(|| format!("write {}", list.display()))?;
    must(
        Command::new(tools.join("bin/pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&list),
    )?;
    must(Command::new(tools.join("bin/aws")).arg("--version"))?;
    std::fs::write(&stamp, REQUIREMENTS).with_context(|| format!("write {}", stamp.display()))?;
    Ok(())
}

/// Runs a command whose output nobody reads; true when it ran and succeeded.
fn quiet(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a command whose output the user sees; an error names the command.
pub fn must(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}
