//! The rule of Microsoft's FHIR server: roles decide, and scopes too for callers marked `smart`.

use super::{Authorizer, DataAction, Denial, Grant, RolePolicy, ScopePolicy};
use crate::authentication::Principal;
use crate::fhir::Interaction;

/// Grants what the union of a caller's roles grants; if that union holds the data action `smart`,
/// a SMART scope must grant it too.
#[derive(Clone, Debug)]
#[must_use]
pub struct MicrosoftPolicy {
    roles: RolePolicy,
    scopes: ScopePolicy,
}

impl MicrosoftPolicy {
    /// The rule over these roles and scopes.
    pub fn new(roles: RolePolicy, scopes: ScopePolicy) -> Self {
        Self { roles, scopes }
    }
}

impl Authorizer for MicrosoftPolicy {
    fn authorize(&self, principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
        let by_roles = self.roles.authorize(principal, interaction)?;
        if !self.roles.actions_of(principal).has(DataAction::Smart) {
            return Ok(by_roles);
        }
        let by_scopes = self.scopes.authorize(principal, interaction)?;
        Ok(by_roles.and(&by_scopes))
    }
}
