//! The fields of the span around the layer, filled from its decision, if the feature `tracing` is on.

#[cfg(feature = "tracing")]
pub(super) use super::request_span::{let_in, open, refused};

#[cfg(not(feature = "tracing"))]
pub(super) use off::{let_in, open, refused};

#[cfg(not(feature = "tracing"))]
mod off {
    use http::Extensions;

    use crate::fhir::Interaction;
    use crate::rejection::Rejection;

    pub(crate) fn let_in(_: &Extensions) {}
    pub(crate) fn open() {}
    pub(crate) fn refused(_: &Rejection, _: impl FnOnce() -> Interaction) {}
}
