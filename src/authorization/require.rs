//! Plain requirements, for routes that are not FHIR: a scope or a role by its name.

use super::role_names::role_names;
use super::scopes::{CallerScopes, of_caller};
use super::{AccessRequest, Authorizer, Denial, Grant};
use crate::authentication::Principal;
use crate::display_safe::sanitize;
use crate::explanation::{Evidence, Grounds, Requirement};

/// Grants everything to every verified caller. Made by [`authenticated`].
///
/// ```
/// use tower_fhir_auth::authenticated;
/// use tower_fhir_auth::authorization::Authenticated;
///
/// let anybody: Authenticated = authenticated();
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Authenticated;

/// Grants to callers with scopes. Made by [`require_scope`] and its siblings.
///
/// ```
/// use tower_fhir_auth::authorization::RequireScopes;
/// use tower_fhir_auth::require_scope;
///
/// let rule: RequireScopes = require_scope("orders.read");
/// ```
#[derive(Clone, Debug)]
pub struct RequireScopes(RequiredNames);

/// Grants to callers with roles. Made by [`require_role`] and its siblings.
///
/// ```
/// use tower_fhir_auth::authorization::RequireRoles;
/// use tower_fhir_auth::require_role;
///
/// let rule: RequireRoles = require_role("admin");
/// ```
#[derive(Clone, Debug)]
pub struct RequireRoles(RequiredNames);

#[derive(Clone, Debug)]
struct RequiredNames {
    names: Vec<String>,
    how_many: HowMany,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HowMany {
    Any,
    All,
}

/// Grants everything to every caller with a valid token: authentication alone.
///
/// ```
/// use tower_fhir_auth::{FhirAuthLayer, authenticated};
///
/// let builder = FhirAuthLayer::builder("https://api.example.org").authorizer(authenticated());
/// ```
#[must_use]
pub fn authenticated() -> Authenticated {
    Authenticated
}

/// Requires a scope, compared exactly (RFC 6749 section 3.3).
///
/// ```
/// let rule = tower_fhir_auth::require_scope("orders.read");
/// ```
pub fn require_scope(scope: impl Into<String>) -> RequireScopes {
    require_all_scopes([scope])
}

/// Requires any one of several scopes.
///
/// ```
/// use tower_fhir_auth::require_any_scope;
///
/// let rule = require_any_scope(["orders.read", "orders.write"]);
/// ```
pub fn require_any_scope<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> RequireScopes {
    RequireScopes(RequiredNames::new(scopes, HowMany::Any))
}

/// Requires all of several scopes.
///
/// ```
/// use tower_fhir_auth::authorization::require_all_scopes;
///
/// let rule = require_all_scopes(["orders.read", "customers.read"]);
/// ```
pub fn require_all_scopes<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> RequireScopes {
    RequireScopes(RequiredNames::new(scopes, HowMany::All))
}

/// Requires a role, compared exactly.
///
/// ```
/// use tower_fhir_auth::require_role;
///
/// let rule = require_role("admin");
/// ```
pub fn require_role(role: impl Into<String>) -> RequireRoles {
    require_all_roles([role])
}

/// Requires any one of several roles.
///
/// ```
/// use tower_fhir_auth::require_any_role;
///
/// let rule = require_any_role(["admin", "clerk"]);
/// ```
pub fn require_any_role<S: Into<String>>(roles: impl IntoIterator<Item = S>) -> RequireRoles {
    RequireRoles(RequiredNames::new(roles, HowMany::Any))
}

/// Requires all of several roles.
///
/// ```
/// use tower_fhir_auth::authorization::require_all_roles;
///
/// let rule = require_all_roles(["clerk", "night-shift"]);
/// ```
pub fn require_all_roles<S: Into<String>>(roles: impl IntoIterator<Item = S>) -> RequireRoles {
    RequireRoles(RequiredNames::new(roles, HowMany::All))
}

impl RequiredNames {
    fn new<S: Into<String>>(names: impl IntoIterator<Item = S>, how_many: HowMany) -> Self {
        Self { names: names.into_iter().map(Into::into).collect(), how_many }
    }

    /// The names that are held, if they are enough. An empty list is never met.
    fn met(&self, held: impl Fn(&str) -> bool) -> Option<Vec<&str>> {
        let held: Vec<&str> = self.names.iter().map(String::as_str).filter(|t| held(t)).collect();
        let needed = match self.how_many {
            HowMany::Any => 1,
            HowMany::All => self.names.len().max(1),
        };
        (held.len() >= needed).then_some(held)
    }

    /// The fewest names that would have been enough.
    fn sufficient_scopes(&self) -> &[String] {
        match self.how_many {
            HowMany::Any => self.names.get(..1).unwrap_or_default(),
            HowMany::All => &self.names,
        }
    }

    /// Returns the names as data. An empty list, which is never met, names none.
    fn required<R>(&self, all: fn(Vec<String>) -> R, any: fn(Vec<String>) -> R) -> Option<R> {
        let wrap = match self.how_many {
            HowMany::Any => any,
            HowMany::All => all,
        };
        (!self.names.is_empty()).then(|| wrap(self.names.clone()))
    }

    fn expected(&self) -> String {
        match self.how_many {
            HowMany::Any => self.names.join(" or "),
            HowMany::All => self.names.join(" "),
        }
    }
}

impl Authorizer for Authenticated {
    fn authorize(&self, _: &AccessRequest<'_>) -> Result<Grant, Denial> {
        Ok(Grant::by("a valid token"))
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        true
    }
}

impl Authorizer for RequireScopes {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let principal = request.principal();
        match self.0.met(|scope| principal.has_scope(scope)) {
            Some(met) => Ok(Grant::by(format!("scope `{}`", met.join(" ")))),
            None => Err(Denial::new("no scope of the token grants this")
                .challenging(self.0.sufficient_scopes().to_vec())
                .requires(self.0.required(Requirement::Scopes, Requirement::AnyScope))
                .with_found(of_caller(request, &CallerScopes::default()).listed(principal))
                .with_expected(self.0.expected())),
        }
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        true
    }
}

impl Authorizer for RequireRoles {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let principal = request.principal();
        match self.0.met(|role| principal.has_role(role)) {
            Some(met) => Ok(Grant::by(format!("role `{}`", met.join(" ")))),
            None => Err(self.denial(principal)),
        }
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        true
    }
}

impl RequireRoles {
    /// Names the role as a role: a bare word beside scopes would be taken for one. Which roles the caller has
    /// is told to operators alone.
    fn denial(&self, principal: &Principal) -> Denial {
        let summary = "the token lacks a role that this requires";
        let expected = match self.0.names.is_empty() {
            true => String::new(),
            false => role_names(&self.0.names, self.0.how_many == HowMany::All),
        };
        let held: Vec<&str> = principal.roles().take(MOST_TOLD).collect();
        let held = match held.is_empty() {
            true => "no roles".to_owned(),
            false => role_names(&held, true),
        };
        let evidence = Evidence {
            found: Some(sanitize(&held)),
            expected: Some(sanitize(&expected)).filter(|expected| !expected.is_empty()),
        };
        Denial::new(summary)
            .requires(self.0.required(Requirement::Roles, Requirement::AnyRole))
            .with_expected(expected)
            .for_operators(Grounds { summary: summary.into(), evidence })
    }
}

/// The most roles of a caller that operators are told of.
const MOST_TOLD: usize = 16;
