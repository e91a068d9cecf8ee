//! A second layer that holds a FHIR server's answers to what was granted, for servers that enforce nothing
//! themselves.
//!
//! [`ConfinedLayer`] is a [`FhirAuthLayer`](crate::FhirAuthLayer) with a [`ConfineLayer`] inside:
//!
//! ```text
//! Request ─► FhirAuth ─► Confine ─► any service that speaks FHIR JSON
//!                           │
//!                 each answer judged with `Access`, entry by entry
//! ```
//!
//! A token that is granted everything on every type passes through untouched. Every other token gets reads,
//! versions, searches, histories and `$everything` of a Patient: what it may not see is taken out of them, and a
//! resource that is hidden looks as if there were none. What cannot be judged never leaves. Interactions that
//! cannot be held to what was granted are refused with 403: changes, bundles, exports and other operations.
//!
//! The server behind is asked for uncompressed JSON, without conditions, and may ignore all that it is asked.

mod answer;
mod bundle;
mod headers;
mod judge;
mod layer;
mod page;
mod query;
mod request_body;
mod seal;
mod service;
mod settings;
mod upstream;
mod view;
mod way;

pub use layer::{ConfineLayer, ConfinedLayer};
pub use request_body::RequestBody;
pub use seal::{SealKey, SealKeyError};
pub use service::{Confine, ConfineFuture};
pub use settings::ConfineSettings;
