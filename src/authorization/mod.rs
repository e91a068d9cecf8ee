//! May they? From a [`Principal`](crate::Principal) and an [`Interaction`](crate::Interaction)
//! to an [`Access`], or a [`Denial`].
//!
//! An [`Authorizer`] sees verified facts alone. It has to grant: what no authorizer grants is
//! refused. [`roles`] and [`scopes`] are the two for FHIR, [`mode`] puts them together, and
//! [`access`] is what the handler gets.

mod access;
mod alternatives;
mod combinators;
mod denial;
mod enforcement;
mod grant;
mod mode;
mod requirement;
mod roles;
mod scopes;

pub use access::{Access, JobOwner};
pub use alternatives::{Alternative, Alternatives};
pub use combinators::{AllOf, AnyOf, all_of, any_of};
pub use denial::Denial;
pub use enforcement::Enforcement;
pub use grant::Grant;
pub use mode::{AccessMode, AccessPolicy};
pub use requirement::{
    Authenticated, RequireRoles, RequireScopes, authenticated, require_all_roles,
    require_all_scopes, require_any_role, require_any_scope, require_role, require_scope,
};
pub use roles::{
    Assignments, DataAction, IssuerLimits, RoleDefinitions, RoleDefinitionsError, RolePolicy,
};
pub use scopes::ScopePolicy;

use crate::authentication::Principal;
use crate::fhir::Interaction;

/// Decides whether a caller may do an interaction.
///
/// Implement it for rules of your own, or make one of a closure with [`authorize_fn`]. It does not
/// wait for anything; a decision that needs a database belongs in a layer inside this one, which
/// finds the [`Principal`] in the request.
///
/// ```
/// use tower_fhir_auth::{Authorizer, Denial, Grant, Interaction, InteractionKind, Principal};
///
/// struct ReadOnly;
///
/// impl Authorizer for ReadOnly {
///     fn authorize(&self, _: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
///         match interaction.kind() {
///             InteractionKind::Read | InteractionKind::SearchType => Ok(Grant::by("read only")),
///             _ => Err(Denial::new("this server is read only")),
///         }
///     }
/// }
/// ```
pub trait Authorizer: Send + Sync + 'static {
    /// Grants or denies.
    ///
    /// # Errors
    ///
    /// A [`Denial`] that says what would have been enough.
    fn authorize(&self, principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial>;

    /// This rule as one of a list of rules of several kinds, for [`any_of`] and [`all_of`].
    fn boxed(self) -> Box<dyn Authorizer>
    where
        Self: Sized,
    {
        Box::new(self)
    }
}

/// An authorizer that is a function. Made by [`authorize_fn`].
#[derive(Clone, Copy)]
pub struct AuthorizeFn<F>(F);

/// Makes an authorizer of a function.
///
/// ```
/// use tower_fhir_auth::{Denial, Grant, authorize_fn};
///
/// let staff_only = authorize_fn(|caller, _interaction| match caller.claim::<bool>("staff") {
///     Ok(Some(true)) => Ok(Grant::by("staff")),
///     _ => Err(Denial::new("only staff")),
/// });
/// ```
pub fn authorize_fn<F>(function: F) -> AuthorizeFn<F>
where
    F: Fn(&Principal, &Interaction) -> Result<Grant, Denial> + Send + Sync + 'static,
{
    AuthorizeFn(function)
}

impl<F> Authorizer for AuthorizeFn<F>
where
    F: Fn(&Principal, &Interaction) -> Result<Grant, Denial> + Send + Sync + 'static,
{
    fn authorize(&self, principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
        (self.0)(principal, interaction)
    }
}

impl<F> std::fmt::Debug for AuthorizeFn<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AuthorizeFn")
    }
}

impl Authorizer for std::sync::Arc<dyn Authorizer> {
    fn authorize(&self, principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
        (**self).authorize(principal, interaction)
    }
}

impl Authorizer for Box<dyn Authorizer> {
    fn authorize(&self, principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
        (**self).authorize(principal, interaction)
    }
}
