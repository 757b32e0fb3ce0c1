//! BuildKit, the builder behind `docker buildx`: images of several processors with attestations, and its cache.

use crate::harness::{Guardian, Repository, Server, Terminal, wait_for};
use serde_json::Value;
use std::time::Duration;

/// Two steps, of which only the second is in the image: `mode=max` keeps both.
const DOCKERFILE: &str =
    "FROM scratch AS first\nCOPY one /one\nFROM scratch\nCOPY --from=first /one /two\nLABEL by=buildkit\n";

const START: &str = "printf 'root = \"{}/root\"\\n[grpc]\\naddress = [\"unix://{}/socket\"]\\n[worker.oci]\\n\
     enabled = true\\n[worker.containerd]\\nenabled = false\\n[registry.\"HOST\"]\\nhttp = true\\n' > {}/config.toml \
     && exec buildkitd --config {}/config.toml";

/// A builder that has never built anything.
struct Builder {
    daemon: Guardian,
}

impl Builder {
    fn start(host: &str) -> Builder {
        let daemon =
            Guardian::start("buildkit", &["unshare", "--mount", "sh", "-c", &START.replace("HOST", host)]);
        wait_for("BuildKit (it needs root and runc)", Duration::from_secs(60), || {
            daemon.log().contains("running server on").then_some(())
        });
        Builder { daemon }
    }

    /// Builds the folder `context` and pushes the result; gives what was printed and the pushed digest.
    fn build(&self, terminal: &Terminal, reference: &str, flags: &str) -> (String, String) {
        let socket = self.daemon.folder().join("socket");
        let printed = terminal.run(&format!(
            "buildctl --addr unix://{} build --progress plain --frontend dockerfile.v0 --local context=context \
             --local dockerfile=context --output type=image,name={reference},push=true --metadata-file metadata.json \
             {flags} 2>&1",
            socket.display()
        ));
        let metadata = terminal.json("cat metadata.json");
        (printed, metadata["containerimage.digest"].as_str().unwrap().to_owned())
    }
}

fn prepare(root: &Terminal) -> Repository<'_> {
    let repository = Repository::create(root, "app");
    repository.login(root, "crane auth login");
    root.write("context/Dockerfile", DOCKERFILE);
    root.write("context/one", "one\n");
    repository
}

#[test]
fn buildkit_pushes_an_index_with_attestations() {
    let server = Server::start();
    let root = server.root();
    let repository = prepare(&root);
    let uri = repository.uri();
    let builder = Builder::start(repository.host());
    let platforms = "--opt platform=linux/amd64,linux/arm64 --opt attest:provenance=mode=max";
    let (_, digest) = builder.build(&root, &format!("{uri}:1"), platforms);
    assert_eq!(repository.digest("1"), digest);
    root.run(&format!("crane validate --remote {uri}:1"));

    let index = root.json(&format!("crane manifest {uri}:1"));
    let members = index["manifests"].as_array().unwrap();
    let is_attestation =
        |member: &&Value| member["annotations"]["vnd.docker.reference.type"] == "attestation-manifest";
    assert_eq!(members.len(), 4, "{index}");
    let attestations: Vec<&Value> = members.iter().filter(is_attestation).collect();
    assert_eq!(attestations.len(), 2, "{index}");
    for attestation in attestations {
        let manifest =
            root.json(&format!("crane manifest {uri}@{}", attestation["digest"].as_str().unwrap()));
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        let statement = root.json(&format!("crane blob {uri}@{layer}"));
        assert_eq!(
            statement["predicateType"],
            manifest["layers"][0]["annotations"]["in-toto.io/predicate-type"]
        );
    }
    for processor in ["amd64", "arm64"] {
        let config = root.json(&format!("crane config --platform linux/{processor} {uri}:1"));
        assert_eq!(config["architecture"], processor);
    }
}

#[test]
fn a_new_builder_takes_every_step_from_the_cache_in_the_registry() {
    let server = Server::start();
    let root = server.root();
    let repository = prepare(&root);
    let uri = repository.uri();
    // The older form is an index whose `manifests` are layers; the newer one an image manifest.
    for (tag, form, media_type) in [
        ("cache-index", "image-manifest=false", "application/vnd.oci.image.index.v1+json"),
        ("cache-image", "image-manifest=true", "application/vnd.oci.image.manifest.v1+json"),
    ] {
        root.write("context/one", format!("{tag}\n"));
        let cache = format!("type=registry,ref={uri}:{tag}");
        let first = Builder::start(repository.host());
        let (printed, digest) =
            first.build(&root, &format!("{uri}:1"), &format!("--export-cache {cache},mode=max,{form}"));
        assert!(!printed.contains("CACHED"), "{printed}");
        assert_eq!(repository.describe(&format!("imageTag={tag}"))["imageManifestMediaType"], media_type);
        // Both steps and BuildKit's own record of them.
        let manifest = root.json(&format!("crane manifest {uri}:{tag}"));
        let blobs = ["manifests", "layers"].iter().filter_map(|member| manifest[member].as_array()).flatten();
        let layers = blobs.filter(|blob| blob["mediaType"].as_str().unwrap().contains(".layer."));
        assert_eq!(layers.count(), 2, "{manifest}");
        drop(first);

        let second = Builder::start(repository.host());
        let (printed, again) = second.build(&root, &format!("{uri}:2"), &format!("--import-cache {cache}"));
        assert_eq!(printed.matches("CACHED").count(), 2, "{printed}");
        assert_eq!(again, digest);
        assert_eq!(repository.digest("2"), digest);
    }
}
