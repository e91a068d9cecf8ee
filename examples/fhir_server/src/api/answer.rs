//! Answers of the API, and its refusals.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::rejection::BytesRejection;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tower_fhir_auth::Denial;
use tower_fhir_auth::fhir::{Format, IssueType, OperationOutcome};

use crate::confine::Forbidden;
use crate::store::Version;

/// A response, also within a bundle.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) resource: Option<Arc<Value>>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    pub(crate) location: Option<String>,
    /// A document that is no resource: its media type and its text.
    pub(crate) other: Option<(&'static str, String)>,
    pub(crate) headers: Vec<(HeaderName, String)>,
}

/// The reason why there is no answer.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// The caller's rights do not reach it; refused as the layer refuses.
    Denied(Box<Denial>),
    /// Anything else.
    Fault(Fault),
}

#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) status: StatusCode,
    pub(crate) outcome: OperationOutcome,
}

impl Answer {
    pub(crate) fn status(status: StatusCode) -> Self {
        Self {
            status,
            resource: None,
            etag: None,
            last_modified: None,
            location: None,
            other: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn resource(status: StatusCode, resource: impl Into<Arc<Value>>) -> Self {
        Self { resource: Some(resource.into()), ..Self::status(status) }
    }

    /// A version, with the headers that describe it.
    pub(crate) fn version(status: StatusCode, version: &Version) -> Self {
        Self {
            resource: version.resource.clone(),
            etag: Some(format!("W/\"{}\"", version.version)),
            last_modified: Some(version.at.clone()),
            ..Self::status(status)
        }
    }
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: IssueType, text: impl Into<String>) -> Self {
        Self::Fault(Fault { status, outcome: OperationOutcome::new(code, text) })
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, IssueType::Invalid, text)
    }

    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, IssueType::NotFound, text)
    }

    /// Not found: a resource that exists looks the same as one that does not to those who may not see it.
    pub(crate) fn no_such_resource() -> Self {
        Self::not_found("there is no such resource")
    }

    pub(crate) fn no_such_type() -> Self {
        Self::not_supported("this server does not have the resource type")
    }

    pub(crate) fn not_supported(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, IssueType::NotSupported, text)
    }

    pub(crate) fn gone() -> Self {
        Self::new(StatusCode::GONE, IssueType::Deleted, "the resource has been deleted")
    }

    pub(crate) fn precondition(text: impl Into<String>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, IssueType::Conflict, text)
    }

    /// `If-Match` names another version than the one that is there, or there is none.
    pub(crate) fn changed() -> Self {
        Self::precondition("the resource has changed since")
    }

    /// A change that would put a resource where the caller's rights do not reach.
    pub(crate) fn outside() -> Self {
        let text = "the resource would lie outside of what the token is confined to";
        Self::Denied(Box::new(Denial::new(text)))
    }
}

impl Fault {
    /// A denial where there is no layer that would put it into words.
    pub(crate) fn denied(denial: &Denial) -> Self {
        let outcome = OperationOutcome::new(IssueType::Forbidden, denial.summary());
        Self { status: StatusCode::FORBIDDEN, outcome }
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        Self::Denied(Box::new(denial))
    }
}

impl From<Forbidden> for Refusal {
    fn from(forbidden: Forbidden) -> Self {
        match forbidden {
            Forbidden::Denied(denial) => denial.into(),
            Forbidden::Hidden => Self::no_such_resource(),
        }
    }
}

impl From<BytesRejection> for Refusal {
    fn from(rejection: BytesRejection) -> Self {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => IssueType::TooLong,
            _ => IssueType::Invalid,
        };
        Self::new(rejection.status(), code, rejection.body_text())
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        if let Some(resource) = &self.resource {
            response = Response::new(Body::from(resource.to_string()));
        } else if let Some((_, text)) = &self.other {
            response = Response::new(Body::from(text.clone()));
        }
        *response.status_mut() = self.status;
        let resource_type = self.resource.map(|_| Format::Json.media_type());
        let media_type =
            resource_type.or_else(|| self.other.as_ref().map(|(media_type, _)| *media_type));
        let last_modified = self.last_modified.as_deref().and_then(http_date);
        let described = [
            (CONTENT_TYPE, media_type.map(str::to_owned)),
            (ETAG, self.etag),
            (LAST_MODIFIED, last_modified),
            (LOCATION, self.location),
            // The next user of a browser must not find what the last one has read.
            (CACHE_CONTROL, Some("no-store".to_owned())),
        ];
        let described = described.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (name, value) in described.chain(self.headers) {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

impl Answer {
    /// Reports whether what it shows has not changed since a date.
    pub(crate) fn is_as_at(&self, date: &str) -> bool {
        let read = |date: &str| httpdate::parse_http_date(date).ok();
        let modified = self.last_modified.as_deref().and_then(http_date);
        match (read(date), modified.as_deref().and_then(read)) {
            (Some(date), Some(modified)) => modified <= date,
            (None, _) | (_, None) => false,
        }
    }
}

fn http_date(instant: &str) -> Option<String> {
    humantime::parse_rfc3339(instant).ok().map(httpdate::fmt_http_date)
}

impl IntoResponse for Refusal {
    /// The body is written by [`in_the_format_asked_for`], which knows the request.
    fn into_response(self) -> Response {
        let Fault { status, outcome } = match self {
            Self::Fault(fault) => fault,
            Self::Denied(denial) => Fault::denied(&denial),
        };
        (status, Extension(outcome)).into_response()
    }
}

pub(crate) async fn in_the_format_asked_for(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let format = Format::wanted_by(&parts);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    let Some(outcome) = response.extensions_mut().remove::<OperationOutcome>() else {
        return response;
    };
    let headers = [(CONTENT_TYPE, format.media_type()), (CACHE_CONTROL, "no-store")];
    (response.status(), headers, outcome.to_format(format)).into_response()
}
