//! A PostgreSQL of its own, for servers that keep their catalog there.

use super::{Guardian, wait_for};
use std::net::TcpListener;
use std::time::Duration;

/// PostgreSQL refuses to run as root, and the folder that the guardian has made is root's. The newest installed
/// version is the last name in the list.
const START: &str = "chown postgres {} && cd / && programs=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1) && \
     become='setpriv --reuid=postgres --regid=postgres --init-groups' && \
     $become $programs/initdb -D {}/data -U longshore -A trust -E UTF8 --locale=C && \
     exec $become $programs/postgres -D {}/data -c unix_socket_directories={} -c listen_addresses=127.0.0.1 -p ";

/// A running database, alive as long as this value.
pub struct Postgres {
    _guardian: Guardian,
    port: u16,
}

impl Postgres {
    /// Starts it; returns when it takes connections.
    pub fn start() -> Postgres {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let guardian = Guardian::start("postgres", &["sh", "-c", &format!("{START}{port}")]);
        wait_for("PostgreSQL", Duration::from_secs(60), || {
            guardian.log().contains("database system is ready to accept connections").then_some(())
        });
        Postgres { _guardian: guardian, port }
    }

    /// What `--database` takes.
    pub fn url(&self) -> String {
        format!("postgres://longshore@127.0.0.1:{}/postgres", self.port)
    }
}
