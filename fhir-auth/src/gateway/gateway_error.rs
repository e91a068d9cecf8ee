//! Requests that the upstream server has not answered, and what their clients are told.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use tower_fhir_auth::fhir::{Format, IssueType, OperationOutcome};

use crate::caller_headers::TooLong;

/// The reason for which there is no answer of the upstream server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GatewayError {
    /// Too much is held of other answers.
    Busy,
    /// The address is none of the upstream server.
    Elsewhere,
    /// The body of a search is too long.
    LongForm,
    /// A header about the caller is too long.
    LongHeader,
    /// It cannot be connected to, or has broken off.
    OutOfReach,
    /// Too much is held for this request alone.
    OverShare,
    /// A Provenance in a header, which nobody has judged.
    Provenance,
    /// It wants other credentials, sends its clients elsewhere, or speaks of the connection.
    NotForClients,
    /// It has not answered in time.
    TooLate,
    /// The client has stopped in the middle of its request.
    Unsent,
}

/// The properties of a request that an answer of the gateway itself depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    format: Format,
    is_head: bool,
}

impl Asked {
    pub(super) fn of(request: &Parts) -> Self {
        Self { format: Format::wanted_by(request), is_head: request.method == Method::HEAD }
    }
}

impl From<TooLong> for GatewayError {
    fn from(TooLong: TooLong) -> Self {
        Self::LongHeader
    }
}

impl GatewayError {
    fn parts(self) -> (StatusCode, IssueType, &'static str) {
        use IssueType::{Exception, Forbidden, NotFound, Transient};
        match self {
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                Transient,
                "too many answers are being inspected at the moment",
            ),
            Self::Elsewhere => {
                (StatusCode::NOT_FOUND, NotFound, "there is nothing at this address")
            }
            Self::LongForm => (
                StatusCode::PAYLOAD_TOO_LARGE,
                IssueType::TooLong,
                "the body of the search has more than 64 KiB",
            ),
            Self::LongHeader => (StatusCode::FORBIDDEN, Forbidden, TooLong::TEXT),
            Self::OutOfReach => {
                (StatusCode::BAD_GATEWAY, Transient, "the upstream server is out of reach")
            }
            Self::OverShare => (
                StatusCode::BAD_GATEWAY,
                IssueType::TooCostly,
                "this request would need more buffered bytes than one request may take: ask for fewer \
                 entries, or send fewer",
            ),
            Self::Provenance => (
                StatusCode::FORBIDDEN,
                Forbidden,
                "`X-Provenance` needs the right to create Provenance, of all patients and without a constraint",
            ),
            Self::NotForClients => (
                StatusCode::BAD_GATEWAY,
                Exception,
                "the answer of the upstream server is not for clients of this server",
            ),
            Self::TooLate => (
                StatusCode::GATEWAY_TIMEOUT,
                Transient,
                "the upstream server has not answered in time",
            ),
            Self::Unsent => {
                (StatusCode::REQUEST_TIMEOUT, Transient, "the request body did not arrive in time")
            }
        }
    }

    /// Makes the response for a client.
    pub(super) fn respond(self, asked: Asked) -> Response<Bytes> {
        let (status, issue_type, text) = self.parts();
        let body: Bytes = OperationOutcome::new(issue_type, text).to_format(asked.format).into();
        let length = HeaderValue::from(body.len());
        let mut response = Response::new(if asked.is_head { Bytes::new() } else { body });
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(asked.format.media_type()));
        headers.insert(CONTENT_LENGTH, length);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if matches!(self, Self::Busy | Self::OutOfReach) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
