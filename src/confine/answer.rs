//! Answers of the layer itself: what is hidden, and what could not be judged.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::fhir::{Format, IssueType, OperationOutcome};

/// The reason for which a request has no answer of the server behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NoAnswer {
    status: StatusCode,
    issue_type: IssueType,
    text: String,
}

impl NoAnswer {
    fn new(status: StatusCode, issue_type: IssueType, text: impl Into<String>) -> Self {
        Self { status, issue_type, text: text.into() }
    }

    /// A resource that is hidden, and one that does not exist.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, IssueType::NotFound, "there is no such resource")
    }

    pub(super) fn no_such_page() -> Self {
        Self::new(StatusCode::NOT_FOUND, IssueType::NotFound, "there is no such page")
    }

    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, IssueType::Invalid, text)
    }

    pub(super) fn body_too_long() -> Self {
        let text = "the body of the search has more than 64 KiB";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, IssueType::TooLong, text)
    }

    pub(super) fn no_form() -> Self {
        let text =
            "the body of a search is an uncompressed form (`application/x-www-form-urlencoded`)";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, IssueType::NotSupported, text)
    }

    pub(super) fn only_json() -> Self {
        let text = "answers to a token that is confined are JSON alone (`application/fhir+json`)";
        Self::new(StatusCode::NOT_ACCEPTABLE, IssueType::NotSupported, text)
    }

    /// An answer of the server behind that cannot be judged.
    pub(super) fn unreadable(why: &str) -> Self {
        let text = format!("the answer of the server behind cannot be judged: {why}");
        Self::new(StatusCode::BAD_GATEWAY, IssueType::Exception, text)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let text = format!(
            "the answer of the server behind has more than {limit} bytes, and cannot be judged: ask for \
             fewer entries by `_count`"
        );
        Self::new(StatusCode::BAD_GATEWAY, IssueType::TooCostly, text)
    }

    /// A refusal of the server behind: its status and its code, and none of its words.
    pub(super) fn of_server(status: StatusCode, body: &[u8]) -> Self {
        if status == StatusCode::UNAUTHORIZED
            || status.is_redirection()
            || status.is_informational()
        {
            return Self::unreadable("it is no answer to a client of this server");
        }
        let code = IssueType::of_outcome(body).unwrap_or(IssueType::Exception);
        Self::new(status, code, "the server behind has refused the request")
    }

    pub(super) fn respond(self, request: &Parts) -> Response<Bytes> {
        let format = Format::wanted_by(request);
        let body = OperationOutcome::new(self.issue_type, self.text).to_format(format);
        let mut response = document(self.status, format.media_type(), body.into(), request);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Makes a response that nobody may keep; to `HEAD` without its body.
pub(super) fn document(
    status: StatusCode,
    media_type: &'static str,
    body: Bytes,
    request: &Parts,
) -> Response<Bytes> {
    let is_head = request.method == Method::HEAD;
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(if is_head { Bytes::new() } else { body });
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_LENGTH, length);
    response
}

/// Copies headers that describe a version from the answer of the server behind.
pub(super) fn describe(from: &HeaderMap, to: &mut HeaderMap) {
    for name in [http::header::ETAG, http::header::LAST_MODIFIED] {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.clone());
        }
    }
}
