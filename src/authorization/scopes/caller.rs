//! The scopes of a caller, as a refusal describes them. All of them are read once, for the first
//! entry of a bundle that needs it.

use std::sync::OnceLock;

use hashbrown::HashMap;
use smol_str::SmolStr;

use super::context::has_launch_context;
use crate::authentication::Principal;
use crate::display_safe::sanitize;
use crate::fhir::ResourceTypes;
use crate::smart::{
    Constrained, Permissions, ScopeContext, ScopeKind, SmartScope, context_of, intended,
};

/// The number of circumstances that a refusal tells.
pub(super) const MAX_NOTES: usize = 3;

/// The scopes of one caller, as refusals need them.
#[derive(Debug, Default)]
pub(in crate::authorization) struct CallerScopes {
    listed: OnceLock<String>,
    unreadable: OnceLock<Vec<String>>,
    contexts: OnceLock<Contexts>,
    constrained: [OnceLock<UnderConstraint>; 3],
}

/// The contexts that scopes of a token name, malformed ones too.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Contexts {
    pub(super) patient: bool,
    pub(super) user: bool,
    pub(super) system: bool,
    /// The token is about a patient, or asked for one.
    pub(super) is_of_patient: bool,
}

/// The permissions that a token has under a constraint in one context, be it one that grants nothing:
/// without the constraint a scope would be wider than what the token was given.
#[derive(Debug, Default)]
pub(super) struct UnderConstraint {
    by_type: HashMap<SmolStr, Permissions>,
    of_any_type: Permissions,
    of_every_type: Permissions,
}

impl CallerScopes {
    /// Lists the scopes, as far as a refusal shows them.
    pub(in crate::authorization) fn listed(&self, principal: &Principal) -> &str {
        self.listed.get_or_init(|| {
            let held: Vec<&str> = principal.scopes().collect();
            if held.is_empty() { "no scopes".to_owned() } else { sanitize(&held.join(" ")) }
        })
    }

    /// Says of the first few scopes that grant nothing why. The types are those of the API, the same at each call.
    pub(super) fn unreadable(&self, principal: &Principal, types: &ResourceTypes) -> &[String] {
        self.unreadable.get_or_init(|| {
            let misspelled = principal.scopes().filter_map(|text| {
                let meant = sanitize(&intended(text, types)?);
                Some(format!("`{}` is not a SMART scope; `{meant}` is", sanitize(text)))
            });
            let rejected = principal.scope_set().rejected();
            let rejected = rejected.map(|(text, error)| format!("`{}` {error}", sanitize(text)));
            rejected.chain(misspelled).take(MAX_NOTES).collect()
        })
    }

    pub(super) fn contexts(&self, principal: &Principal) -> Contexts {
        *self.contexts.get_or_init(|| Contexts::of(principal))
    }

    pub(super) fn constrained(
        &self,
        principal: &Principal,
        context: ScopeContext,
    ) -> &UnderConstraint {
        let [patient, user, system] = &self.constrained;
        let cell = match context {
            ScopeContext::Patient => patient,
            ScopeContext::User => user,
            ScopeContext::System => system,
        };
        cell.get_or_init(|| UnderConstraint::of(principal, context))
    }
}

impl Contexts {
    fn of(principal: &Principal) -> Self {
        let mut all = Self { is_of_patient: has_launch_context(principal), ..Self::default() };
        for scope in principal.scopes() {
            all.is_of_patient |=
                ScopeKind::of(scope) == ScopeKind::Launch && scope.ends_with("patient");
            context_of(scope).into_iter().for_each(|context| all.add(context));
        }
        principal.smart_scopes().iter().for_each(|scope| all.add(scope.context()));
        all
    }

    fn add(&mut self, context: ScopeContext) {
        match context {
            ScopeContext::Patient => self.patient = true,
            ScopeContext::User => self.user = true,
            ScopeContext::System => self.system = true,
        }
    }
}

impl UnderConstraint {
    fn of(principal: &Principal, context: ScopeContext) -> Self {
        let mut all = Self::default();
        let held = principal.scopes().filter_map(Constrained::of);
        for scope in held.filter(|scope| scope.context == context) {
            match scope.resource_type {
                Some(name) => {
                    *all.by_type.entry(name.into()).or_default() |= scope.permissions;
                    all.of_any_type |= scope.permissions;
                }
                None => all.of_every_type |= scope.permissions,
            }
        }
        all
    }

    /// Reports whether the token has scopes for every type under a constraint alone: one without would
    /// undo it, whatever its permissions.
    pub(super) fn has_no_free_wildcard(
        &self,
        principal: &Principal,
        context: ScopeContext,
    ) -> bool {
        !self.of_every_type.is_empty() && free(principal, context, None).next().is_none()
    }

    /// Reports whether some of the permissions are held under a constraint alone. Every type is
    /// each of them: a wildcard would undo the constraint of any.
    pub(super) fn holds(
        &self,
        (principal, context): (&Principal, ScopeContext),
        name: &str,
        needed: Permissions,
    ) -> bool {
        let on = (name != "*").then_some(name);
        let constrained = match on {
            Some(name) => self.by_type.get(name).copied().unwrap_or_default(),
            None => self.of_any_type,
        };
        let constrained = needed & (constrained | self.of_every_type);
        if constrained.is_empty() {
            return false;
        }
        let free = free(principal, context, on).map(SmartScope::permissions);
        !free.fold(Permissions::empty(), |all, one| all | one).contains(constrained)
    }
}

/// Returns the scopes of a context about a type, or about every type, that have no constraint.
fn free<'p>(
    principal: &'p Principal,
    context: ScopeContext,
    on: Option<&'p str>,
) -> impl Iterator<Item = &'p SmartScope> {
    let about = principal.scope_set().covering(on);
    about.filter(move |scope| scope.context() == context && scope.constraint().is_none())
}
