//! Refusals for APIs that are not FHIR: problem details (RFC 9457).

use bytes::Bytes;
use http::Response;
use http::request::Parts;
use serde::Serialize;

use super::responder::{RejectionResponder, answer};
use super::{Disclosure, Rejection, grpc};
use crate::fhir::REFUSAL_CODES;

/// Problem details, `application/problem+json` (RFC 9457), in the place of OperationOutcome: for APIs
/// that are not FHIR. Status, challenge and the other headers are those of
/// [`DefaultResponder`](super::DefaultResponder), and gRPC gets its own status.
///
/// | member | |
/// |---|---|
/// | `type` | an absolute URI for each kind of refusal, as an identifier |
/// | `title` | the kind in words, always the same |
/// | `status` | the HTTP status |
/// | `detail` | the [`description`](Rejection::description) |
/// | `kind` | the name of the [`RejectionKind`](super::RejectionKind) |
/// | `check` | the name of the [`Check`](crate::explanation::Check) that failed, where a token was looked at and the [`Disclosure`] is not minimal |
/// | `scope` | the scopes that would have been enough, separated by spaces, where scopes could |
///
/// ```
/// use tower::ServiceExt;
/// use tower_fhir_auth::jose::JwkSet;
/// use tower_fhir_auth::rejection::ProblemResponder;
/// use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let keys = JwkSet::parse(br#"{"keys": [{"kty": "OKP", "crv": "Ed25519",
/// #     "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#)?;
/// let layer = FhirAuthLayer::builder("https://api.example.org/orders")
///     .issuer(TrustedIssuer::with_keys("https://idp.example.org", keys))
///     .authorizer(authenticated())
///     .responder(ProblemResponder)
///     .build()?;
/// let orders = tower::ServiceBuilder::new()
///     .layer(layer)
///     .service_fn(|_: http::Request<axum::body::Body>| async {
///         Ok::<_, std::convert::Infallible>(http::Response::new(axum::body::Body::empty()))
///     });
///
/// let request = http::Request::get("/orders/1").body(axum::body::Body::empty())?;
/// let response = orders.oneshot(request).await?;
/// assert_eq!(response.status(), 401);
/// assert_eq!(response.headers()["content-type"], "application/problem+json");
/// assert!(response.headers().contains_key("www-authenticate"));
///
/// let body = axum::body::Body::new(response.into_body());
/// let body = axum::body::to_bytes(body, 1024).await?;
/// let problem: serde_json::Value = serde_json::from_slice(&body)?;
/// assert_eq!(problem["kind"], "missing-credentials");
/// assert_eq!(problem["detail"], "no bearer token in the `Authorization` header");
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "written as a value; it will never have fields")]
pub struct ProblemResponder;

#[derive(Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

impl RejectionResponder for ProblemResponder {
    fn respond(&self, rejection: &Rejection, request: &Parts) -> Response<Bytes> {
        if grpc::is_grpc(request) {
            return grpc::response(rejection);
        }
        let (kind, check) = (rejection.kind(), rejection.check());
        let check = check.filter(|_| rejection.disclosure() != Disclosure::Minimal);
        let problem = Problem {
            r#type: format!("{REFUSAL_CODES}#{}", kind.name()),
            title: kind.title(),
            status: rejection.status().as_u16(),
            detail: rejection.description(),
            kind: kind.name(),
            check: check.map(|check| check.name()),
            scope: rejection.required_scope(),
        };
        // Strings and a number: that cannot fail.
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        answer(rejection, request, "application/problem+json", body.into())
    }
}
