//! Authentication ("who is it?"): from the bytes of a header to a [`Principal`].
//!
//! [`authenticator`] is the one place where the pipeline is written; each of its lines is a call
//! into the file of that name.

pub(crate) mod advertisement;
pub(crate) mod audience;
pub(crate) mod authenticator;
pub(crate) mod bearer;
mod builder;
mod cache;
mod claim_strings;
pub(crate) mod claims;
mod client;
pub(crate) mod entra;
pub(crate) mod error;
pub(crate) mod issuer;
mod issuers;
mod key_selection;
pub(crate) mod principal;
pub(crate) mod roles_claim;
mod token_kind;
pub(crate) mod validation;
mod validity;

pub use audience::AudiencePolicy;
pub use authenticator::Authenticator;
pub use builder::AuthenticatorBuilder;
pub use entra::{Entra, EntraCloud};
pub use error::AuthenticationError;
pub use issuer::TrustedIssuer;
pub use principal::{CallerKind, ClaimError, Principal};
