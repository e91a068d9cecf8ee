//! Who may do what: roles and SMART scopes, in the access mode of the configuration.

use tower_fhir_auth::{
    AccessMode, AccessPolicy, Enforcement, RoleDefinitions, RolePolicy, ScopePolicy,
};

use crate::Error;

/// The roles of the demo: those that Microsoft's FHIR server ships.
const DEMO_ROLES: &str = include_str!("roles.json");

/// The rule of the demo: a role or a scope.
pub(crate) fn demo() -> Result<AccessPolicy, Error> {
    let roles = RolePolicy::new(RoleDefinitions::parse(DEMO_ROLES.as_bytes())?);
    Ok(enforced(AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new())))
}

/// The handlers of this server judge the bodies of searches, and there are no others to judge.
pub(crate) fn enforced(policy: AccessPolicy) -> AccessPolicy {
    policy.handlers_enforce(Enforcement::SEARCH_BODIES)
}
