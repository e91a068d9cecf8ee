//! Who may do what: roles and SMART scopes, in the access mode of the configuration.

use tower_fhir_auth::{
    AccessMode, AccessPolicy, Enforcement, RoleDefinitions, RolePolicy, ScopePolicy,
};

use crate::Error;
use crate::store::Parameter;

/// The policy of a server whose handlers enforce all that a grant may leave to them: see
/// [`confine`](crate::confine), and where it is asked.
pub(crate) fn policy(mode: AccessMode, roles: RolePolicy) -> AccessPolicy {
    // A scope may only be constrained by what this server can search by, and not by what it sets
    // itself whenever it stores.
    let known = |resource_type: &str, name: &str| {
        name != "_lastUpdated" && Parameter::find(resource_type, name).is_some()
    };
    AccessPolicy::new(mode, roles, ScopePolicy::new().search_parameters(known))
        .handlers_enforce(Enforcement::ALL)
}

/// The roles of the demo, in the format of Microsoft's `roles.json`.
pub(crate) fn demo_roles() -> Result<RolePolicy, Error> {
    Ok(RolePolicy::new(RoleDefinitions::parse(include_bytes!("roles.json"))?))
}
