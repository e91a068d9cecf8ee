//! Refusals for gRPC: HTTP 200 and a status in the headers, "trailers-only"
//! (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).

use std::fmt::Write;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Response};

use super::{Rejection, error_info};
use crate::jose::base64url;

/// Reports whether a request is gRPC, by its content type.
pub(crate) fn is_grpc(request: &Parts) -> bool {
    let content_type = request.headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type
        .and_then(|value| value.get(.."application/grpc".len()))
        .is_some_and(|start| start.eq_ignore_ascii_case(b"application/grpc"))
}

/// The response to a gRPC client. No body follows.
pub(crate) fn response(rejection: &Rejection) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("grpc-status", rejection.kind().row().grpc_status.into());
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(rejection.description())) {
        headers.insert("grpc-message", message);
    }
    let details = base64url::to_standard(&error_info::status(rejection));
    if let Ok(details) = HeaderValue::try_from(details) {
        headers.insert("grpc-status-details-bin", details);
    }
    response
}

/// `Percent-Encoded` of the gRPC protocol: all but printable ASCII, and the percent sign.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f..=0xff => {
                // Writing to a String cannot fail.
                let _ = write!(encoded, "%{byte:02X}");
            }
            printable => encoded.push(printable.into()),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_percent_encoded() {
        assert_eq!(percent_encoded("100 % \u{e9}\n"), "100 %25 %C3%A9%0A");
    }
}
