//! The Tower layers and services: they know requests and responses, and nothing of tokens.
//!
//! A request reaches the inner service if
//!
//! 1. it is for a public path, or a CORS preflight: its token is not looked at; or
//! 2. it has no token, on a path where that is optional; or
//! 3. its token passes every check of the [`Authenticator`](crate::Authenticator), and the
//!    [`Authorizer`](crate::Authorizer) grants the FHIR interaction that its method and address are, which is not
//!    asked where a token is optional.
//!
//! The layer answers its well-known documents itself, and everything else is refused: an address too long to be judged,
//! too. Outside the base URL [`OutsideBase::PassOn`] passes requests on as if the layer were not there.
//!
//! [`FhirAuthLayer`] makes a [`FhirAuth`] of any `Service<http::Request<B>>` that is `Clone`.
//! [`RequireAuthLayer`] stands inside, on single routes, and can only narrow what the outer one has
//! granted. [`FhirBasesLayer`] guards many FHIR bases of one process, each by a layer of its own.
//! The body of their responses, [`ResponseBody`], is the inner service's or a refusal's.
//!
//! The body of a request is not read. A refusal of one that has a body says `Connection: close` over
//! HTTP/1, where the next request could not be told from the rest of that body.
//!
//! # Deployment
//!
//! TLS ends before the layer, in the same process or at a proxy: it reads tokens from what arrives, and never asks how
//! that came. Layers that only look, such as request ids and traces, CORS and compression stand outside, so that they see
//! refusals; limits of bodies and whatever reads a body stand inside, so that nobody reads for strangers. Keys are loaded
//! in the background: a server is ready when [`FhirAuthLayer::ready`] resolves. The order among other layers is
//! [`manual::composition`](crate::manual::composition), what a proxy has to do [`manual::proxies`](crate::manual::proxies).
//!
//! ```
//! use http::{Request, Response};
//! use tower::{Layer, service_fn};
//! use tower_fhir_auth::middleware::{RequireAuth, RequireAuthLayer};
//! use tower_fhir_auth::{FhirAuth, FhirAuthLayer, require_role};
//!
//! # fn guard(auth: FhirAuthLayer) {
//! let orders = service_fn(|_: Request<String>| async {
//!     Ok::<_, std::convert::Infallible>(Response::new("[]".to_owned()))
//! });
//! // The layer that authenticates stands outside, whatever narrows it within.
//! let admins_only: RequireAuthLayer = auth.require(require_role("admin"));
//! let guarded: FhirAuth<RequireAuth<_>> = auth.layer(admins_only.layer(orders));
//! # }
//! ```

mod active_gate;
mod admission;
mod admitted_caller;
mod audit;
mod bases;
mod body;
mod builder;
mod caller_span;
mod future;
mod gate;
mod inner;
mod layer;
mod layer_parts;
mod loggable;
mod open_paths;
pub(crate) mod paths;
mod readiness;
mod replacement;
#[cfg(feature = "tracing")]
mod request_span;
mod require;
mod sender;
mod service;
mod unread_body;

#[cfg(feature = "confine")]
pub(crate) use active_gate::ActiveGate;
pub use bases::{FhirBases, FhirBasesLayer};
pub use body::{PassedBody, ResponseBody};
pub use builder::FhirAuthLayerBuilder;
pub use future::ResponseFuture;
pub use inner::InnerService;
pub use layer::FhirAuthLayer;
#[cfg(feature = "confine")]
pub(crate) use layer_parts::{InnerSettings, LayerParts};
pub use paths::OutsideBase;
#[cfg(feature = "tracing")]
pub use request_span::{SPAN_FIELDS, request_span};
pub use require::{RequireAuth, RequireAuthLayer};
pub use service::FhirAuth;
#[cfg(feature = "confine")]
pub(crate) use service::release_readiness;
#[cfg(feature = "confine")]
pub(crate) use unread_body::announce_close;
