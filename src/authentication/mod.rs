//! Authentication ("who is it?"): from an `Authorization` header to a [`Principal`].
//!
//! An [`Authenticator`] trusts issuers and knows nothing of what callers may do. The
//! [`FhirAuthLayer`](crate::FhirAuthLayer) has one inside; use it by itself where a token comes
//! with something that is not a request to an HTTP service, such as a message or a WebSocket.
//!
//! ```text
//! headers ─► Authenticator ─► Principal: issuer, subject, client, roles, scopes, patient
//!              │     ▲  │
//!              │     │  └───► AuthenticationError: missing, malformed, refused, keys unavailable
//!              ▼     │
//!         TrustedIssuer, Entra: name, keys, audiences, algorithms, claims
//! ```
//!
//! Where a token says nothing by itself, or may have been withdrawn, its provider is asked: see
//! `Introspection`.
//!
//! Every issuer has rules of its own: [`TrustedIssuer`] has a setter for each, and its constructor
//! says where the keys come from. [`Entra`] makes the issuers of Microsoft Entra ID, both versions
//! of each tenant, whose tokens have requirements beyond the standards. Times are read from a
//! [`Clock`].
//!
//! A [`Principal`] is made here and nowhere else, so that a function which takes one can rely on a
//! verified token. Of what a token holds it has the parts that decisions are made of, as types;
//! any other claim is read by [`Principal::claim`].

// `authenticator` is the one place where the pipeline is written; each of its lines is a call into
// the file of that name.

pub(crate) mod accepted_schemes;
pub(crate) mod advertisement;
pub(crate) mod audience;
pub(crate) mod authenticator;
pub(crate) mod bearer;
mod builder;
mod cache;
mod certificate;
mod claim_error;
mod claim_strings;
pub(crate) mod claims;
mod client;
mod confirmation;
mod context;
mod dpop;
pub(crate) mod entra;
pub(crate) mod error;
#[cfg(feature = "client")]
mod introspected;
#[cfg(feature = "client")]
pub(crate) mod introspection;
pub(crate) mod issuer;
mod issuer_in_use;
mod issuers;
mod key_selection;
mod possession;
mod principal;
mod purpose_of_use;
pub(crate) mod request;
pub(crate) mod roles_claim;
mod sender_constraint;
pub(crate) mod sign_in;
pub(crate) mod string_claim;
mod token_kind;
mod unreached;
pub(crate) mod validation;
mod validity;
pub(crate) mod wait;

pub use audience::AudiencePolicy;
pub use authenticator::Authenticator;
pub use builder::AuthenticatorBuilder;
#[cfg(all(test, feature = "config"))]
pub(crate) use cache::DEFAULT_TOKENS;
pub use certificate::{
    CertificateFormat, CertificateHeader, ClientCertificate, MutualTls, PeerAddress,
};
pub use claim_error::ClaimError;
pub use context::Actor;
pub use dpop::Dpop;
#[cfg(feature = "client")]
pub use entra::EntraCustomers;
pub use entra::{CallerKind, Entra, EntraCloud};
pub use error::AuthenticationError;
#[cfg(feature = "client")]
pub use introspection::{Introspection, IntrospectionClient};
pub use issuer::TrustedIssuer;
pub use principal::Principal;
pub use purpose_of_use::PurposeOfUse;
pub use sender_constraint::SenderConstraint;

pub use crate::seal::{SealKey, SealKeyError};
pub use crate::time::{Clock, SystemClock, UnixTime};
