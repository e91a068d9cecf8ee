//! The other side of a connection.

use std::net::{IpAddr, SocketAddr};

use http::HeaderValue;

/// The address that a client has connected from, in the extensions of its requests.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    address: IpAddr,
    /// The address as a header has it, written once for a connection.
    text: Option<HeaderValue>,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let address = address.ip();
        Self { address, text: HeaderValue::try_from(address.to_string()).ok() }
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    pub(crate) fn text(&self) -> Option<&HeaderValue> {
        self.text.as_ref()
    }
}
