//! The accept loop: bounds the number of connections and ends them when the server stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Hall;
use super::connection::{self, Ending};
use super::tls::Certificates;

/// How the server is told to stop.
#[derive(Debug, Clone)]
pub struct Stop {
    /// Accept nothing more and end each connection after its running request.
    pub gently: CancellationToken,
    /// How long running requests may go on after that.
    pub grace: Duration,
}

/// Connections that are told that the server is full at once; beyond these they are just closed.
const REFUSALS: usize = 64;

/// How long a refused client gets to read why.
const REFUSAL_TIME: Duration = Duration::from_secs(2);

const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-type: text/plain; charset=utf-8\r\ncontent-length: 25\r\n\r\n503 too many connections\n";

/// Serves the listener until `stop`, and returns when the last connection has ended.
pub async fn listen(hall: Arc<Hall>, listener: TcpListener, tls: Option<Arc<Certificates>>, stop: Stop) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(hall.settings.limits.connections));
    let refusals = Arc::new(Semaphore::new(REFUSALS));
    let now = CancellationToken::new();
    let ending = Ending { gently: stop.gently.clone(), now: now.clone() };
    loop {
        let accepted = tokio::select! {
            () = stop.gently.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, or a client that is gone already. Trying again at once would spin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            hall.measures.refused_connection();
            if tls.is_none()
                && let Ok(refusal) = Arc::clone(&refusals).try_acquire_owned()
            {
                connections.spawn(async move {
                    let _refusal = refusal;
                    refuse(stream).await;
                });
            }
            continue;
        };
        // Each connection keeps the certificate that it began with.
        let acceptor = tls.as_deref().map(Certificates::acceptor);
        let (hall, ending) = (Arc::clone(&hall), ending.clone());
        connections.spawn(async move {
            let _place = place;
            connection::serve(&hall, stream, peer, acceptor, ending).await;
        });
    }
    // New clients must be refused by the system, not accepted and left waiting.
    drop(listener);
    connections.close();
    if tokio::time::timeout(stop.grace, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "the grace period is over; requests are cut");
        now.cancel();
        connections.wait().await;
    }
}

async fn refuse(mut stream: TcpStream) {
    let polite = async {
        stream.write_all(FULL).await?;
        stream.shutdown().await?;
        // Closing with unread bytes in the socket would reset it before the client has read the answer.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
    };
    if !matches!(tokio::time::timeout(REFUSAL_TIME, polite).await, Ok(Ok(_))) {
        tracing::debug!("a refused client did not wait for the answer");
    }
}
