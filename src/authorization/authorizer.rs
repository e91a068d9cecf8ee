//! The trait that decides, and the request that it decides on.

use std::fmt;
use std::sync::{Arc, LazyLock};

use super::handlers::Handlers;
use super::{Denial, Enforcement, Grant};
use crate::authentication::Principal;
use crate::fhir::{Interaction, PatientCompartment};

/// Decides whether a caller may do an interaction.
///
/// Implement it for rules of your own, or make one of a closure with [`authorize_fn`]. It does not
/// wait for anything; a decision that needs a database belongs in a layer inside this one, which
/// finds the [`Principal`] in the request.
///
/// ```
/// use tower_fhir_auth::{AccessRequest, Authorizer, Denial, Grant, InteractionKind};
///
/// struct ReadOnly;
///
/// impl Authorizer for ReadOnly {
///     fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
///         match request.interaction().kind() {
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
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial>;

    /// Makes this rule one of a list of rules of several kinds, for [`any_of`](super::any_of) and
    /// [`all_of`](super::all_of).
    fn boxed(self) -> Box<dyn Authorizer>
    where
        Self: Sized,
    {
        Box::new(self)
    }
}

/// The question that an [`Authorizer`] answers: may this caller do this interaction, before
/// handlers that enforce so much?
#[derive(Clone, Copy)]
pub struct AccessRequest<'a> {
    principal: &'a Principal,
    interaction: &'a Interaction,
    handlers: &'a Handlers,
}

impl<'a> AccessRequest<'a> {
    /// Makes a question about handlers that enforce nothing, as for a rule that is tested by itself.
    /// The layer asks about the handlers that it stands before.
    #[must_use]
    pub fn new(principal: &'a Principal, interaction: &'a Interaction) -> Self {
        static NOTHING: LazyLock<Handlers> = LazyLock::new(Handlers::default);
        Self::before(&NOTHING, principal, interaction)
    }

    pub(crate) fn before(
        handlers: &'a Handlers,
        principal: &'a Principal,
        interaction: &'a Interaction,
    ) -> Self {
        Self { principal, interaction, handlers }
    }

    /// The verified caller.
    #[must_use]
    pub fn principal(&self) -> &'a Principal {
        self.principal
    }

    /// The interaction, as the address spells it.
    #[must_use]
    pub fn interaction(&self) -> &'a Interaction {
        self.interaction
    }

    /// The declaration of the application: all that its handlers enforce.
    #[must_use]
    pub fn enforcement(&self) -> Enforcement {
        self.handlers.enforcement
    }

    /// The rules by which a resource belongs to a patient here.
    #[must_use]
    pub fn patient_compartment(&self) -> &'a PatientCompartment {
        &self.handlers.compartment
    }

    pub(crate) fn handlers(&self) -> &'a Handlers {
        self.handlers
    }
}

impl fmt::Debug for AccessRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessRequest")
            .field("principal", self.principal)
            .field("interaction", &self.interaction.kind())
            .field("enforcement", &self.enforcement())
            .finish_non_exhaustive()
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

impl Authorizer for Arc<dyn Authorizer> {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        (**self).authorize(request)
    }
}

impl Authorizer for Box<dyn Authorizer> {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        (**self).authorize(request)
    }
}
