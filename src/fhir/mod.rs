//! The vocabulary of FHIR's RESTful API (R4, <https://hl7.org/fhir/R4/http.html>).

pub(crate) mod base_url;
pub(crate) mod compartment;
pub(crate) mod constraint;
pub(crate) mod format;
pub(crate) mod interaction;
pub(crate) mod launch;
pub(crate) mod operation_outcome;
pub(crate) mod permissions;
pub(crate) mod query;
pub(crate) mod resource_type;
pub(crate) mod scope;
pub(crate) mod scope_set;
pub(crate) mod search_parameter;

pub use base_url::{BaseUrl, BaseUrlError};
pub use compartment::{
    CompartmentError, PatientCompartment, PatientCompartmentBuilder, ResourceReference,
};
pub use constraint::Constraint;
pub use format::Format;
pub(crate) use interaction::is_id;
pub use interaction::{Interaction, InteractionKind};
pub use launch::ScopeKind;
pub use operation_outcome::{IssueType, OperationOutcome, REFUSAL_CODES};
pub use permissions::Permissions;
pub use scope::{ScopeContext, SmartScope, SmartScopeError};
pub(crate) use scope_set::ScopeSet;
