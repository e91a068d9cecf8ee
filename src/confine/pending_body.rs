//! Bodies that nobody has read so far.

use bytes::Bytes;

/// The body of a request, as long as nobody has read it.
#[derive(Debug)]
pub(super) enum PendingBody<B> {
    Client(B),
    /// The body of an entry of a bundle.
    Bytes(Bytes),
    Taken,
}
