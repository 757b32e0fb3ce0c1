//! A bare connection, for requests that no client would send.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::server::TestServer;

/// Longer than any time limit that a test sets.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection.
pub struct Wire {
    stream: TcpStream,
}

impl TestServer {
    /// Opens a connection.
    pub async fn wire(&self) -> Wire {
        Wire { stream: TcpStream::connect(self.address).await.unwrap() }
    }

    /// Whether somebody still listens.
    pub async fn accepts(&self) -> bool {
        TcpStream::connect(self.address).await.is_ok()
    }
}

impl Wire {
    /// Sends bytes; an end of the connection on the other side is left for [`Self::rest`] to find.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream.write_all(bytes.as_ref()).await;
        self
    }

    /// Says that nothing more will come.
    pub async fn finish(&mut self) -> &mut Self {
        let _ = self.stream.shutdown().await;
        self
    }

    /// Reads until `end` has come.
    pub async fn until(&mut self, end: &str) -> String {
        let mut text = Vec::new();
        let read = async {
            while !String::from_utf8_lossy(&text).contains(end) {
                match self.stream.read_u8().await {
                    Ok(byte) => text.push(byte),
                    Err(_) => break,
                }
            }
        };
        tokio::time::timeout(PATIENCE, read).await.expect("an answer");
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Reads until the server closes the connection; out: what came and how long it took.
    pub async fn rest(&mut self) -> (String, Duration) {
        let begin = Instant::now();
        let mut bytes = Vec::new();
        let read = self.stream.read_to_end(&mut bytes);
        // A reset after the answer is an end too.
        let _ = tokio::time::timeout(PATIENCE, read).await.expect("the server closes the connection");
        (String::from_utf8_lossy(&bytes).into_owned(), begin.elapsed())
    }
}
