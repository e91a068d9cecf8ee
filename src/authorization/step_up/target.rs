//! The target of a requirement: a permission on a type, or an operation.

use crate::authorization::Enforcement;
use crate::authorization::scopes;
use crate::fhir::{Interaction, InteractionKind, ResourceTypes};
use crate::smart::Permissions;

/// The interactions that a requirement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StepUpTarget {
    /// A permission of SMART scopes, on a type or on every one.
    Permission {
        resource_type: Option<Box<str>>,
        permission: Permissions,
    },
    Operation(Box<str>),
}

impl StepUpTarget {
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix('$') {
            let is_name =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            let is_operation = !name.is_empty() && name.bytes().all(is_name);
            return is_operation.then(|| Self::Operation(name.into()));
        }
        let (name, permission) = text.split_once('.')?;
        // The words of v1 stand for several letters.
        let permission = Permissions::parse(permission)
            .filter(|_| permission.len() == 1 && permission != "*")?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if name != "*" && !is_name {
            return None;
        }
        let resource_type = (name != "*").then(|| name.into());
        Some(Self::Permission { resource_type, permission })
    }

    pub(super) fn is_of(&self, types: &ResourceTypes) -> bool {
        match self {
            Self::Permission { resource_type: Some(name), .. } => types.contains(name),
            Self::Permission { resource_type: None, .. } | Self::Operation(_) => true,
        }
    }

    /// Reports whether an interaction is one of these.
    pub(super) fn concerns(&self, interaction: &Interaction, enforced: Enforcement) -> bool {
        match self {
            Self::Permission { resource_type, permission } => {
                scopes::requires(interaction, enforced, *permission, resource_type.as_deref())
            }
            Self::Operation(name) => {
                interaction.kind() == InteractionKind::Operation
                    && interaction.operation() == Some(name)
            }
        }
    }
}
