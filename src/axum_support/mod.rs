//! Extractors for axum (feature `axum`): a handler asks for its [`Principal`] or [`Access`], or for the
//! [`Claims`] of the token as a type of its own.
//!
//! ```
//! use tower_fhir_auth::Principal;
//!
//! async fn hello(caller: Principal) -> String {
//!     format!("hello, {}", caller.subject().unwrap_or("stranger"))
//! }
//! # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(hello));
//! ```
//!
//! A handler outside the layer gets 500, not 401: no token could help it. `Option<Principal>` is for handlers
//! that also serve without a token: on a path of [`optional`](crate::FhirAuthLayerBuilder::optional) it is the caller,
//! if there is one, and a bad token is refused; on a path of [`public`](crate::FhirAuthLayerBuilder::public) it is
//! always `None`, for no token is looked at. Neither path has an `Access`.
//!
//! `Router::layer` boxes what each layer makes. A layer around the whole router needs no box, and
//! also guards requests that match no route. `axum::serve` takes it by [`into_make_service`]:
//!
//! ```no_run
//! use axum::Router;
//! use tower::Layer;
//! use tower_fhir_auth::FhirAuthLayer;
//! use tower_fhir_auth::axum_support::into_make_service;
//!
//! # async fn serve(auth: FhirAuthLayer, router: Router) -> std::io::Result<()> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! axum::serve(listener, into_make_service(auth.layer(router))).await
//! # }
//! ```

mod claims;
mod serve;

pub use claims::{Claims, ClaimsRejection};
pub use serve::{AxumService, AxumServiceFuture, IntoMakeService, into_make_service};

use std::convert::Infallible;

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;

use crate::authentication::Principal;
use crate::authorization::Access;
use crate::fhir::{Format, IssueType, OperationOutcome};
use crate::middleware::ResponseBody;

/// The handler is not behind a [`FhirAuthLayer`](crate::FhirAuthLayer), or is on one of its public
/// paths.
///
/// ```
/// use axum::response::{IntoResponse, Response};
/// use tower_fhir_auth::Principal;
/// use tower_fhir_auth::axum_support::NotGuarded;
///
/// async fn hello(caller: Result<Principal, NotGuarded>) -> Response {
///     match caller {
///         Ok(caller) => caller.issuer().to_owned().into_response(),
///         // 500: the route was added behind the layer.
///         Err(error) => error.into_response(),
///     }
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(hello));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this handler needs a verified caller, but no authentication layer guards its path")]
#[non_exhaustive]
pub struct NotGuarded;

impl IntoResponse for NotGuarded {
    fn into_response(self) -> Response {
        let outcome = OperationOutcome::new(IssueType::Exception, self.to_string());
        let headers = [(CONTENT_TYPE, Format::Json.media_type()), (CACHE_CONTROL, "no-store")];
        (StatusCode::INTERNAL_SERVER_ERROR, headers, outcome.to_json()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = NotGuarded;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotGuarded> {
        parts.extensions.get().cloned().ok_or(NotGuarded)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Access {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get().cloned())
    }
}

impl<S: Sync> FromRequestParts<S> for Access {
    type Rejection = NotGuarded;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotGuarded> {
        parts.extensions.get().cloned().ok_or(NotGuarded)
    }
}

/// Converts into the body that axum serves, without a box around the inner one.
impl From<ResponseBody<Self>> for Body {
    fn from(body: ResponseBody<Self>) -> Self {
        body.into_inner().unwrap_or_else(Self::from)
    }
}
