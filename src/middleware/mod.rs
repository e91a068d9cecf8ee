//! The Tower skin: knows requests, responses and services, and nothing of tokens.

mod body;
mod future;
mod gate;
mod layer;
pub(crate) mod public;
mod require;
mod service;

pub use body::ResponseBody;
pub use future::ResponseFuture;
pub use layer::{FhirAuthLayer, FhirAuthLayerBuilder};
pub use require::{RequireAuth, RequireAuthLayer};
pub use service::FhirAuth;
