//! Answers of the layer itself: what is hidden, and what could not be judged.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::patch;
use crate::fhir::{Format, IssueType, OperationOutcome};

/// The reason for which a request has no answer of the upstream server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: StatusCode,
    issue_type: IssueType,
    text: String,
    /// True if there was an answer that cannot be judged.
    is_unreadable: bool,
    /// The time after which the upstream server wants to be asked again.
    retry_after: Option<HeaderValue>,
}

impl Refusal {
    fn new(status: StatusCode, issue_type: IssueType, text: impl Into<String>) -> Self {
        Self { status, issue_type, text: text.into(), is_unreadable: false, retry_after: None }
    }

    /// A resource that is hidden, and one that does not exist.
    pub(super) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, IssueType::NotFound, "there is no such resource")
    }

    /// A resource that was deleted, to who may know of every one of its type.
    pub(super) fn gone() -> Self {
        Self::new(StatusCode::GONE, IssueType::Deleted, "the resource was deleted")
    }

    pub(super) fn no_such_page() -> Self {
        Self::new(StatusCode::NOT_FOUND, IssueType::NotFound, "there is no such page")
    }

    /// An export that is somebody else's, and one that does not exist.
    pub(super) fn no_such_export() -> Self {
        Self::new(StatusCode::NOT_FOUND, IssueType::NotFound, "there is no such export")
    }

    /// A version that is not, or no longer, the one that is there.
    pub(super) fn version_mismatch() -> Self {
        Self::precondition(
            "the resource has changed, or its version does not meet the precondition of the request",
        )
    }

    /// A change that the upstream server refused because of another resource, or because another change came first.
    /// Saying which would reveal hidden resources.
    pub(super) fn conflict() -> Self {
        let text = "the upstream server rejected the change: it conflicts with a related resource or with another change";
        Self::new(StatusCode::CONFLICT, IssueType::Conflict, text)
    }

    pub(super) fn excluded_by_condition() -> Self {
        let text = "the condition does not match the resource that has the `id` of the body";
        Self::new(StatusCode::CONFLICT, IssueType::Conflict, text)
    }

    pub(super) fn several_match() -> Self {
        Self::precondition("several resources match the condition")
    }

    pub(super) fn condition_too_costly() -> Self {
        let text = "the condition matches too many resources to be evaluated";
        Self::new(StatusCode::PRECONDITION_FAILED, IssueType::TooCostly, text)
    }

    fn precondition(text: &str) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, IssueType::Conflict, text)
    }

    pub(super) fn no_match() -> Self {
        Self::new(StatusCode::NOT_FOUND, IssueType::NotFound, "nothing matches the condition")
    }

    pub(super) fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, IssueType::Invalid, text)
    }

    pub(super) fn body_too_long() -> Self {
        let text = "the body of the search has more than 64 KiB";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, IssueType::TooLong, text)
    }

    pub(super) fn too_many_entries(limit: usize) -> Self {
        let text = format!("the bundle has more than {limit} entries");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, IssueType::TooLong, text)
    }

    /// An entry whose answer would make that to the bundle too large.
    pub(super) fn bundle_full() -> Self {
        let text = "the answers to the previous entries leave no room for this one";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, IssueType::TooLong, text)
    }

    /// An entry that the upstream server has not answered, after others have changed something.
    pub(super) fn entry_unanswered() -> Self {
        let text = "the upstream server has not answered this entry, or one before it";
        Self::new(StatusCode::BAD_GATEWAY, IssueType::Transient, text)
    }

    pub(super) fn request_too_long(limit: usize) -> Self {
        let text = format!("the body has more than {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, IssueType::TooLong, text)
    }

    /// A transaction whose patches make resources that are too large together.
    pub(super) fn changes_too_long(limit: usize) -> Self {
        let text = format!(
            "the resources that the transaction would store have more than {limit} bytes together"
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, IssueType::TooLong, text)
    }

    pub(super) fn of_patch(fault: patch::PatchError) -> Self {
        match fault {
            patch::PatchError::Invalid(text) => Self::bad_request(text),
            patch::PatchError::TooLarge(text) => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, IssueType::TooLong, text)
            }
        }
    }

    pub(super) fn unsupported_resource_format() -> Self {
        let text = "send the resource as uncompressed JSON (`application/fhir+json`)";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, IssueType::NotSupported, text)
    }

    pub(super) fn no_json_patch() -> Self {
        let text = "send the patch as an uncompressed JSON Patch (`application/json-patch+json`)";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, IssueType::NotSupported, text)
    }

    pub(super) fn no_form() -> Self {
        let text = "send the search as an uncompressed form (`application/x-www-form-urlencoded`)";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, IssueType::NotSupported, text)
    }

    pub(super) fn only_json() -> Self {
        let text =
            "answers to a confined token are available only as JSON (`application/fhir+json`)";
        Self::new(StatusCode::NOT_ACCEPTABLE, IssueType::NotSupported, text)
    }

    pub(super) fn only_json_of_metadata() -> Self {
        let text = "`metadata` is available only as JSON here (`application/fhir+json`)";
        Self::new(StatusCode::NOT_ACCEPTABLE, IssueType::NotSupported, text)
    }

    /// An answer of the upstream server that cannot be judged.
    pub(super) fn unreadable(why: &str) -> Self {
        Self { is_unreadable: true, ..Self::unusable(why) }
    }

    /// An answer of the upstream server that is none to the client.
    fn unusable(why: &str) -> Self {
        let text = format!("the answer of the upstream server cannot be judged: {why}");
        Self::new(StatusCode::BAD_GATEWAY, IssueType::Exception, text)
    }

    /// A bundle whose entries take more requests to the upstream server than are sent for one request.
    pub(super) fn too_many_requests(limit: usize) -> Self {
        let text = format!(
            "the request takes more than {limit} requests to the upstream server: send fewer entries in one bundle"
        );
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, IssueType::TooCostly, text)
    }

    /// Verdicts that depend on more resources than are looked up for one answer.
    pub(super) fn too_many_lookups(limit: usize) -> Self {
        let text = format!(
            "who may see the answer of the upstream server depends on more than {limit} other resources, so that it \
             cannot be judged: request fewer entries with `_count`"
        );
        Self::new(StatusCode::BAD_GATEWAY, IssueType::TooCostly, text)
    }

    /// A look-up that the upstream server has not answered.
    pub(super) fn no_lookup(status: StatusCode) -> Self {
        let text =
            "the upstream server did not return a resource that decides who may see the answer";
        Self::lookup_failed(status, text)
    }

    /// A question for its CapabilityStatement that the upstream server has not answered.
    pub(super) fn no_statement(status: StatusCode) -> Self {
        let text = "the upstream server did not return its CapabilityStatement, which decides who may change what";
        Self::lookup_failed(status, text)
    }

    fn lookup_failed(status: StatusCode, text: &str) -> Self {
        let is_busy =
            matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        let status =
            if is_busy { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_GATEWAY };
        Self::new(status, IssueType::Transient, text)
    }

    pub(super) fn too_large(limit: usize) -> Self {
        let text = format!(
            "the answer of the upstream server has more than {limit} bytes, and cannot be judged: request \
             fewer entries with `_count`"
        );
        let answer = Self::new(StatusCode::BAD_GATEWAY, IssueType::TooCostly, text);
        Self { is_unreadable: true, ..answer }
    }

    pub(super) fn too_many_upstream_entries(limit: usize) -> Self {
        let text = format!(
            "the answer of the upstream server has more than {limit} entries, and cannot be judged: request \
             fewer with `_count`"
        );
        let answer = Self::new(StatusCode::BAD_GATEWAY, IssueType::TooCostly, text);
        Self { is_unreadable: true, ..answer }
    }

    /// An answer that was judged, and would be too large as it goes to the client: addresses that are sealed, or of
    /// this server, are longer than they were.
    pub(super) fn written_too_large(limit: usize) -> Self {
        let text = format!(
            "with the addresses of this server the answer would have more than {limit} bytes: request fewer entries \
             with `_count`"
        );
        Self::new(StatusCode::BAD_GATEWAY, IssueType::TooCostly, text)
    }

    /// Reports whether there was an answer that cannot be judged.
    pub(super) fn is_unreadable(&self) -> bool {
        self.is_unreadable
    }

    /// A refusal by the upstream server, with its status and issue code but without its text. A 401, a redirect or a
    /// success other than 200 becomes a 502.
    pub(super) fn from_upstream(status: StatusCode, body: &[u8]) -> Self {
        let is_refusal = status.is_client_error() || status.is_server_error();
        if status == StatusCode::UNAUTHORIZED || !is_refusal {
            return Self::unusable("it is not an answer for clients of this server");
        }
        let code = IssueType::of_outcome(body).unwrap_or(IssueType::Exception);
        Self::new(status, code, "the upstream server has refused the request")
    }

    /// The refusal of a change by a token that is confined. What it says of another resource, such as one that a
    /// reference names, is not told: it may be hidden.
    pub(super) fn from_upstream_change(status: StatusCode, body: &[u8]) -> Self {
        use IssueType::{Conflict, Deleted, Duplicate, NotFound};
        let refusal = Self::from_upstream(status, body);
        let of_others = [StatusCode::NOT_FOUND, StatusCode::CONFLICT, StatusCode::GONE];
        let are_others = [Conflict, Deleted, Duplicate, NotFound];
        let is_about_others = status.is_client_error()
            && (of_others.contains(&status) || are_others.contains(&refusal.issue_type));
        if is_about_others { Self::conflict() } else { refusal }
    }

    /// Keeps the time after which the upstream server wants to be asked again (RFC 9110 section 10.2.3), where it
    /// refuses for now.
    pub(super) fn with_retry_after(mut self, headers: &HeaderMap) -> Self {
        let mut values = headers.get_all(RETRY_AFTER).iter();
        let is_time = |value: &&HeaderValue| {
            let bytes = value.as_bytes();
            let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b" ,:-+".contains(byte);
            (1..=32).contains(&bytes.len()) && bytes.iter().all(is_plain)
        };
        if let (true, (Some(value), None)) = (self.is_temporary(), (values.next(), values.next())) {
            self.retry_after = Some(value).filter(is_time).cloned();
        }
        self
    }

    fn is_temporary(&self) -> bool {
        matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn outcome(&self) -> OperationOutcome {
        OperationOutcome::new(self.issue_type, &*self.text)
    }

    pub(super) fn code(&self) -> &'static str {
        self.issue_type.code()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn respond(self, request: &Parts) -> Response<Bytes> {
        let format = Format::wanted_by(request);
        let body = OperationOutcome::new(self.issue_type, self.text).to_format(format);
        let mut response = document(self.status, format.media_type(), body.into(), request);
        let soon = || HeaderValue::from_static("1");
        let is_unavailable = self.status == StatusCode::SERVICE_UNAVAILABLE;
        let later = self.retry_after.or_else(|| is_unavailable.then(soon));
        response.headers_mut().extend(later.map(|later| (RETRY_AFTER, later)));
        response
    }
}

/// Makes an uncacheable response, without the body for `HEAD`.
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

/// Makes a 304: no header about content, which would be the 200's (RFC 9110 sections 8.6, 15.4.5).
pub(super) fn not_modified() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Copies the headers that describe a version from the answer of the upstream server.
pub(super) fn copy_version_headers(from: &HeaderMap, to: &mut HeaderMap) {
    for name in [http::header::ETAG, http::header::LAST_MODIFIED] {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_that_is_the_clients_fault_may_be_about_another_resource() {
        let conflict = br#"{"resourceType":"OperationOutcome","issue":[{"code":"conflict"}]}"#;
        for (status, told) in [(409, 409), (422, 409), (500, 500), (503, 503), (401, 502)] {
            let status = StatusCode::from_u16(status).unwrap();
            let refusal = Refusal::from_upstream_change(status, conflict);
            assert_eq!(refusal.status().as_u16(), told, "{status}");
        }
    }

    #[test]
    fn a_time_to_be_asked_again_is_a_short_text_or_none() {
        let (longest, longer) = ("1".repeat(32), "1".repeat(33));
        for (value, is_kept) in [
            ("120", true),
            ("Wed, 21 Oct 2026 07:28:00 GMT", true),
            (longest.as_str(), true),
            (longer.as_str(), false),
            ("", false),
            ("1;x", false),
        ] {
            let headers: HeaderMap = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
            let refusal = Refusal::from_upstream(StatusCode::SERVICE_UNAVAILABLE, b"")
                .with_retry_after(&headers);
            assert_eq!(refusal.retry_after.is_some(), is_kept, "{value}");
        }
    }
}
