//! Answers that come before the body of a request has been read.
//!
//! The layer has no bound on that body and reads nothing of it, so that it cannot drain it. Whatever
//! of it is still to come stands where HTTP/1 expects the next request: the server closes the
//! connection then, and the client has to know before it sends another (RFC 9112 section 9.6).

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Version};

/// Says that the connection ends, where the request may have a body that nobody has read. HTTP/2 and
/// later end the stream alone, and do not have the header (RFC 9113 section 8.2.2).
pub(crate) fn announce_close(request: &Parts, answer: &mut HeaderMap) {
    let Parts { version, headers, .. } = request;
    let is_http_1 = matches!(*version, Version::HTTP_09 | Version::HTTP_10 | Version::HTTP_11);
    if is_http_1 && has_body(headers) {
        answer.insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

/// Reports whether a request has a body (RFC 9112 section 6.3).
fn has_body(headers: &HeaderMap) -> bool {
    let is_long = |length: &HeaderValue| length.as_bytes() != b"0";
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(is_long)
}
