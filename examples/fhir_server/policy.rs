//! Who may do what: roles by their definitions, scopes by their text.
//!
//! Scopes of single patients (`patient/…`) grant nothing here, because nothing here would confine
//! them to their patient.

use tower_fhir_auth::config::AccessMode;
use tower_fhir_auth::{
    Authorizer, Denial, Grant, Interaction, InteractionKind, Principal, RoleDefinitions,
    RoleDefinitionsError, RolePolicy, all_of, any_of, authorize_fn,
};

/// The rule of an access mode of the configuration.
pub(crate) fn for_access(mode: AccessMode, roles: &RolePolicy) -> Box<dyn Authorizer> {
    let roles = || roles.clone().boxed();
    let scopes = || authorize_fn(by_scope).boxed();
    match mode {
        AccessMode::Roles => roles(),
        AccessMode::Scopes => scopes(),
        AccessMode::RolesAndScopes => all_of([roles(), scopes()]).boxed(),
        // Scopes are asked first: a refusal names what to ask the authorization server for.
        _ => any_of([scopes(), roles()]).boxed(),
    }
}

/// The roles of the demo, in the format of Microsoft's `roles.json`.
pub(crate) fn demo_roles() -> Result<RolePolicy, RoleDefinitionsError> {
    Ok(RolePolicy::new(RoleDefinitions::parse(include_bytes!("roles.json"))?))
}

/// The letters of SMART v2, and the word of v1, that allow an interaction.
fn permissions(interaction: &Interaction) -> Result<&'static [&'static str], Denial> {
    match interaction.kind() {
        InteractionKind::Read => Ok(&["r", "rs", "read", "cruds", "*"]),
        InteractionKind::SearchType => Ok(&["s", "rs", "read", "cruds", "*"]),
        InteractionKind::Create => Ok(&["c", "cud", "write", "cruds", "*"]),
        InteractionKind::Unknown => Err(Denial::new("the request is no interaction of FHIR")),
        _ => Err(Denial::new("scopes grant read, search and create alone here")),
    }
}

fn by_scope(principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
    let permissions = permissions(interaction)?;
    let resource_type = interaction.resource_type().unwrap_or("*");
    let narrowest = format!("system/{resource_type}.{}", permissions[0]);
    for context in ["system", "user"] {
        for resource in [resource_type, "*"] {
            for permission in permissions {
                let scope = format!("{context}/{resource}.{permission}");
                if principal.has_scope(&scope) {
                    return Ok(Grant::by(format!("scope `{scope}`")));
                }
            }
        }
    }
    let held: Vec<&str> = principal.scopes().collect();
    let held = if held.is_empty() { "(none)".to_owned() } else { held.join(" ") };
    Err(Denial::new("no scope of the token grants this")
        .sides(held, format!("{narrowest} or a wider scope"))
        .required_scopes([narrowest]))
}
