//! An authorizer made of a function.

use std::fmt;

use super::access_request::AccessRequest;
use super::authorizer::Authorizer;
use super::denial::Denial;
use super::grant::Grant;

/// An authorizer that is a function. Made by [`authorize_fn`].
///
/// ```
/// use tower_fhir_auth::authorization::AuthorizeFn;
/// use tower_fhir_auth::{AccessRequest, Denial, Grant, authorize_fn};
///
/// fn nobody(_: &AccessRequest<'_>) -> Result<Grant, Denial> {
///     Err(Denial::new("this server is closed"))
/// }
///
/// let closed: AuthorizeFn<_> = authorize_fn(nobody);
/// ```
#[derive(Clone, Copy)]
pub struct AuthorizeFn<F>(F);

/// Makes an authorizer of a function.
///
/// ```
/// use tower_fhir_auth::{Denial, Grant, authorize_fn};
///
/// let staff_only = authorize_fn(|request| match request.principal().claim::<bool>("staff") {
///     Ok(Some(true)) => Ok(Grant::by("staff")),
///     _ => Err(Denial::new("only staff")),
/// });
/// ```
pub fn authorize_fn<F>(function: F) -> AuthorizeFn<F>
where
    F: Fn(&AccessRequest<'_>) -> Result<Grant, Denial> + Send + Sync + 'static,
{
    AuthorizeFn(function)
}

impl<F> Authorizer for AuthorizeFn<F>
where
    F: Fn(&AccessRequest<'_>) -> Result<Grant, Denial> + Send + Sync + 'static,
{
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        (self.0)(request)
    }
}

impl<F> fmt::Debug for AuthorizeFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthorizeFn")
    }
}
