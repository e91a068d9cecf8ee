//! The access modes of the configuration file: how roles and scopes go together.

use std::fmt;

use super::authorizer::authorize_all;
use super::{AccessRequest, Authorizer, Denial, Grant, RolePolicy, ScopePolicy};
use crate::telemetry::log;

/// The grants that a request needs (`access`).
///
/// ```
/// use tower_fhir_auth::{AccessMode, AccessPolicy, RoleDefinitions, RolePolicy, ScopePolicy};
///
/// let roles = RolePolicy::new(RoleDefinitions::microsoft());
/// let policy = AccessPolicy::new(AccessMode::RolesAndScopes, roles, ScopePolicy::new());
/// assert_eq!(AccessMode::RolesAndScopes.name(), "roles-and-scopes");
/// ```
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
/// use tower_fhir_auth::{AccessMode, AccessPolicy, RoleDefinitions, RolePolicy, ScopePolicy};
///
/// let roles = RolePolicy::new(RoleDefinitions::microsoft());
/// let policy = AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AccessPolicy {
    mode: AccessMode,
    roles: RolePolicy,
    scopes: ScopePolicy,
}

impl AccessMode {
    /// The name in the configuration file, such as `roles-or-scopes`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Roles => "roles",
            Self::Scopes => "scopes",
            Self::RolesOrScopes => "roles-or-scopes",
            Self::RolesAndScopes => "roles-and-scopes",
            Self::Microsoft => "microsoft",
        }
    }

    /// Reports whether scopes can grant anything in this mode.
    #[must_use]
    pub fn counts_scopes(self) -> bool {
        self != Self::Roles
    }

    /// Reports whether roles can grant anything in this mode.
    #[must_use]
    pub fn counts_roles(self) -> bool {
        self != Self::Scopes
    }
}

impl fmt::Display for AccessMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl AccessPolicy {
    /// The rule of a mode over these roles and scopes. Warns operators where roles count in the mode
    /// and none is defined.
    pub fn new(mode: AccessMode, roles: RolePolicy, scopes: ScopePolicy) -> Self {
        if mode.counts_roles() && !roles.defines_any() {
            log::warn!(
                mode = mode.name(),
                "no role is defined, so that none grants anything: set `[roles] definitions`, for \
                 example to `builtin:microsoft`, or `access = \"scopes\"`"
            );
        }
        Self { mode, roles, scopes }
    }

    /// Reports whether a caller is granted whatever a request holds that nobody sees, such as the entries of a
    /// bundle: by roles with every data action that there is, or by scopes that confine to nothing, with all
    /// permissions on every type; by both, where both are needed.
    ///
    /// ```
    /// use tower_fhir_auth::authorization::AccessPolicy;
    /// use tower_fhir_auth::{AccessRequest, Denial};
    ///
    /// /// For a rule of one's own before handlers that judge no bundle.
    /// fn bundle(policy: &AccessPolicy, request: &AccessRequest<'_>) -> Result<(), Denial> {
    ///     match policy.grants_everything(request) {
    ///         true => Ok(()),
    ///         false => Err(Denial::new("the entries of a bundle are not judged here")),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn grants_everything(&self, request: &AccessRequest<'_>) -> bool {
        let by_roles = || self.roles.hold_everything(request);
        self.combined(request, by_roles, || self.scopes.hold_everything(request))
    }

    /// Reports whether something is so that holds by roles, by scopes, or takes both, as the mode has it.
    fn combined(
        &self,
        request: &AccessRequest<'_>,
        by_roles: impl Fn() -> bool,
        by_scopes: impl Fn() -> bool,
    ) -> bool {
        match self.mode {
            AccessMode::Roles => by_roles(),
            AccessMode::Scopes => by_scopes(),
            AccessMode::RolesOrScopes => by_roles() || by_scopes(),
            AccessMode::RolesAndScopes => by_roles() && by_scopes(),
            // In the order in which they are asked for a grant: definitions may be replaced between two questions.
            AccessMode::Microsoft => match self.roles.hold_smart_action(request) {
                true => by_scopes() && by_roles(),
                false => by_roles(),
            },
        }
    }

    fn either(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        // A role leaves nothing for a scope to widen, and its reasons are only for those whom no
        // scope lets in either.
        let unmet = match self.roles.evaluate(request) {
            Ok(grant) => return Ok(grant),
            Err(unmet) => unmet,
        };
        self.scopes.authorize(request).map_err(|denial| {
            let of_roles = self.roles.denial(request, unmet);
            // A refusal begins with what to ask the authorization server for.
            denial.or(match self.scopes.are_of_a_patient(request) {
                true => of_roles.without_data_actions(),
                false => of_roles,
            })
        })
    }

    fn both(&self) -> [&dyn Authorizer; 2] {
        [&self.scopes, &self.roles]
    }
}

impl Authorizer for AccessPolicy {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        match self.mode {
            AccessMode::Roles => self.roles.authorize(request),
            AccessMode::Scopes => self.scopes.authorize(request),
            AccessMode::RolesOrScopes => self.either(request),
            AccessMode::RolesAndScopes => authorize_all(self.both(), request),
            AccessMode::Microsoft => {
                if self.roles.hold_smart_action(request) {
                    return authorize_all(self.both(), request);
                }
                self.roles.authorize(request)
            }
        }
    }

    fn grants_unconfined(&self, request: &AccessRequest<'_>) -> bool {
        let by_roles = || self.roles.grants_unconfined(request);
        self.combined(request, by_roles, || self.scopes.grants_unconfined(request))
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        true
    }

    fn may_grant_operation(&self, name: &str) -> bool {
        let scopes = self.scopes.may_grant_operation(name);
        match self.mode {
            AccessMode::Scopes | AccessMode::RolesAndScopes => scopes,
            AccessMode::Roles | AccessMode::RolesOrScopes | AccessMode::Microsoft => true,
        }
    }
}
