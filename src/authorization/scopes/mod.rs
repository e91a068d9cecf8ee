//! SMART scopes: what an interaction takes of them, and which of a token's count.
//!
//! ```text
//! interaction and query ─► need: letters, on types ─┐
//! the token's scopes ────► judge: which count ──────┴─► policy ─► grant, or what is missing
//!                            ▲
//! patient, fhirUser ─────► patient
//! ```

mod judge;
mod need;
mod patient;
mod policy;

pub use self::policy::ScopePolicy;
