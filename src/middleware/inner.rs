//! The bounds of a guarded service.

/// Every service that a layer of this crate can stand around: one that is `Clone`. When a request
/// is refused or waits for a key, the clone that was made ready for it is given back.
///
/// It is implemented for all of these, and only tells the compiler what to say of others.
///
/// ```
/// use tower::Layer;
/// use tower_fhir_auth::middleware::InnerService;
/// use tower_fhir_auth::{FhirAuth, FhirAuthLayer};
///
/// fn guarded<S: InnerService>(auth: &FhirAuthLayer, service: S) -> FhirAuth<S> {
///     auth.layer(service)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not `Clone`, so that no layer of `tower_fhir_auth` can stand around it",
    label = "this service has to be `Clone`",
    note = "derive `Clone`, or put a `tower::buffer::Buffer` around the service"
)]
pub trait InnerService: Clone {}

#[diagnostic::do_not_recommend]
impl<S: Clone> InnerService for S {}
