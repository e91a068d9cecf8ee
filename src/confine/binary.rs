//! A Binary: its resource, or its content in the content type that it has of its own (R4 section 2.42).

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Deserialize;

use super::refusal::document;
use crate::jose::base64url;

/// The parts of a Binary that are its content.
#[derive(Deserialize)]
struct Binary<'a> {
    #[serde(borrow, rename = "contentType")]
    content_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: Option<Cow<'a, str>>,
}

/// Makes a response with the content of a Binary, whose resource is this; `None` if it has none.
pub(super) fn content(resource: &str, request: &Parts) -> Option<Response<Bytes>> {
    let binary: Binary<'_> = serde_json::from_str(resource).ok()?;
    let data = base64url::decode_with_white_space(&binary.data?)?;
    let mut response = document(StatusCode::OK, UNKNOWN, data.into(), request);
    let content_type = binary.content_type.and_then(|name| HeaderValue::from_str(&name).ok());
    set_content_headers(content_type, response.headers_mut());
    Some(response)
}

const UNKNOWN: &str = "application/octet-stream";

/// Writes the headers of content that anybody may have stored: a browser must neither guess another type, nor
/// run it as a page of this server.
pub(super) fn set_content_headers(content_type: Option<HeaderValue>, headers: &mut HeaderMap) {
    let content_type = content_type.unwrap_or(HeaderValue::from_static(UNKNOWN));
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    let nothing = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(CONTENT_SECURITY_POLICY, nothing);
}

/// Reports whether a content type says that a body is the resource of FHIR, and not its content.
pub(super) fn is_resource(headers: &HeaderMap) -> bool {
    let name = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let name = name.and_then(|name| name.split(';').next()).unwrap_or_default();
    let name = name.trim().to_ascii_lowercase();
    // `application/json` may be the type of the content itself (R4, Binary).
    matches!(&*name, "application/fhir+json" | "application/json+fhir")
}
