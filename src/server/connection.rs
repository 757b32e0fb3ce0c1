//! One connection: TLS, the choice between HTTP/1.1 and HTTP/2, its limits and its end.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::Hall;
use super::dispatch;
use super::nearby;
use super::observe::Observed;
use super::origin::Connection;
use super::sendfile::{Line, Plain, Sending};
use super::stall::Impatient;
use super::taking::{Sliced, Streams};
use crate::api::body::Failure;
use crate::config::Limits;

/// Streams that one HTTP/2 connection may have open: docker opens a handful.
const STREAMS: u32 = 64;
/// One stream of a large push must not wait for window updates (dependencies.md §1.2).
const STREAM_WINDOW: u32 = 1024 * 1024;
/// Uploads that wait for a place fill their windows: together they must leave room for those that have one, or all
/// of them wait for each other.
const CONNECTION_WINDOW: u32 = STREAMS * STREAM_WINDOW;
/// Streams that a client has opened and reset before we took them up: more is the rapid reset attack (CVE-2023-44487)
/// and ends the connection.
const RESETS_BEFORE_ACCEPT: usize = 20;
/// Streams that we reset because of the client's own mistakes: more ends the connection (CVE-2025-8671).
const RESETS_BY_US: usize = 64;
/// What the library may hold of an answer that its client makes room for and the network does not take yet.
const SEND_BUFFER: usize = 256 * 1024;
/// How HTTP/2 begins without TLS (RFC 9113 §3.4); no request of HTTP/1.1 begins like this.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Between two looks at a preface of which only a part has come.
const PREFACE_PAUSE: Duration = Duration::from_millis(10);
/// What one HTTP/1.1 connection reads at once: a large upload holds about twice this while it is received. Larger
/// ones were not measurably cheaper.
const BUFFER_BYTES: usize = 64 * 1024;
/// How many header fields the library allows of itself. Any number that it is told makes it fill two tables at each
/// request.
const LIBRARY_HEADERS: usize = 100;
/// How often an HTTP/2 client is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(30);

/// Copies of an HTTP/2 connection's "in use" mark that belong to no request: the service's and the watcher's.
const IDLE_COPIES: usize = 2;

/// How connections learn that they shall end.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    /// After the running requests.
    pub(super) gently: CancellationToken,
    /// At once.
    pub(super) now: CancellationToken,
}

/// Serves a connection until one of both sides ends it.
pub(super) async fn serve(
    hall: &Arc<Hall>,
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    ending: Ending,
) {
    let _counted = hall.measures.connection();
    // Small answers must not wait for the acknowledgement of their head.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY was refused");
    }
    nearby::settle(&stream, peer.ip());
    let connection = Connection { peer: peer.ip(), is_tls: tls.is_some() };
    let now = ending.now.clone();
    let served = async {
        let Some(tls) = tls else { return plain(hall, connection, stream, ending).await };
        let handshake = tokio::time::timeout(hall.settings.limits.header_timeout, tls.accept(stream));
        match handshake.await {
            Ok(Ok(stream)) => {
                let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                if is_http_2 {
                    http_2(hall, connection, stream, ending).await;
                } else {
                    http_1(hall, connection, stream, ending, |body| body).await;
                }
            }
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_) => tracing::debug!(%peer, "TLS handshake took too long"),
        }
    };
    tokio::select! {
        () = served => {}
        () = now.cancelled() => {}
    }
}

/// Without TLS the first bytes tell HTTP/2 with prior knowledge from HTTP/1.1.
async fn plain(hall: &Arc<Hall>, connection: Connection, stream: TcpStream, ending: Ending) {
    let limit = hall.settings.limits.header_timeout;
    let first = tokio::select! {
        biased;
        first = tokio::time::timeout(limit, begins_http_2(&stream)) => first,
        () = ending.gently.cancelled() => return,
    };
    match first {
        Ok(Ok(true)) => http_2(hall, connection, stream, ending).await,
        Ok(Ok(false)) => {
            let line = Arc::new(Line::default());
            let stream = Sending::new(stream, Arc::clone(&line));
            let plain = move |body| Plain::new(body, Arc::clone(&line));
            http_1(hall, connection, stream, ending, plain).await;
        }
        Ok(Err(error)) => tracing::debug!(%error, "connection ended before its first request"),
        Err(_) => tracing::debug!("no request came in time"),
    }
}

/// Looks at the first bytes without taking them, so that the stream stays a plain socket.
async fn begins_http_2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut first).await?;
        if length == 0 || first.get(..length).is_none_or(|seen| !PREFACE.starts_with(seen)) {
            return Ok(false);
        }
        if length == PREFACE.len() {
            return Ok(true);
        }
        // `P` may become `POST`. The socket is readable already, so waiting for that would spin.
        tokio::time::sleep(PREFACE_PAUSE).await;
    }
}

/// `form` gives answers the form in which this kind of connection sends them.
async fn http_1<S, B>(
    hall: &Arc<Hall>,
    connection: Connection,
    stream: S,
    ending: Ending,
    form: impl Fn(Observed) -> B,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    B: http_body::Body<Error = Failure> + 'static,
{
    let limits = hall.settings.limits;
    let form = &form;
    let service = service_fn(move |request: http::Request<Incoming>| {
        let hall = Arc::clone(hall);
        async move {
            let response = dispatch::answer(&hall, connection, request).await;
            Ok::<_, Infallible>(response.map(form))
        }
    });
    let stream = TokioIo::new(Impatient::new(stream, limits.answer_pace()));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Otherwise each request reads once more, into 8 KiB that are allocated for it, to see whether its client
        // leaves before the answer. One that does is noticed when the answer is written or its body ends early.
        .half_close(true)
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.header_bytes)
        .max_buf_size(BUFFER_BYTES.max(limits.header_bytes));
    if limits.headers != LIBRARY_HEADERS {
        builder.max_headers(limits.headers);
    }
    let mut serving = pin!(builder.serve_connection(stream, service));
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = ending.gently.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    note_end(result);
}

async fn http_2<S>(hall: &Arc<Hall>, connection: Connection, stream: S, ending: Ending)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = hall.settings.limits;
    let Limits { header_bytes, header_timeout, stall_timeout, .. } = limits;
    let was_used = Arc::new(AtomicBool::new(true));
    // Every answer that is still being sent holds a copy.
    let in_use = Arc::new(());
    let service = {
        let (was_used, in_use) = (Arc::clone(&was_used), Arc::clone(&in_use));
        service_fn(move |request: http::Request<Incoming>| {
            was_used.store(true, Ordering::Relaxed);
            let (hall, in_use) = (Arc::clone(hall), Arc::clone(&in_use));
            async move {
                let response = dispatch::answer(&hall, connection, request).await;
                Ok::<_, Infallible>(response.map(|body| Sliced::new(body, in_use)))
            }
        })
    };
    let stream = TokioIo::new(Impatient::new(stream, limits.answer_pace()));
    let mut serving = pin!(
        http2::Builder::new(Streams(limits.answer_pace()))
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_pending_accept_reset_streams(RESETS_BEFORE_ACCEPT)
            .max_local_error_reset_streams(RESETS_BY_US)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING_INTERVAL)
            .serve_connection(stream, service)
    );
    // HTTP/1.1 has its header timeout; here an idle connection is one that saw no request in a whole period.
    let idle = async {
        loop {
            tokio::time::sleep(header_timeout).await;
            if !was_used.swap(false, Ordering::Relaxed) && Arc::strong_count(&in_use) == IDLE_COPIES {
                break;
            }
        }
    };
    let result = tokio::select! {
        result = serving.as_mut() => result,
        () = async { tokio::select! { () = ending.gently.cancelled() => {}, () = idle => {} } } => {
            serving.as_mut().graceful_shutdown();
            // The last piece of an answer lies with the library, where nobody sees whether it is taken.
            let forsaken = async {
                loop {
                    tokio::time::sleep(stall_timeout).await;
                    if Arc::strong_count(&in_use) == IDLE_COPIES {
                        break;
                    }
                }
            };
            tokio::select! {
                result = serving.as_mut() => result,
                () = forsaken => Ok(()),
            }
        }
    };
    note_end(result);
}

fn note_end(result: hyper::Result<()>) {
    if let Err(error) = result {
        // Ordinary life on a network: resets, half requests, timeouts. Their answers were given already.
        tracing::debug!(%error, "connection ended");
    }
}
