//! The access modes of the configuration file: how roles and scopes go together.

use super::combinators::{all, any};
use super::{Authorizer, Denial, Enforcement, Grant, RolePolicy, ScopePolicy};
use crate::authentication::Principal;
use crate::fhir::Interaction;

/// Which grants a request needs (`access`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessMode {
    /// A role.
    Roles,
    /// A scope.
    Scopes,
    /// A role or a scope.
    #[default]
    RolesOrScopes,
    /// A role and a scope.
    RolesAndScopes,
    /// The rule of Microsoft's FHIR server: a role; and a scope, which then confines, where the
    /// roles of the caller hold the data action `smart`.
    Microsoft,
}

/// Roles and scopes in one of the [`AccessMode`]s.
///
/// ```
/// use tower_fhir_auth::{
///     AccessMode, AccessPolicy, Enforcement, RoleDefinitions, RolePolicy, ScopePolicy,
/// };
///
/// let roles = RolePolicy::new(RoleDefinitions::microsoft());
/// let policy = AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new())
///     .handlers_enforce(Enforcement::BUNDLE_ENTRIES);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AccessPolicy {
    mode: AccessMode,
    roles: RolePolicy,
    scopes: ScopePolicy,
}

impl AccessMode {
    /// Whether scopes can grant anything in this mode.
    #[must_use]
    pub fn counts_scopes(self) -> bool {
        self != Self::Roles
    }
}

impl AccessPolicy {
    /// The rule of a mode over these roles and scopes.
    pub fn new(mode: AccessMode, roles: RolePolicy, scopes: ScopePolicy) -> Self {
        Self { mode, roles, scopes }
    }

    /// Declares what the handlers enforce, to roles and scopes alike.
    pub fn handlers_enforce(mut self, enforced: Enforcement) -> Self {
        self.roles = self.roles.handlers_enforce(enforced);
        self.scopes = self.scopes.handlers_enforce(enforced);
        self
    }

    fn either(&self, principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
        // Most requests are granted by one of them, and the other's reasons would be for nobody.
        let by_role = self.roles.grant(principal, interaction);
        // A role leaves nothing for a scope to widen.
        if let Some(grant) = by_role.or_else(|| self.scopes.grant(principal, interaction)) {
            return Ok(grant);
        }
        any(self.both(), principal, interaction)
    }

    fn both(&self) -> [&dyn Authorizer; 2] {
        // Scopes first: a refusal begins with what to ask the authorization server for.
        [&self.scopes, &self.roles]
    }
}

impl Authorizer for AccessPolicy {
    fn authorize(&self, principal: &Principal, interaction: &Interaction) -> Result<Grant, Denial> {
        match self.mode {
            AccessMode::Roles => self.roles.authorize(principal, interaction),
            AccessMode::Scopes => self.scopes.authorize(principal, interaction),
            AccessMode::RolesOrScopes => self.either(principal, interaction),
            AccessMode::RolesAndScopes => all(self.both(), principal, interaction),
            AccessMode::Microsoft => {
                if self.roles.mark_as_smart(principal) {
                    return all(self.both(), principal, interaction);
                }
                self.roles.authorize(principal, interaction)
            }
        }
    }
}
