//! The same server on PostgreSQL: `--database` is the only difference that a user sees.

use crate::harness::{People, Postgres, Server, Settings, build, denied, repository_arn, user_arn};

#[test]
fn push_pull_denial_and_restart_on_postgresql() {
    let database = Postgres::start();
    let url = database.url();
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
