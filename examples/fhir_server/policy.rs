//! Who may do what: roles by their definitions, SMART scopes by their letters.

use tower_fhir_auth::config::AccessMode;
use tower_fhir_auth::{
    Authorizer, Enforcement, RoleDefinitions, RoleDefinitionsError, RolePolicy, ScopePolicy,
    all_of, any_of,
};

/// What `api` judges by itself: it knows no parameter that reaches another type.
const ENFORCED: Enforcement = Enforcement::SEARCH_BODIES;

/// The rule of an access mode of the configuration.
pub(crate) fn for_access(mode: AccessMode, roles: &RolePolicy) -> Box<dyn Authorizer> {
    let roles = || roles.clone().boxed();
    let scopes = || ScopePolicy::new().handlers_enforce(ENFORCED).boxed();
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
