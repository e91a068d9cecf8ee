//! The vocabulary of SMART scopes (SMART App Launch 2.2,
//! <https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html>).

mod constraint;
mod permissions;
mod scope;
mod scope_kind;
mod scope_set;

pub use constraint::Constraint;
pub use permissions::Permissions;
pub(crate) use scope::context_of;
pub use scope::{ScopeContext, SmartScope, SmartScopeError};
pub use scope_kind::ScopeKind;
pub(crate) use scope_set::ScopeSet;
