//! The vocabulary of SMART scopes (SMART App Launch 2.2,
//! <https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html>).
//!
//! ```text
//! patient / Observation . rs ? category=laboratory
//!    │           │         │            └─ Constraint, to be met by each resource
//!    │           │         └────────────── Permissions: create, read, update, delete, search
//!    │           └──────────────────────── a type of R4, or `*`
//!    └──────────────────────────────────── ScopeContext: patient, user or system
//! ```
//!
//! A [`SmartScope`] is parsed in all spellings in use: versions 1 and 2, and that of Microsoft
//! Entra ID, which can have neither `/` nor `*`. [`ScopeKind`] sorts any scope: SMART's own, those
//! of a launch, and those of OpenID Connect, which grant nothing here.
//! [`ScopePolicy`](crate::ScopePolicy) decides by them.

mod constraint;
mod permissions;
mod scope;
mod scope_kind;
mod scope_set;

pub use constraint::Constraint;
pub use permissions::Permissions;
pub(crate) use scope::{Constrained, context_of, intended};
pub use scope::{ScopeContext, SmartScope, SmartScopeError};
pub use scope_kind::ScopeKind;
pub(crate) use scope_set::ScopeSet;
