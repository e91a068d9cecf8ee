//! The permissions of an interaction, whoever grants it: what a requirement beside scopes and roles
//! is about.

use super::requirement::{RequiredAccess, RequiredTypes, ScopeRequirement, Via};
use http::Method;

use crate::authorization::Enforcement;
use crate::fhir::{Interaction, InteractionKind};
use crate::smart::Permissions;

/// Reports whether an interaction requires a permission on a type, or on any type at all. What it may
/// reach counts: an include is read. A body that is not read yet is judged when it is.
pub(in crate::authorization) fn requires(
    interaction: &Interaction,
    enforced: Enforcement,
    permission: Permissions,
    resource_type: Option<&str>,
) -> bool {
    // Handlers leave out includes that are not granted; nobody leaves out those that take a step more.
    let enforced = enforced.difference(Enforcement::INCLUDES);
    let ScopeRequirement::All(required) = ScopeRequirement::of(interaction, enforced) else {
        return interaction.kind() == InteractionKind::Operation && may_do(interaction, permission);
    };
    required.each.iter().any(|RequiredAccess { permissions, types, via }| {
        let permissions = if *via == Via::Included { Permissions::READ } else { *permissions };
        let is_on = match types {
            RequiredTypes::Type(name) => resource_type.is_none_or(|wanted| wanted == name),
            RequiredTypes::EveryType => true,
            // Of an export: the types that are granted, whichever these are.
            RequiredTypes::SomeType => *via == Via::Exported,
            RequiredTypes::AnyOf(_) => false,
        };
        is_on && permissions.contains(permission)
    })
}

/// Reports whether an operation that has no permissions of its own may do what a permission is for. On which types is not
/// known: what it does is up to its definition.
fn may_do(interaction: &Interaction, permission: Permissions) -> bool {
    let reads = Permissions::READ | Permissions::SEARCH;
    match interaction.operation().unwrap_or_default() {
        // They work on what they are sent, and on terminology.
        "convert-data" | "expand" | "lookup" | "subsumes" | "translate" | "validate"
        | "validate-code" => false,
        "docref" | "includes" | "lastn" | "member-match" => reads.contains(permission),
        _ => match *interaction.method() {
            Method::GET | Method::HEAD => reads.contains(permission),
            _ => true,
        },
    }
}
