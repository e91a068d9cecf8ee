//! The head of an answer, as it goes back to the client.

use http::header::{ALT_SVC, CONTENT_LOCATION, LOCATION};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use super::base::Bases;
use super::gateway_error::GatewayError;
use super::headers::{OF_BYTES, OF_CONNECTION, is_json, named_by_connection};

/// The way of the body of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyKind {
    /// It goes on as it is.
    AsItIs,
    /// It is JSON, in which addresses are written as clients know them.
    Rewritten,
}

/// Makes the head of an answer one of this server.
pub(super) fn head(
    answer: &mut Parts,
    method: &Method,
    is_binary: bool,
    bases: &Bases,
) -> Result<BodyKind, GatewayError> {
    let status = answer.status;
    let sends_elsewhere = status.is_redirection() && status != StatusCode::NOT_MODIFIED;
    let asks_for_others =
        [StatusCode::UNAUTHORIZED, StatusCode::PROXY_AUTHENTICATION_REQUIRED].contains(&status);
    if sends_elsewhere || asks_for_others || status.is_informational() {
        return Err(GatewayError::NotForClients);
    }
    answer.version = Version::HTTP_11;
    let headers = &mut answer.headers;
    // A part cannot be parsed, and `Content-Range` counts its bytes as they are (RFC 9110 section 14.4).
    let is_rewritten = status != StatusCode::PARTIAL_CONTENT && is_json(headers, is_binary);
    strip(headers, is_rewritten);
    for name in [LOCATION, CONTENT_LOCATION] {
        localize(headers, &name, bases);
    }
    if !is_rewritten {
        return Ok(BodyKind::AsItIs);
    }
    let is_empty = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    let has_body = *method != Method::HEAD && !is_empty;
    Ok(if has_body { BodyKind::Rewritten } else { BodyKind::AsItIs })
}

/// Removes what is about the connection to the upstream server, about other servers than this one, or about bytes that
/// become others.
fn strip(headers: &mut HeaderMap, is_rewritten: bool) {
    let named = named_by_connection(headers);
    let goes = |name: &&HeaderName| {
        let text = name.as_str();
        OF_CONNECTION.contains(&text)
            || *name == ALT_SVC
            || text.starts_with("access-control-")
            || (is_rewritten && OF_BYTES.contains(&text))
            || named.contains(*name)
    };
    for name in headers.keys().filter(goes).cloned().collect::<Vec<HeaderName>>() {
        headers.remove(name);
    }
}

/// Writes an address as clients know it, and removes one that leads elsewhere.
fn localize(headers: &mut HeaderMap, name: &HeaderName, bases: &Bases) {
    let Some(value) = headers.remove(name) else { return };
    let address = value.to_str().ok().and_then(|address| bases.public(address.trim()));
    let address = address.and_then(|address| HeaderValue::try_from(address).ok());
    if let Some(address) = address {
        headers.insert(name, address);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;

    fn answered(
        status: u16,
        headers: &[(&'static str, &'static str)],
    ) -> (Parts, Result<BodyKind, GatewayError>) {
        let bases = Bases::new(
            &"https://fhir.example.org/r4".parse().unwrap(),
            &"http://127.0.0.1:8081/fhir".parse().unwrap(),
        );
        let (mut parts, ()) = Response::new(()).into_parts();
        parts.status = StatusCode::from_u16(status).unwrap();
        for (name, value) in headers {
            parts.headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let kind = head(&mut parts, &Method::GET, false, &bases);
        (parts, kind)
    }

    #[test]
    fn what_is_not_for_clients_of_this_server_does_not_get_to_them() {
        for status in [301, 302, 303, 307, 308, 401, 407, 101] {
            assert_eq!(answered(status, &[]).1, Err(GatewayError::NotForClients), "{status}");
        }
        let (parts, kind) = answered(
            201,
            &[
                ("connection", "x-hop, close"),
                ("x-hop", "1"),
                ("keep-alive", "timeout=5"),
                ("access-control-allow-origin", "*"),
                ("alt-svc", "h3=\":443\""),
                ("location", "http://127.0.0.1:8081/fhir/Patient/1/_history/1"),
                ("content-location", "http://elsewhere.example.org/Patient/1"),
                ("etag", "W/\"1\""),
            ],
        );
        assert_eq!(kind, Ok(BodyKind::AsItIs));
        let left: Vec<_> = parts.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert_eq!(parts.headers["location"], "https://fhir.example.org/r4/Patient/1/_history/1");
    }

    #[test]
    fn json_is_rewritten_unless_its_bytes_are_not_all_there() {
        let json = ("content-type", "application/fhir+json; charset=utf-8");
        for (status, headers, expected) in [
            (200, &[json, ("content-length", "7")][..], BodyKind::Rewritten),
            (404, &[json], BodyKind::Rewritten),
            (200, &[("content-type", "application/fhir+json;x=\u{e9}")], BodyKind::Rewritten),
            (304, &[json], BodyKind::AsItIs),
            (206, &[json], BodyKind::AsItIs),
            (200, &[json, ("content-encoding", "gzip")], BodyKind::AsItIs),
            (200, &[("content-type", "application/fhir+xml")], BodyKind::AsItIs),
            (200, &[], BodyKind::AsItIs),
        ] {
            let (parts, kind) = answered(status, headers);
            assert_eq!(kind, Ok(expected), "{status} {headers:?}");
            assert!(
                kind != Ok(BodyKind::Rewritten) || !parts.headers.contains_key("content-length")
            );
        }
    }
}
