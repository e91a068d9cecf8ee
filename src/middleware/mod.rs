//! The Tower skin: knows requests, responses and services, and nothing of tokens.

mod body;
mod future;
mod gate;
mod layer;
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "only events are made with it"))]
mod loggable;
pub(crate) mod paths;
mod require;
mod service;

pub use body::ResponseBody;
pub use future::ResponseFuture;
pub use layer::{FhirAuthLayer, FhirAuthLayerBuilder};
pub use paths::OutsideBase;
pub use require::{RequireAuth, RequireAuthLayer};
pub use service::FhirAuth;
