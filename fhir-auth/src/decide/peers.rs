//! `--peers`: the addresses that sub-requests may come from.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::server::Peer;

/// Networks that proxies ask from.
#[derive(Clone, Debug)]
pub(super) struct Peers(Vec<IpNet>);

impl Peers {
    /// Reports whether a connection is one of theirs. One that nothing is known of is not.
    pub(super) fn include(&self, peer: Option<&Peer>) -> bool {
        let Some(address) = peer.map(Peer::address) else { return false };
        // An IPv4 address is one, also where the socket speaks IPv6.
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl Default for Peers {
    fn default() -> Self {
        let loopback = [
            Ipv4Net::new([127, 0, 0, 0].into(), 8).map(IpNet::from),
            Ipv6Net::new(std::net::Ipv6Addr::LOCALHOST, 128).map(IpNet::from),
        ];
        Self(loopback.into_iter().flatten().collect())
    }
}

impl FromStr for Peers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = |text: &str| {
            let text = text.trim();
            let address = text.parse::<IpAddr>().map(IpNet::from);
            address.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
                let expected = "expected networks such as 10.0.0.0/8,fd00::/8";
                format!("--peers: {expected}, found \"{text}\"")
            })
        };
        Ok(Self(text.split(',').map(network).collect::<Result<_, _>>()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn include(peers: &Peers, address: &str) -> bool {
        peers.include(Some(&Peer::new(address.parse().unwrap())))
    }

    #[test]
    fn only_loopback_is_a_peer_by_default() {
        let peers = Peers::default();
        for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(include(&peers, address), "{address}");
        }
        for address in ["10.0.0.1:1", "[::2]:1", "[::ffff:10.0.0.1]:1", "0.0.0.0:1"] {
            assert!(!include(&peers, address), "{address}");
        }
        assert!(!peers.include(None), "nobody knows who that is");
    }

    #[test]
    fn named_networks_take_the_place_of_loopback() {
        let peers: Peers = "10.1.0.0/16, fd00::/8,192.0.2.7".parse().unwrap();
        for address in ["10.1.255.1:1", "[fd00::1]:1", "192.0.2.7:1", "[::ffff:10.1.0.1]:1"] {
            assert!(include(&peers, address), "{address}");
        }
        for address in ["10.2.0.1:1", "127.0.0.1:1", "[::1]:1", "192.0.2.8:1"] {
            assert!(!include(&peers, address), "{address}");
        }
    }

    #[test]
    fn what_is_no_network_is_an_error_that_says_what_was_expected() {
        for text in ["", "10.0.0.0/33", "10.0.0.1,", "example.org", "10.0.0.0/8 fd00::/8"] {
            let error = text.parse::<Peers>().unwrap_err();
            assert!(error.contains("expected networks such as"), "{error}");
        }
    }
}
