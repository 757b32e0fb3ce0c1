//! Connections that never leave this host: docker on the same machine, a proxy that speaks TLS for us.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

/// In every kernel, and allowed to every process (`tcp_allowed_congestion_control` in ip-sysctl).
const WITHOUT_PACING: &str = "reno";

/// Lets a connection whose `peer` is this host send without pacing; others keep what the host's administrator chose.
///
/// BBR, which many hosts choose for their way into the internet, waits between packets by a timer of the kernel. Over
/// the loopback interface there is nothing to share with others and nothing to lose, while a timer for every 64 KiB was
/// half of what sending a layer cost (docs/decisions/0017).
pub(crate) fn settle(stream: &impl AsFd, peer: IpAddr) {
    let is_peer = || {
        let here = rustix::net::getsockname(stream).and_then(SocketAddr::try_from);
        here.is_ok_and(|here| here.ip() == peer)
    };
    let is_nearby = peer.to_canonical().is_loopback() || is_peer();
    if is_nearby && let Err(error) = rustix::net::sockopt::set_tcp_congestion(stream, WITHOUT_PACING) {
        tracing::debug!(%error, "the congestion control of a connection from this host could not be set");
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;
    use rustix::net::sockopt::tcp_congestion;
    use tokio::net::{TcpListener, TcpStream};

    /// The algorithm of an accepted connection before and after it was settled as one of `peer`, or of its real peer.
    async fn settled(peer: Option<IpAddr>) -> (String, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, accepted) = tokio::join!(client, listener.accept());
        let (stream, real) = accepted.unwrap();
        let before = tcp_congestion(&stream).unwrap();
        settle(&stream, peer.unwrap_or(real.ip()));
        drop(client);
        (before, tcp_congestion(&stream).unwrap())
    }

    #[tokio::test]
    async fn a_connection_from_this_host_is_not_paced() {
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped().into();
        for peer in [None, Some(Ipv6Addr::LOCALHOST.into()), Some(mapped)] {
            assert_eq!(settled(peer).await.1, WITHOUT_PACING, "{peer:?}");
        }
    }

    #[tokio::test]
    async fn other_connections_keep_what_the_host_has_chosen() {
        let (before, after) = settled(Some(Ipv4Addr::new(192, 0, 2, 1).into())).await;
        assert_eq!(before, after);
    }
}
