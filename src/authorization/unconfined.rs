//! The check whether a request can pass unjudged.

#[cfg(feature = "confine")]
use http::Method;

use super::Access;
use super::policy::interaction_of;
use super::targets::Writes;
use crate::fhir::{Interaction, InteractionKind as Kind};
use crate::smart::Permissions;

impl Access {
    /// Reports whether nothing of the request or its answer has to be judged: resources of every type may be
    /// read and searched, of all patients and without a constraint, and be changed in the way in which this
    /// interaction changes some. A bundle, and what is no interaction, may change in every way.
    ///
    /// A change is never about the type of its address alone: a deletion may reach what refers to the
    /// resource, and a body may be of another type.
    ///
    /// ```
    /// use tower_fhir_auth::Access;
    ///
    /// /// Whether a page may be sent as the store has it, without a look at each resource.
    /// fn may_stream(access: &Access) -> bool {
    ///     access.is_unconfined()
    /// }
    /// ```
    #[must_use]
    pub fn is_unconfined(&self) -> bool {
        let needed = Permissions::READ | Permissions::SEARCH | changes(self.interaction());
        // The entries of a bundle, and the parameters of a form, may be what a step more is asked for.
        let is_unseen =
            self.interaction().kind() == Kind::Batch || self.interaction().has_unseen_body();
        let takes_no_step_up = !is_unseen || self.meets_every_step_up();
        takes_no_step_up
            && self.grant().confinement().is_open()
            && self.is_open_on_every_type(needed)
    }

    /// Reports whether this is an operation on what the request brings along, for which there is a right of its
    /// own that the caller holds without a patient or a constraint: its answer shows no resource of the server.
    #[cfg(feature = "confine")]
    pub(crate) fn may_run_by_a_right_of_its_own(&self) -> bool {
        let interaction = self.interaction();
        matches!(interaction.operation(), Some("convert-data" | "validate"))
            && interaction.id().is_none()
            && self.grant().confinement().is_open()
    }

    /// Reports whether this interaction may change resources: an operation may, too.
    #[cfg(feature = "confine")]
    pub(crate) fn changes(&self) -> bool {
        let interaction = self.interaction();
        let is_get = matches!(*interaction.method(), Method::GET | Method::HEAD);
        !is_get && !interaction.is_search_by_post()
    }

    /// Reports whether permissions are held on every type, of all patients and without a constraint. Rules
    /// that do not [say](super::Authorizer::treats_unnamed_types_alike) that they treat types alike are
    /// asked about each.
    fn is_open_on_every_type(&self, permissions: Permissions) -> bool {
        let interaction = self.interaction();
        let alike = self.rules().all(|rule| rule.treats_unnamed_types_alike());
        let is_open = |asked: &Interaction| self.is_granted_unconfined(asked);
        let is_open_on_each = |kind: Kind| {
            let mut names = interaction.resource_types().names();
            names.all(|name| is_open(&interaction.on_type(kind, name)))
        };
        permissions.iter().all(|permission| {
            is_open(self.every_type().with_permission(permission, interaction))
                && (alike || is_open_on_each(interaction_of(permission)))
        })
    }
}

/// Returns the permissions by which an interaction changes resources.
fn changes(interaction: &Interaction) -> Permissions {
    if matches!(interaction.kind(), Kind::Batch | Kind::Unknown) {
        return Permissions::CREATE | Permissions::UPDATE | Permissions::DELETE;
    }
    Writes::of(interaction).map_or(Permissions::empty(), |writes| writes.permission)
}
