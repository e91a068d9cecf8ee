//! From a refusal to a response.

use std::fmt;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method, Response};

use super::{Rejection, grpc};
use crate::fhir::Format;

/// Makes the response to a refused request.
///
/// The layer's own is [`DefaultResponder`], [`ProblemResponder`](super::ProblemResponder) is for APIs
/// that are not FHIR; implement this for bodies of your own.
///
/// ```
/// use bytes::Bytes;
/// use http::{Response, request::Parts};
/// use tower_fhir_auth::rejection::{DefaultResponder, RejectionResponder};
/// use tower_fhir_auth::Rejection;
///
/// /// Plain text instead of OperationOutcome; status and challenge as they should be.
/// #[derive(Debug)]
/// struct Plain;
///
/// impl RejectionResponder for Plain {
///     fn respond(&self, rejection: &Rejection, request: &Parts) -> Response<Bytes> {
///         let mut response = DefaultResponder.respond(rejection, request);
///         let text = http::HeaderValue::from_static("text/plain");
///         response.headers_mut().insert("content-type", text);
///         *response.body_mut() = rejection.description().to_owned().into();
///         response
///     }
/// }
/// ```
pub trait RejectionResponder: fmt::Debug + Send + Sync + 'static {
    /// The response to `request`, which `rejection` refuses.
    fn respond(&self, rejection: &Rejection, request: &Parts) -> Response<Bytes>;
}

/// OperationOutcome in JSON or XML as the client asks; for gRPC a status in the headers.
///
/// ```
/// use bytes::Bytes;
/// use http::{HeaderValue, Response, request::Parts};
/// use tower_fhir_auth::Rejection;
/// use tower_fhir_auth::rejection::{DefaultResponder, RejectionResponder};
///
/// /// Adds to each refusal where people find help.
/// #[derive(Debug)]
/// struct WithHelp;
///
/// impl RejectionResponder for WithHelp {
///     fn respond(&self, rejection: &Rejection, request: &Parts) -> Response<Bytes> {
///         let mut response = DefaultResponder.respond(rejection, request);
///         let link = HeaderValue::from_static("<https://help.example.org/tokens>; rel=\"help\"");
///         response.headers_mut().insert("link", link);
///         response
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "written as a value; it will never have fields")]
pub struct DefaultResponder;

impl RejectionResponder for DefaultResponder {
    fn respond(&self, rejection: &Rejection, request: &Parts) -> Response<Bytes> {
        if grpc::is_grpc(request) {
            return grpc::response(rejection);
        }
        let format = Format::wanted_by(request);
        let body = rejection.outcome().to_format(format);
        answer(rejection, request, format.media_type(), body.into())
    }
}

/// Makes the response to a refused request with this body, which `HEAD` goes without.
pub(super) fn answer(
    rejection: &Rejection,
    request: &Parts,
    content_type: &'static str,
    body: Bytes,
) -> Response<Bytes> {
    let length = body.len();
    let is_head = request.method == Method::HEAD;
    let mut response = Response::new(if is_head { Bytes::new() } else { body });
    *response.status_mut() = rejection.status();
    let headers = response.headers_mut();
    headers.reserve(6);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if is_head {
        // What `GET` would have (RFC 9110 section 8.6).
        headers.insert(CONTENT_LENGTH, length.into());
    }
    for challenge in rejection.challenges().into_iter().flatten() {
        headers.append(WWW_AUTHENTICATE, challenge);
    }
    if let Some(nonce) = rejection.dpop_nonce().and_then(|nonce| HeaderValue::try_from(nonce).ok())
    {
        headers.insert("dpop-nonce", nonce);
    }
    if let Some(pause) = rejection.retry_after() {
        // Only whole seconds can be told (RFC 9110 section 10.2.3), and 0 would invite a retry at once.
        headers.insert(RETRY_AFTER, pause.as_secs().max(1).into());
    }
    response
}
