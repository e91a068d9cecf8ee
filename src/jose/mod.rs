//! JSON Object Signing: formats and signatures. No I/O, no clock, no configuration.
//!
//! ```text
//!  token ─► compact ─► header ─► jwk_set (which key?) ─► signature
//!              └─ json (strict)
//! ```

pub(crate) mod algorithm;
pub(crate) mod base64url;
pub(crate) mod compact;
pub(crate) mod header;
pub(crate) mod json;
pub(crate) mod jwk;
pub(crate) mod jwk_set;
pub(crate) mod key_issuer;
pub(crate) mod signature;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use jwk::JwkError;
pub(crate) use jwk::KeyPolicy;
pub use jwk_set::{JwkSet, JwkSetError, LeftOut};
pub(crate) use key_issuer::ExpectedKeyIssuer;
