//! The parts of a request that a token is looked for in, and that its proofs are judged by.

use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Uri};

/// The parts of a request that authentication depends on.
#[derive(Clone, Copy)]
pub(crate) struct RequestHead<'r> {
    /// `None` where nobody has said: then no proof can be of the request.
    pub(crate) method: Option<&'r Method>,
    pub(crate) uri: &'r Uri,
    pub(crate) headers: &'r HeaderMap,
    /// The certificate of the client and the address of the peer, where the application says them.
    pub(crate) extensions: Option<&'r Extensions>,
}

impl<'r> RequestHead<'r> {
    /// Takes what is known where headers and address alone are.
    pub(crate) fn of_headers(headers: &'r HeaderMap, uri: &'r Uri) -> Self {
        Self { method: None, uri, headers, extensions: None }
    }

    pub(crate) fn of_parts(parts: &'r Parts) -> Self {
        let Parts { method, uri, headers, extensions, .. } = parts;
        Self { method: Some(method), uri, headers, extensions: Some(extensions) }
    }
}
