//! The vocabulary of FHIR's RESTful API (R4, <https://hl7.org/fhir/R4/http.html>).

pub(crate) mod base_url;
pub(crate) mod compartment;
pub(crate) mod format;
pub(crate) mod interaction;
pub(crate) mod operation_outcome;
pub(crate) mod resource_type;
pub(crate) mod search_parameter;
pub(crate) mod search_reach;

pub use base_url::{BaseUrl, BaseUrlError};
pub use compartment::{
    CompartmentError, PatientCompartment, PatientCompartmentBuilder, ResourceReference,
};
pub use format::Format;
pub(crate) use interaction::is_id;
pub use interaction::{AddressFault, AddressProblem, Interaction, InteractionKind};
pub use operation_outcome::{IssueType, OperationOutcome, REFUSAL_CODES};
pub use resource_type::{ResourceTypeError, ResourceTypes};
