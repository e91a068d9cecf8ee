//! JSON Object Signing: formats and signatures. No I/O, no clock, no configuration.
//!
//! ```text
//! token ─► compact form ─► header ─► key set (which key?) ─► signature
//!               └─ JSON, strict: no duplicate names, no trailing bytes
//! ```
//!
//! A [`JwkSet`] (RFC 7517) is what an issuer signs with: parse one to trust keys that never change
//! ([`TrustedIssuer::with_keys`](crate::TrustedIssuer::with_keys)), or that come from a
//! [`KeySource`](crate::keys::KeySource) of your own. Each key is bound to the [`Algorithm`]s it
//! fits, and prepared once for all signatures that it will verify; a key that cannot be used costs
//! that key alone ([`JwkSet::left_out`]).

pub(crate) mod algorithm;
pub(crate) mod base64url;
pub(crate) mod compact;
pub(crate) mod digest;
pub(crate) mod header;
pub(crate) mod json;
pub(crate) mod jwk;
pub(crate) mod jwk_set;
pub(crate) mod key_issuer;
#[cfg(feature = "client")]
pub(crate) mod private_key;
pub(crate) mod proof_key;
pub(crate) mod signature;
pub(crate) mod thumbprint;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use compact::CompactJwsError;
pub use json::JsonError;
pub use jwk::JwkError;
pub(crate) use jwk::KeyPolicy;
pub use jwk_set::{JwkSet, JwkSetError, LeftOut};
pub(crate) use key_issuer::ExpectedKeyIssuer;
pub(crate) use thumbprint::Thumbprint;
