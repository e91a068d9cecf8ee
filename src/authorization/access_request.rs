//! The request that an authorizer decides on.

use std::fmt;
use std::sync::LazyLock;

use super::Enforcement;
use super::caller_memo::CallerMemo;
use super::handlers::Handlers;
use crate::authentication::Principal;
use crate::fhir::{Interaction, PatientCompartment};
use crate::time::UnixTime;

/// The question that an [`Authorizer`](super::Authorizer) answers: may this caller do this interaction, given what the
/// handlers enforce?
///
/// ```
/// use tower_fhir_auth::{AccessRequest, Denial, Grant, InteractionKind, authorize_fn};
///
/// let reads_alone = authorize_fn(|request: &AccessRequest<'_>| {
///     match request.interaction().kind() {
///         InteractionKind::Read => Ok(Grant::by("reads are for everybody")),
///         _ => Err(Denial::new("this server only reads")),
///     }
/// });
/// ```
#[derive(Clone, Copy)]
pub struct AccessRequest<'a> {
    principal: &'a Principal,
    interaction: &'a Interaction,
    handlers: &'a Handlers,
    memo: Option<&'a CallerMemo>,
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
        Self { principal, interaction, handlers, memo: None }
    }

    /// Lets rules keep what they find out about the caller.
    pub(super) fn with_memo(self, memo: &'a CallerMemo) -> Self {
        Self { memo: Some(memo), ..self }
    }

    pub(super) fn memo(&self) -> Option<&'a CallerMemo> {
        self.memo
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

    /// The present time by the clock of the layer, for rules that depend on it.
    ///
    /// ```
    /// use tower_fhir_auth::AccessRequest;
    ///
    /// fn is_in_this_century(request: &AccessRequest<'_>) -> bool {
    ///     request.now().as_secs() < 4_102_444_800
    /// }
    /// ```
    #[must_use]
    pub fn now(&self) -> UnixTime {
        self.handlers.clock.now()
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
