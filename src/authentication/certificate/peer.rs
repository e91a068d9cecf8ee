//! The other side of a connection, and the networks that are trusted to name a client.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// The address of the other side of the connection that a request has come by. Whoever accepts
/// connections puts it into the extensions of each request; it must never be one that a header names.
/// With axum it is that of `ConnectInfo<SocketAddr>`.
///
/// ```
/// use axum::extract::ConnectInfo;
/// use http::Request;
/// use std::net::SocketAddr;
/// use tower_fhir_auth::authentication::PeerAddress;
///
/// /// For `axum::middleware::map_request`, outside the layer.
/// fn with_peer<B>(
///     ConnectInfo(peer): ConnectInfo<SocketAddr>,
///     mut request: Request<B>,
/// ) -> Request<B> {
///     request.extensions_mut().insert(PeerAddress::new(peer));
///     request
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddress(IpAddr);

impl PeerAddress {
    /// Takes the address of a connection.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        // A dual-stack socket has IPv4 peers as `::ffff:a.b.c.d` (RFC 4291 section 2.5.5.2).
        Self(address.ip().to_canonical())
    }

    pub(super) fn is_in(self, networks: &[IpNet]) -> bool {
        networks.iter().any(|network| network.contains(&self.0))
    }
}

/// Reads a network, such as `127.0.0.1/32`, or one address.
pub(super) fn network(text: &str) -> Option<IpNet> {
    let of_one = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse::<IpNet>().ok().or_else(of_one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_compared_with_networks_as_an_address() {
        let networks = ["127.0.0.1/32", "10.1.0.0/16", "::1"].map(|text| network(text).unwrap());
        for (peer, is_in) in [
            ("127.0.0.1:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("127.0.0.2:1", false),
            ("10.1.255.255:1", true),
            ("10.2.0.0:1", false),
            ("[::1]:1", true),
            ("[::2]:1", false),
        ] {
            let peer = PeerAddress::new(peer.parse().unwrap());
            assert_eq!(peer.is_in(&networks), is_in, "{peer:?}");
        }
        for bad in ["", "localhost", "127.0.0.1/33", "127.0.0.1:80", "*"] {
            assert!(network(bad).is_none(), "{bad}");
        }
    }
}
