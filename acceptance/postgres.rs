//! The same server on PostgreSQL: `--database` is the only difference that a user sees.

use crate::harness::{Guardian, People, Server, Settings, build, denied, repository_arn, user_arn, wait_for};
use std::net::TcpListener;
use std::time::Duration;

/// PostgreSQL refuses to run as root, and the folder that the guardian has made is root's. The newest installed
/// version is the last name in the list.
const START: &str = "chown postgres {} && cd / && programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1) && \
     become='setpriv --reuid=postgres --regid=postgres --init-groups' && \
     $become $programs/initdb -D {}/data -U longshore -A trust -E UTF8 --locale=C && \
     exec $become $programs/postgres -D {}/data -c unix_socket_directories={} -c listen_addresses=127.0.0.1 -p ";

#[test]
fn push_pull_denial_and_restart_on_postgresql() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let database = Guardian::start("postgres", &["sh", "-c", &format!("{START}{port}")]);
    wait_for("PostgreSQL", Duration::from_secs(60), || {
        database.log().contains("database system is ready to accept connections").then_some(())
    });
    let url = format!("postgres://longshore@127.0.0.1:{port}/postgres");
    let mut server = Server::start_with(Settings::default().with_flags(&["--database", &url]));
    let root = server.root();
    let uri =
        root.json("aws ecr create-repository --repository-name app")["repository"]["repositoryUri"].clone();
    let reference = format!("{}:1", uri.as_str().unwrap());
    root.run("$(aws ecr get-login --no-include-email)");
    build(&root, &reference);
    root.run(&format!("docker push {reference}"));
    let reader = People::of(&root).user_with("reader", "AmazonEC2ContainerRegistryReadOnly");

    server.stop("KILL");
    let server = Server::start_with(server.settings());
    root.run(&format!("docker rmi {reference}"));
    root.run(&format!("docker pull {reference}"));
    let refusal = reader.fails("aws ecr batch-delete-image --repository-name app --image-ids imageTag=1");
    assert!(
        refusal.ends_with(&denied(&user_arn("reader"), "ecr:BatchDeleteImage", &repository_arn("app"))),
        "{refusal}"
    );
    let data = server.settings().data.unwrap();
    let sqlite = root.run(&format!("find '{}' -name '*.sqlite*' -o -name '*.db'", data.path().display()));
    assert_eq!(sqlite, "", "nothing is kept in SQLite besides");
}
