//! The letters of an interaction, whoever grants it: what a requirement beside scopes and roles is
//! about.

use super::requirement::{RequiredAccess, ScopeRequirement, Target, Via};
use crate::authorization::Enforcement;
use crate::fhir::Interaction;
use crate::smart::Permissions;

/// Reports whether an interaction needs a permission on a type, or on any type at all. What it may
/// reach counts: an include is read. A body that is not read yet is judged when it is.
pub(in crate::authorization) fn needs(
    interaction: &Interaction,
    enforced: Enforcement,
    permission: Permissions,
    resource_type: Option<&str>,
) -> bool {
    // Handlers leave out includes that are not granted; nobody leaves out those that take a step more.
    let enforced = enforced.difference(Enforcement::INCLUDES);
    let ScopeRequirement::All(required) = ScopeRequirement::of(interaction, enforced) else {
        return false;
    };
    required.each.iter().any(|RequiredAccess { permissions, target, via }| {
        let permissions = if *via == Via::Included { Permissions::READ } else { *permissions };
        let is_on = match target {
            Target::Type(name) => resource_type.is_none_or(|wanted| wanted == name),
            Target::EveryType => true,
            // Of an export: the types that are granted, whichever these are.
            Target::SomeType => *via == Via::Exported,
            Target::AnyOf(_) => false,
        };
        is_on && permissions.contains(permission)
    })
}
