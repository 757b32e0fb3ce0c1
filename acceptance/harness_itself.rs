//! The harness's own promises, so that a broken machine is told apart from a broken server.

use crate::harness::{Engine, Namespace, Terminal, unique_context};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use std::collections::BTreeMap;

#[test]
fn the_pinned_aws_runs_without_the_machines_environment() {
    let terminal = Terminal::new(&BTreeMap::new());
    assert!(terminal.run("aws --version 2>&1").starts_with("aws-cli/1."));
    assert!(
        terminal
            .fails("aws sts get-caller-identity --region eu-central-1 --endpoint-url http://127.0.0.1:9")
            .contains("credentials")
    );
    assert_eq!(terminal.run("env | grep -c -i proxy || true"), "0");
}

#[test]
fn the_private_engine_builds_the_labelled_image() {
    let terminal = Terminal::new(&BTreeMap::new());
    unique_context(&terminal, "context");
    terminal.run("docker build --quiet --tag harness:1 context");
    let labels = terminal.json("docker inspect --format '{{json .Config.Labels}}' harness:1");
    assert_eq!(labels["org.label-schema.name"], "randserver");
    terminal.run("docker rmi harness:1");
    assert!(Engine::shared().log().contains("API listen on"));
}

#[test]
fn a_namespace_maps_names_and_trusts_its_certificate_only_inside() {
    const NAME: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";
    let namespace = Namespace::with_hosts(&[NAME]);
    let terminal = Terminal::new(&BTreeMap::new()).inside(&namespace);
    assert_eq!(terminal.run(&format!("getent hosts {NAME}")).split_whitespace().next(), Some("127.0.0.1"));
    assert!(!std::fs::read_to_string("/etc/hosts").unwrap().contains(NAME));

    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let engine = Engine::inside(&namespace, NAME, &certificate);
    let inside = Terminal::before(&engine, &BTreeMap::new()).inside(&namespace);
    assert!(!inside.run("docker version --format '{{.Server.Version}}'").is_empty());
    assert!(!std::path::Path::new("/etc/docker/certs.d").join(NAME).exists());
}
