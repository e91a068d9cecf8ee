//! The rule of a layer, and what is made once for all of its requests.

use std::any::Any;
use std::sync::{Arc, OnceLock};

use super::handlers::Handlers;
use super::{Authorizer, StepUpRules};
use crate::fhir::{Interaction, InteractionKind};
use crate::smart::Permissions;

/// The rule of a layer, and what stands behind it.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) authorizer: Arc<dyn Authorizer>,
    pub(crate) handlers: Handlers,
    pub(crate) step_up: Arc<StepUpRules>,
    /// The configuration of the layer that it belongs to, of which it knows no more.
    pub(crate) layer: Arc<dyn Any + Send + Sync>,
    pub(super) every_type: EveryType,
}

impl Policy {
    pub(crate) fn new(
        authorizer: Arc<dyn Authorizer>,
        handlers: Handlers,
        step_up: Arc<StepUpRules>,
        layer: Arc<dyn Any + Send + Sync>,
    ) -> Self {
        Self { authorizer, handlers, step_up, layer, every_type: EveryType::default() }
    }
}

/// The interactions on every type that permissions stand for. They are the same for all requests to a layer, and
/// asked about with each one, so that they are made once.
#[derive(Debug, Default)]
pub(crate) struct EveryType([OnceLock<Interaction>; 5]);

impl EveryType {
    /// Returns the interaction for a single permission. `with` is any interaction of the same API.
    pub(super) fn with_permission(
        &self,
        permission: Permissions,
        with: &Interaction,
    ) -> &Interaction {
        let [create, read, update, delete, search] = &self.0;
        let cell = match permission {
            Permissions::CREATE => create,
            Permissions::READ => read,
            Permissions::UPDATE => update,
            Permissions::DELETE => delete,
            _ => search,
        };
        cell.get_or_init(|| with.on_every_type(interaction_of(permission)))
    }
}

/// Returns the interaction on a type that a single permission stands for.
pub(super) fn interaction_of(permission: Permissions) -> InteractionKind {
    match permission {
        Permissions::CREATE => InteractionKind::Create,
        Permissions::READ => InteractionKind::Read,
        Permissions::UPDATE => InteractionKind::Update,
        Permissions::DELETE => InteractionKind::Delete,
        Permissions::SEARCH => InteractionKind::SearchType,
        _ => InteractionKind::Unknown,
    }
}
