//! The Python client of oras, as scripts use it.

use crate::harness::{Repository, Server, layout::digest};

const SCRIPT: &str = r#"
import json, sys
import oras.client

host, password = sys.argv[1:]
client = oras.client.OrasClient(hostname=host, insecure=True, auth_backend="basic")
client.login(hostname=host, username="AWS", password=password)
pushed = client.push(
    target=f"{host}/scripts:1",
    files=["script.py"],
    manifest_annotations={"org.example.author": "johndoe"},
    disable_path_validation=True,
)
pulled = client.pull(target=f"{host}/scripts:1", outdir="pulled", overwrite=True)
print(json.dumps({
    "status": pushed.status_code,
    "digest": pushed.headers["Docker-Content-Digest"],
    "tags": client.get_tags(f"{host}/scripts"),
    "pulled": [open(path).read() for path in pulled],
    "manifest": client.get_manifest(f"{host}/scripts:1"),
}))
"#;

#[test]
fn the_python_client_pushes_lists_and_pulls() {
    let server = Server::start();
    let root = server.root();
    let repository = Repository::create(&root, "scripts");
    root.write("script.py", SCRIPT);
    let host = repository.host();
    let printed =
        root.json(&format!("python script.py {host} \"$(aws ecr get-login-password)\" | tail -n 1"));
    assert_eq!(printed["status"], 201);
    assert_eq!(printed["digest"], repository.digest("1").as_str());
    assert_eq!(printed["tags"], serde_json::json!(["1"]));
    assert_eq!(printed["pulled"], serde_json::json!([SCRIPT]));
    assert_eq!(printed["manifest"]["layers"][0]["digest"], digest(SCRIPT.as_bytes()).as_str());
    assert_eq!(printed["manifest"]["annotations"]["org.example.author"], "johndoe");
}
