//! Makes any `Service<http::Request<B>>` an OAuth 2.0 / OpenID Connect *resource server* that
//! understands FHIR: it verifies the access token, decides whether the interaction is granted, hands
//! the handler a [`Principal`], and gives a reason for every refusal.
//!
//! # How a request is decided
//!
//! ```text
//! Request ─► bearer ─► JWS ─► header ─► issuer ─► alg, typ ─► key ─► signature ─► kind ─┐
//!            400/401   401    401       401       401         401/503   401       401   │
//!    ┌──────────────────────────────────────────────────────────────────────────────────┘
//!    └► aud ─► claims ─► interaction ─► authorize ─► Principal + Access ─► inner service
//!       401    401                      403          in the extensions
//! ```
//!
//! Each stage up to `claims` is one call in the [`Authenticator`]. They are made in this order, and the first that fails
//! is the one reported ([`Check`](explanation::Check)). A token that was verified before is recognised
//! after the first stage. Keys come the other way: discovery, fetch, parse, swap. A request never
//! fetches: it reads the keys as they are, and where it names one that is unknown it may wait, once
//! and briefly, for the background refresh that it asked for: see [the life of keys](manual::keys).
//!
//! # Quick start
//!
//! With the feature `axum`, handlers ask for their [`Principal`]; see `axum_support`.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use tower_fhir_auth::{FhirAuthLayer, Principal, ScopePolicy, TrustedIssuer};
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let auth = FhirAuthLayer::builder("https://fhir.example.org/r4")
//!     .issuer(TrustedIssuer::discover("https://idp.example.org/realms/fhir"))
//!     .authorizer(ScopePolicy::new())
//!     .build()?;
//!
//! let app = Router::new()
//!     .route("/r4/Patient/{id}", get(|caller: Principal| async move {
//!         format!("read by {}", caller.subject().unwrap_or("?"))
//!     }))
//!     .layer(auth);
//! # axum::serve(tokio::net::TcpListener::bind("127.0.0.1:8080").await?, app).await?;
//! # Ok(()) }
//! ```
//!
//! # Who may do what
//!
//! An [`Authorizer`] grants or denies, on a verified [`Principal`] and an [`Interaction`]:
//! [`RolePolicy`] by Microsoft's `roles.json`, [`ScopePolicy`] by SMART scopes, [`AccessPolicy`] by
//! both. For an API that is not FHIR there are plain requirements, such as
//! `require_role("admin").or(require_scope("orders.read"))`; [`FhirAuthLayer::require`] narrows a
//! single route by one. [Authorizers](manual::authorizers) has routes of both kinds in one server.
//! A request that no authorizer grants is refused, and `build` fails without one. The module [`authorization`] lists all.
//!
//! The layer sees addresses, and neither bodies nor resources. What only a handler can enforce
//! (the compartment of a patient, the constraint of a scope, the entries of a bundle) is in its
//! [`Access`]; a grant that needs this is a refusal unless the application has declared, as
//! [`Enforcement`], that its handlers enforce it.
//!
//! # Refusals
//!
//! A refused request gets status, `WWW-Authenticate` (RFC 6750, RFC 9728) and an OperationOutcome
//! in JSON or XML, a gRPC status where it is gRPC, or problem details (RFC 9457)
//! ([`ProblemResponder`](rejection::ProblemResponder)). The text names the check, and for issuer,
//! audience, times and algorithm both sides; how much is told is a setting
//! ([`Disclosure`](rejection::Disclosure)). The [`Rejection`] is in the response's extensions. [`FhirAuthLayer::explain`] keeps every check
//! of a request and says what to change on which side; the manual has
//! [ten mistakes](manual::mistakes) with their answers.
//!
//! # What it costs
//!
//! A token is verified once and then recognised by its bytes, until `exp` or a change of its issuer's
//! keys: [what it costs](manual::costs), and what is cached.
//!
//! # Features
//!
//! | feature | default? | what it adds |
//! |---|---|---|
//! | `client` | yes | keys over HTTPS: discovery, `jwks_uri` (reqwest, rustls) |
//! | `jsonwebtoken` | no | a [`JwkSet`](jose::JwkSet) can be made of one of the crate `jsonwebtoken` |
//! | `tracing` | yes | events for operators; refusals under the target `tower_fhir_auth::rejection` |
//! | `config` | no | the configuration file, `config::Config` |
//! | `confine` | no | `confine::ConfinedLayer`, which takes what was not granted out of the answers of a server that enforces nothing |
//! | `axum` | no | extractors for [`Principal`] and [`Access`], and the body that axum serves |
//! | `metrics` | no | counters, durations and gauges through the `metrics` facade |
//! | `test-util` | no | a loopback issuer, token builder and clock for your tests |
//!
//! No feature changes a default or weakens a check.
//!
//! The manual has [the order among other layers](manual::composition), [tests of your own](manual::testing), and
//! [all names of metrics, events and span fields](manual::observability).

#![cfg_attr(tower_fhir_auth_docsrs, feature(doc_cfg))]

/// The README's code compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// A glob import of the crate leaves the crate `axum` within reach.
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_fhir_auth::*;
///
/// let hello = get(|caller: Principal| async move { format!("hello, {}", caller.issuer()) });
/// let _: Router = Router::new().route("/", hello);
/// ```
#[cfg(doctest)]
struct GlobImport;

pub mod manual;

// Folders may use what stands below them in this list; tests/architecture holds that.
#[cfg(feature = "test-util")]
pub mod test_util;

#[cfg(feature = "config")]
pub mod config;

#[cfg(test)]
mod conformance;

// Not `axum`, which a glob import of this crate would put before the crate of that name.
#[cfg(feature = "axum")]
pub mod axum_support;

#[cfg(feature = "confine")]
#[cfg_attr(tower_fhir_auth_docsrs, doc(cfg(feature = "confine")))]
pub mod confine;

pub mod middleware;

pub mod rejection;

pub mod authorization;
pub mod danger;
pub mod metadata;

pub mod authentication;

pub mod keys;

mod background_task;
mod display_safe;
mod error;
pub mod explanation;
pub mod fhir;
mod hot_swap;
pub mod jose;
mod seal;
mod secure_url;
pub mod smart;
mod span;
pub mod telemetry;
mod time;
mod watched_file;

// The names of the paved path. All others are in the module they belong to, where these are, too.
#[doc(inline)]
pub use authentication::{AudiencePolicy, Authenticator, Entra, Principal, TrustedIssuer};
#[doc(inline)]
pub use authorization::{
    Access, AccessMode, AccessPolicy, AccessRequest, Authorizer, Denial, Enforcement, Grant,
    RoleDefinitions, RolePolicy, ScopePolicy, Visibility, authenticated, authorize_fn,
    require_any_role, require_any_scope, require_role, require_scope,
};
pub use error::{BuildError, ErrorCause};
#[doc(inline)]
pub use fhir::{Interaction, InteractionKind};
#[doc(inline)]
pub use middleware::{FhirAuth, FhirAuthLayer, FhirAuthLayerBuilder};
#[doc(inline)]
pub use rejection::{Rejection, RejectionKind};
