//! The scopes that a refusal names: the least that would have been enough, in the narrowest context
//! that the token has, and never in a wider one.

use std::collections::BTreeMap;

use super::caller::{CallerScopes, Contexts};
use super::evaluator::ScopeEvaluator;
use super::inapplicable::Inapplicable;
use super::requirement::{RequiredAccess, RequiredTypes, Requirements, Via};
use crate::authentication::string_claim::StringClaim;
use crate::authentication::{CallerKind, Principal};
use crate::authorization::AccessRequest;
use crate::fhir::resource_type;
use crate::smart::{Permissions, ScopeContext};

/// The scope that asks for a patient in context.
pub(super) const LAUNCH_PATIENT: &str = "launch/patient";

/// The room for scopes in a challenge: servers and proxies mostly have 8 KiB for all headers.
const MAX_NAMED_BYTES: usize = 4096;

/// The scopes that would have been enough together; none where that would be more than the token is
/// for.
#[derive(Debug, Default)]
pub(super) struct SufficientScopes<'a> {
    pub(super) scopes: Vec<String>,
    /// The reason for which scopes of the context grant nothing yet.
    pub(super) unusable: Option<Inapplicable<'a>>,
    /// The reasons for which none would do.
    pub(super) notes: Vec<Inapplicable<'a>>,
}

/// Returns the constraint under which alone the token has anything of a type, where a scope with it
/// would be enough: what is missing is no reason to take the constraint away.
fn own_constraint<'a>(
    evaluator: &ScopeEvaluator<'a>,
    principal: &'a Principal,
    context: ScopeContext,
    name: &'a str,
    required: &[RequiredAccess<'_>],
) -> Option<&'a str> {
    let is_about = |one: &&RequiredAccess<'_>| match &one.types {
        RequiredTypes::Type(on) => on == name,
        RequiredTypes::AnyOf(_) | RequiredTypes::SomeType | RequiredTypes::EveryType => true,
    };
    if name == "*" || !required.iter().filter(is_about).all(|one| one.via == Via::Direct) {
        return None;
    }
    let held = principal.scope_set().covering(Some(name));
    let mut held = held.filter(|scope| scope.context() == context).peekable();
    let first = held.peek().copied()?;
    let is_constrained = held.all(|scope| scope.constraint().is_some());
    (is_constrained && evaluator.can_enforce_constraint(first, name)).then(|| first.constraint())?
}

/// Returns the scopes that would have been enough for all that is required.
pub(super) fn sufficient_scopes<'a>(
    evaluator: &ScopeEvaluator<'a>,
    request: &'a AccessRequest<'a>,
    caller: &CallerScopes,
    required: &'a Requirements<'_>,
) -> SufficientScopes<'a> {
    let principal = request.principal();
    let types = request.interaction().resource_types();
    let is_nameable = |name: &str| resource_type::is_known(name) || types.declared(name).is_some();
    let unknown = required.each.iter().find_map(|one| match &one.types {
        RequiredTypes::Type(name) if !is_nameable(name) => Some(&**name),
        RequiredTypes::Type(_)
        | RequiredTypes::AnyOf(_)
        | RequiredTypes::SomeType
        | RequiredTypes::EveryType => None,
    });
    if let Some(name) = unknown {
        return SufficientScopes {
            notes: vec![Inapplicable::UnknownType(name)],
            ..SufficientScopes::default()
        };
    }
    let exports = required.each.iter().any(|one| one.via == Via::Exported);
    let applies = |context| required.each.iter().all(|one| evaluator.would_apply(context, one));
    let Some(context) = narrowest_context(principal, caller, exports) else {
        let notes = exports.then_some(Inapplicable::NotOfSystem).into_iter().collect();
        return SufficientScopes { notes, ..SufficientScopes::default() };
    };
    let unusable = evaluator.unusable(context);
    if !applies(context) {
        return SufficientScopes { unusable, ..SufficientScopes::default() };
    }
    let least = least(principal, &required.each);
    let constrained = caller.constrained(principal, context);
    let is_wider = |name, needed| constrained.holds((principal, context), name, needed);
    if least.iter().any(|(name, needed)| is_wider(name, *needed)) {
        return SufficientScopes { unusable, ..SufficientScopes::default() };
    }
    if constrained.has_no_free_wildcard(principal, context)
        && least.iter().any(|(name, _)| *name == "*")
    {
        return SufficientScopes { unusable, ..SufficientScopes::default() };
    }
    let written = least.into_iter().map(|(name, needed)| {
        let constraint = own_constraint(evaluator, principal, context, name, &required.each);
        let constraint = constraint.map(|text| format!("?{text}")).unwrap_or_default();
        format!("{}/{name}.{needed}{constraint}", word(context))
    });
    let mut scopes: Vec<String> = written.collect();
    // Scopes are not cut: a part of a constraint is another one.
    if scopes.iter().map(String::len).sum::<usize>() > MAX_NAMED_BYTES {
        return SufficientScopes { unusable, ..SufficientScopes::default() };
    }
    if unusable.is_some() {
        scopes.insert(0, LAUNCH_PATIENT.to_owned());
    }
    SufficientScopes { scopes, unusable, notes: Vec::new() }
}

/// Returns the least scope for data that there is, where any would have been enough; none where the
/// token has it under a constraint.
pub(super) fn any_sufficient_scope(principal: &Principal, caller: &CallerScopes) -> Option<String> {
    let context = narrowest_context(principal, caller, false).unwrap_or(ScopeContext::User);
    let constrained = caller.constrained(principal, context);
    let is_wider = constrained.holds((principal, context), "Patient", Permissions::READ);
    (!is_wider).then(|| format!("{}/Patient.r", word(context)))
}

/// Returns the narrowest context of the scopes that a token has, malformed ones too. One without
/// any gets that of its patient, else that of a user.
pub(super) fn narrowest_context(
    principal: &Principal,
    caller: &CallerScopes,
    exports: bool,
) -> Option<ScopeContext> {
    let Contexts { patient, user, system, is_of_patient } = caller.contexts(principal);
    if patient {
        return Some(ScopeContext::Patient).filter(|_| !exports);
    }
    let is_of_user = principal.fhir_user_claim().claim != StringClaim::Absent;
    // No application by itself has scopes of users.
    let is_application = principal.kind() == CallerKind::Application;
    match (user, system) {
        (false, false) if is_application => Some(ScopeContext::System),
        (_, true) if exports => Some(ScopeContext::System),
        (false, false) if exports => {
            (!is_of_patient && !is_of_user).then_some(ScopeContext::System)
        }
        (true, _) => (!exports).then_some(ScopeContext::User),
        (false, true) => Some(ScopeContext::System),
        (false, false) if is_of_patient => Some(ScopeContext::Patient),
        (false, false) => Some(ScopeContext::User),
    }
}

fn word(context: ScopeContext) -> &'static str {
    match context {
        ScopeContext::Patient => "patient",
        ScopeContext::User => "user",
        ScopeContext::System => "system",
    }
}

/// Returns the fewest permissions, by type, that hold all that is required.
fn least<'a>(
    principal: &'a Principal,
    required: &'a [RequiredAccess<'_>],
) -> Vec<(&'a str, Permissions)> {
    let mut permissions: BTreeMap<&str, Permissions> = BTreeMap::new();
    let mut take = |name, needed: Permissions| {
        let so_far = permissions.entry(name).or_default();
        *so_far |= needed;
    };
    for one in required.iter().filter(|one| one.via != Via::Included) {
        match &one.types {
            RequiredTypes::Type(name) => take(&**name, one.permissions),
            RequiredTypes::EveryType => take("*", one.permissions),
            RequiredTypes::AnyOf(_) | RequiredTypes::SomeType => {}
        }
    }
    let own = || principal.scope_set().types();
    for one in required.iter().filter(|one| one.via != Via::Included) {
        let is_meant = |name: &str| match &one.types {
            RequiredTypes::AnyOf(types) => types.contains(name),
            RequiredTypes::Type(_) | RequiredTypes::SomeType | RequiredTypes::EveryType => true,
        };
        let is_met = |(name, held): (&&str, &Permissions)| {
            held.contains(one.permissions) && (*name == "*" || is_meant(name))
        };
        let name = match &one.types {
            RequiredTypes::Type(_) | RequiredTypes::EveryType => continue,
            _ if permissions.iter().any(is_met) => continue,
            RequiredTypes::AnyOf(types) => {
                let first = types.first().map_or("*", String::as_str);
                own().find(|name| is_meant(name)).unwrap_or(first)
            }
            RequiredTypes::SomeType => own().next().unwrap_or("Patient"),
        };
        let so_far = permissions.entry(name).or_default();
        *so_far |= one.permissions;
    }
    // What comes along takes one permission of several, and one that is there is enough.
    for one in required.iter().filter(|one| one.via == Via::Included) {
        let name = match &one.types {
            RequiredTypes::Type(name) => &**name,
            RequiredTypes::EveryType => "*",
            RequiredTypes::AnyOf(_) | RequiredTypes::SomeType => continue,
        };
        let is_held =
            |name| permissions.get(name).is_some_and(|all| all.intersects(one.permissions));
        if !is_held(name) && !is_held("*") {
            *permissions.entry(name).or_default() |= Permissions::READ;
        }
    }
    let of_all = permissions.get("*").copied().unwrap_or_default();
    permissions.retain(|name, needed| *name == "*" || !of_all.contains(*needed));
    permissions.into_iter().collect()
}
