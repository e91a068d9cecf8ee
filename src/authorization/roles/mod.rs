//! Roles: what they may do, who has them, and what an interaction takes.
//!
//! ```text
//! definitions (roles.json) ─┐
//! assignments (who has what) ├─► policy ─► the union of a caller's data actions
//! the token's roles ─────────┤      ▲
//! conditions (when they count)┘     │
//! interaction ─► required ──────────┘   the table of Microsoft's FHIR server
//! ```

mod ascii_case;
mod assignments;
mod built_in;
mod condition;
mod data_action;
mod definitions;
mod held;
mod json_object;
mod limits;
mod policy;
mod refusal;
mod required;

pub use self::assignments::{Assignments, CallerId};
pub use self::condition::RoleCondition;
pub use self::data_action::DataAction;
pub use self::definitions::{RoleDefinitions, RoleDefinitionsError};
pub(super) use self::held::RolesMemo;
pub use self::limits::IssuerLimits;
pub use self::policy::RolePolicy;
