//! Images to push: a labelled `FROM scratch` build, as in the tutorial, with content of its own each time.

use super::Terminal;
use std::sync::atomic::{AtomicU32, Ordering};

/// The commit that the tutorial's image is labelled with, and one of its tags.
pub const TUTORIAL_REVISION: &str = "8f6c2a1de5b04937a6d1c0e2b94f7385ad61c9fe";

/// What the tutorial's Dockerfile says about the image.
pub const TUTORIAL_LABELS: &[(&str, &str)] = &[
    ("org.label-schema.schema-version", "1.0"),
    ("org.label-schema.name", "randserver"),
    ("org.label-schema.version", "0.0.1"),
    ("org.label-schema.vcs-ref", TUTORIAL_REVISION),
];

/// Writes a build context into the folder `name` of the user's home: `docker build name`.
///
/// Every context differs from every other of this and any other run, so that no layer is at the registry before
/// it was pushed, and none is at the Engine before it was pulled.
pub fn unique_context(terminal: &Terminal, name: &str) {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let labels: Vec<String> =
        TUTORIAL_LABELS.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
    // The file comes first: what follows it is in no cache, or one test would build upon what another removes.
    let dockerfile = format!(
        "FROM scratch\nCOPY randserver /randserver\nLABEL {}\nENTRYPOINT [\"/randserver\"]\n",
        labels.join(" ")
    );
    terminal.write(&format!("{name}/Dockerfile"), dockerfile);
    terminal.write(
        &format!("{name}/randserver"),
        format!("{} {number}\n", terminal.home().display()).repeat(500),
    );
}

/// Builds a new image under this reference.
pub fn build(terminal: &Terminal, reference: &str) {
    unique_context(terminal, "context");
    terminal.run(&format!("docker build --quiet --tag {reference} context"));
}
