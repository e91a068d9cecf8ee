//! The other side of a connection.

use std::net::SocketAddr;

/// The address that a client has connected from, in the extensions of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);
