//! Who may do what: roles by their definitions, SMART scopes by their letters.

use tower_fhir_auth::config::AccessMode;
use tower_fhir_auth::{
    Authorizer, Enforcement, MicrosoftPolicy, RoleDefinitions, RoleDefinitionsError, RolePolicy,
    ScopePolicy, all_of, any_of,
};

/// What `api` judges by itself: it knows no parameter that reaches another type.
const ENFORCED: Enforcement = Enforcement::SEARCH_BODIES;

/// The rule of an access mode of the configuration.
pub(crate) fn for_access(mode: AccessMode, roles: &RolePolicy) -> Box<dyn Authorizer> {
    let by_role = || roles.clone().boxed();
    let by_scope = || ScopePolicy::new().handlers_enforce(ENFORCED).boxed();
    match mode {
        AccessMode::Roles => by_role(),
        AccessMode::Scopes => by_scope(),
        AccessMode::RolesAndScopes => all_of([by_role(), by_scope()]).boxed(),
        AccessMode::Microsoft => {
            let scopes = ScopePolicy::new().handlers_enforce(ENFORCED);
            MicrosoftPolicy::new(roles.clone(), scopes).boxed()
        }
        // Scopes are asked first: a refusal names what to ask the authorization server for.
        _ => any_of([by_scope(), by_role()]).boxed(),
    }
}

/// The roles of the demo, in the format of Microsoft's `roles.json`.
pub(crate) fn demo_roles() -> Result<RolePolicy, RoleDefinitionsError> {
    Ok(RolePolicy::new(RoleDefinitions::parse(include_bytes!("roles.json"))?))
}
