//! A terminal for podman, buildah and skopeo whose images and logins are its own.

use super::Terminal;

/// What these clients say to a server that speaks plain HTTP.
pub const PLAIN: &str = "--tls-verify=false";

/// The same terminal with storage under its home folder: nothing of the machine's images is seen or changed.
///
/// The driver `vfs` copies whole layers, needs no mounts and so leaves nothing behind when the folder goes.
pub fn libpod(terminal: &Terminal) -> Terminal {
    let home = terminal.home().display();
    terminal.write(
        "containers/storage.conf",
        format!("[storage]\ndriver = \"vfs\"\ngraphroot = \"{home}/graph\"\nrunroot = \"{home}/run\"\n"),
    );
    // No systemd to ask for cgroups, no journal for events: nothing is run.
    terminal.write(
        "containers/containers.conf",
        format!(
            "[engine]\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"none\"\ntmp_dir = \"{home}/libpod\"\n"
        ),
    );
    // A file of logins that is named must exist.
    terminal.write("containers/auth.json", "{}");
    terminal
        .clone()
        .with("CONTAINERS_STORAGE_CONF", Some(&format!("{home}/containers/storage.conf")))
        .with("CONTAINERS_CONF", Some(&format!("{home}/containers/containers.conf")))
        .with("REGISTRY_AUTH_FILE", Some(&format!("{home}/containers/auth.json")))
}
