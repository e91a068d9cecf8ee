//! The vocabulary of FHIR's RESTful API (R4, <https://hl7.org/fhir/R4/http.html>).
//!
//! - [`Interaction`]: what a request asks for, read from method, path, query and headers alone,
//!   with one spelling of each and no other. It is what an
//!   [`Authorizer`](crate::Authorizer) decides on.
//! - [`BaseUrl`]: the URL by which clients address the API. Interactions are below its path, and
//!   references to resources of this server begin with it.
//! - [`PatientCompartment`]: the rules by which a resource belongs to a patient: R4's, generated
//!   from the official definitions, with what a deployment changes of them.
//! - [`search`]: the search parameters of R4, and whether a resource matches one.
//! - [`OperationOutcome`]: the body of a refusal, in the [`Format`] that the client accepts, with
//!   codes that are stable ([`REFUSAL_CODES`]). Handlers can make their own refusals look alike.

pub(crate) mod base_url;
pub(crate) mod compartment;
pub(crate) mod format;
pub(crate) mod interaction;
pub(crate) mod operation_outcome;
pub(crate) mod path_reading;
pub(crate) mod resource_type;
pub mod search;
pub(crate) mod search_reach;

pub use base_url::{BaseUrl, BaseUrlError};
pub use compartment::{
    CompartmentError, PatientCompartment, PatientCompartmentBuilder, ResourceReference,
};
pub use format::Format;
pub(crate) use interaction::is_id;
pub use interaction::{AddressFault, AddressProblem, Interaction, InteractionKind};
pub use operation_outcome::{IssueType, OperationOutcome, REFUSAL_CODES};
pub use path_reading::is_unambiguous_path;
pub use resource_type::{ResourceTypeError, ResourceTypes};
