//! Proofs of possession: DPoP (RFC 9449).
//!
//! ```text
//! Authorization: DPoP <token>   DPoP: <proof>
//!                                      │
//!   proof: shape, header, key, signature, claims ─► nonce ─► cnf.jkt ─► replay: not seen before
//! ```

mod known_keys;
mod nonce;
mod proof;
mod replay;
mod settings;
mod target;

pub(super) use self::known_keys::KnownKeys;
pub(crate) use self::nonce::Nonces;
pub(crate) use self::proof::{ProofContext, check};
pub(crate) use self::replay::{ReplayCache, Unremembered};
pub use self::settings::Dpop;
