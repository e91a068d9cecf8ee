//! The body of a request to the service inside: the client's, or one that was read.

use crate::middleware::PassedBody;

/// The body of a request as it goes on: the client's, untouched, or bytes that take its place.
pub type RequestBody<B> = PassedBody<B>;
