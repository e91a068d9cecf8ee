//! SMART scopes: the permissions that an interaction requires, and the scopes of a token that count
//! towards them.
//!
//! ```text
//! interaction, query ─► requirement: permissions, on types ─┐
//! scopes of the token ─► evaluator: which of them apply ────┴─► policy ─► grant, or what is missing
//!                          ▲
//! patient, fhirUser ─► context: whom each kind of scope confines to
//! ```

mod caller;
mod context;
mod evaluator;
mod inapplicable;
mod no_patient;
mod policy;
mod required_permission;
mod requirement;
mod sufficient;

pub(super) use self::caller::CallerScopes;
pub use self::policy::ScopePolicy;
pub(super) use self::policy::of_caller;
pub(super) use self::required_permission::requires;
