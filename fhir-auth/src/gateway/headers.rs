//! Headers, as both ways of an exchange read them.

use std::collections::HashSet;

use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};

/// Headers of one connection (RFC 9110 section 7.6.1), beside those that `Connection` names.
pub(super) const OF_CONNECTION: [&str; 9] = [
    "connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
];

/// Headers about the bytes of a body, which become others.
pub(super) const OF_BYTES: [&str; 6] =
    ["content-length", "accept-ranges", "content-digest", "content-md5", "digest", "repr-digest"];

/// Media types of what is FHIR's, or changes it.
const JSON_OF_FHIR: [&str; 4] = [
    "application/fhir+json",
    "application/fhir+ndjson",
    "application/json+fhir",
    "application/json-patch+json",
];

/// Media types of JSON that may be the content of a Binary.
const OTHER_JSON: [&str; 3] = ["application/json", "text/json", "application/ndjson"];

/// Returns those of the headers that `Connection` names: it may name any number of others, as often as it likes.
pub(super) fn named_by_connection(headers: &HeaderMap) -> HashSet<HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    let present = names.filter(|name| headers.contains_key(*name));
    present.filter_map(|name| name.parse().ok()).collect()
}

/// Reports whether a path is about a Binary, or about something of one.
pub(super) fn is_of_binary(path: &str) -> bool {
    path.as_bytes().split(|byte| *byte == b'/').any(|segment| segment == b"Binary")
}

/// Reports whether a body is JSON that may be rewritten. The bytes of a Binary are nobody's but its own; only
/// FHIR's own type says that it is the resource.
pub(super) fn is_json(headers: &HeaderMap, is_binary: bool) -> bool {
    let Some(media_type) = headers.get(CONTENT_TYPE) else { return false };
    let is_plain = headers.get_all(CONTENT_ENCODING).iter().all(|coding| coding == "identity");
    let media_type = media_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let media_type = media_type.trim_ascii();
    let is_one_of =
        |types: &[&str]| types.iter().any(|one| media_type.eq_ignore_ascii_case(one.as_bytes()));
    is_plain && (is_one_of(&JSON_OF_FHIR) || (!is_binary && is_one_of(&OTHER_JSON)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn of_the_names_in_connection_those_that_are_there_count() {
        let mut headers = HeaderMap::new();
        headers.insert("x-hop", HeaderValue::from_static("1"));
        headers.insert("x-kept", HeaderValue::from_static("1"));
        let many = "x-absent,X-Hop , close, \u{e9}, ,".repeat(1000);
        headers.append("connection", HeaderValue::from_bytes(many.as_bytes()).unwrap());
        assert!(named_by_connection(&headers).is_empty(), "what is no text names nothing");
        let many = "x-absent,X-Hop , close, ,".repeat(10_000);
        headers.append("connection", HeaderValue::from_bytes(many.as_bytes()).unwrap());
        let named = named_by_connection(&headers);
        assert_eq!(named, HashSet::from([HeaderName::from_static("x-hop")]));
    }
}
