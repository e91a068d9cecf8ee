//! The vocabulary of FHIR's RESTful API (R4, <https://hl7.org/fhir/R4/http.html>).

pub(crate) mod base_url;
pub(crate) mod format;
pub(crate) mod interaction;
pub(crate) mod operation_outcome;
pub(crate) mod permissions;
pub(crate) mod resource_type;
pub(crate) mod scope;

pub use base_url::{BaseUrl, BaseUrlError};
pub use format::Format;
pub use interaction::{Interaction, InteractionKind};
pub use operation_outcome::{IssueType, OperationOutcome};
pub use permissions::Permissions;
pub use scope::{ScopeContext, SmartScope, SmartScopeError};
