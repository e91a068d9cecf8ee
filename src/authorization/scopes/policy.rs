//! SMART scopes as policy (SMART App Launch 2.2).
//!
//! [`requirement`](super::requirement) says what an interaction requires;
//! [`evaluator`](super::evaluator), which scopes apply. Scopes add up. Those that confine count where
//! the application has declared that its handlers enforce what they leave to them.

use std::collections::{BTreeMap, HashSet};

use super::evaluator::{GrantedBy, ScopeEvaluator};
use super::inapplicable::{Inapplicable, Reasons};
use super::requirement::{RequiredAccess, Requirements, ScopeRequirement, Target, Via};
use crate::authentication::Principal;
use crate::authorization::grant::Rule;
use crate::authorization::subject::Subject;
use crate::authorization::{AccessRequest, Authorizer, Confinement, Denial, Grant};
use crate::display_safe::sanitize;
use crate::explanation::Requirement;
use crate::fhir::resource_type;
use crate::smart::{Permissions, ScopeContext, SmartScope};

/// Grants what the SMART scopes of a caller grant.
///
/// ```
/// use tower_fhir_auth::{Enforcement, FhirAuthLayer, ScopePolicy};
///
/// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4")
///     .authorizer(ScopePolicy::new())
///     .handlers_enforce(Enforcement::COMPARTMENTS | Enforcement::CONSTRAINTS);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
#[non_exhaustive]
pub struct ScopePolicy;

impl ScopePolicy {
    /// Makes the policy.
    pub fn new() -> Self {
        Self
    }
}

impl Authorizer for ScopePolicy {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let principal = request.principal();
        let none_grants = || Denial::new("no scope grants this interaction");
        match ScopeRequirement::of(request.interaction(), request.enforcement()) {
            ScopeRequirement::Nothing => Ok(Grant::by("a valid token")),
            ScopeRequirement::Never => Err(none_grants()),
            ScopeRequirement::Undeclared(missing) => Err(none_grants().undeclared(missing)),
            ScopeRequirement::AnyScope => any_scope(principal).ok_or_else(|| {
                refusal(principal, &["user/*.rs".to_owned()], &Reasons::default(), None)
            }),
            ScopeRequirement::All(required) => {
                let evaluator = ScopeEvaluator::new(request, &required);
                satisfy_all(&evaluator, request, &required)
                    .map_err(|reasons| denial(request, evaluator, &required, &reasons))
            }
        }
    }
}

fn any_scope(principal: &Principal) -> Option<Grant> {
    let scopes = principal.smart_scopes();
    let named = scopes.iter().take(MAX_NAMED).cloned().map(Rule::Scope);
    (!scopes.is_empty()).then(|| Grant::by_all(named.collect()))
}

fn satisfy_all<'a>(
    evaluator: &ScopeEvaluator<'a>,
    request: &AccessRequest<'_>,
    required: &'a Requirements<'_>,
) -> Result<Grant, Reasons<'a>> {
    // What an interaction on one type requires first is its own permission on that type.
    let is_plain = Subject::of(request.interaction()) == Subject::One;
    let mut by = GrantedBy::new();
    let mut confinement = Confinement::open();
    let mut reasons = Reasons::default();
    let mut missing = false;
    for (place, required) in required.each.iter().enumerate() {
        let satisfied = match &required.target {
            Target::Type(name) if is_plain && place == 0 => {
                evaluator.satisfy_in_every_way(required, name).map(|(own, scopes)| {
                    confinement = own;
                    scopes
                })
            }
            Target::Type(_) | Target::AnyOf(_) | Target::SomeType | Target::EveryType => {
                evaluator.satisfy(required)
            }
        };
        match satisfied {
            Ok(scopes) => by.extend(scopes),
            Err(more) => {
                missing = true;
                reasons.extend(more);
            }
        }
    }
    if missing {
        return Err(reasons);
    }
    if by.len() > 1 {
        let mut each: HashSet<&SmartScope> = HashSet::new();
        by.retain(|scope| each.insert(*scope));
    }
    let rules = by.into_iter().cloned().map(Rule::Scope).collect();
    Ok(Grant::by_all(rules).confined_to(confinement))
}

/// The number of types that a refusal names, and of scopes that a grant names where any would do.
const MAX_NAMED: usize = 8;

/// The number of circumstances that a refusal tells.
const MAX_NOTES: usize = 3;

fn denial<'a>(
    request: &'a AccessRequest<'a>,
    evaluator: ScopeEvaluator<'a>,
    required: &'a Requirements<'_>,
    reasons: &Reasons<'_>,
) -> Denial {
    let principal = request.principal();
    let has = |wanted: fn(&Inapplicable<'_>) -> bool| reasons.iter().any(wanted);
    if has(|reason| matches!(reason, Inapplicable::OtherPatient | Inapplicable::NoUser(_))) {
        // Whatever would be enough is more than the record of the one patient.
        return refusal(principal, &[], reasons, None);
    }
    let possible = required.each.iter().all(|one| evaluator.patient_scope_would_apply(one));
    let exports = required.each.iter().any(|one| one.via == Via::Exported);
    if has(|reason| matches!(reason, Inapplicable::NoPatient(..))) {
        let with_patient = satisfy_all(&evaluator.assuming_patient(), request, required);
        let scopes = with_patient
            .ok()
            .map(|grant| grant.scopes().map(|scope| scope.to_string()).collect::<Vec<_>>());
        let own = scopes.unwrap_or_else(|| enough("patient", &required.each));
        let own = if possible || !own.is_empty() { own } else { Vec::new() };
        let enough: Vec<String> = std::iter::once("launch/patient".to_owned()).chain(own).collect();
        return refusal(principal, &enough, reasons, None);
    }
    let context = context(principal, possible, exports);
    let mut enough = context.map(|context| enough(context, &required.each)).unwrap_or_default();
    let confined = match context {
        Some("patient") => ScopeContext::Patient,
        Some("user") => ScopeContext::User,
        Some(_) | None => ScopeContext::System,
    };
    let unusable = evaluator.unusable(confined);
    match unusable {
        Some(Inapplicable::NoUser(_)) => enough.clear(),
        Some(_) => enough.insert(0, "launch/patient".to_owned()),
        None => {}
    }
    refusal(principal, &enough, reasons, unusable)
}

/// The narrowest context of the token's own scopes in which a scope could be enough. A token of
/// `patient/` scopes alone is not sent for more than its patient.
fn context(
    principal: &Principal,
    patient_is_possible: bool,
    exports: bool,
) -> Option<&'static str> {
    let held = |context| principal.smart_scopes().iter().any(|scope| scope.context() == context);
    let (patient, user) = (held(ScopeContext::Patient), held(ScopeContext::User));
    let system = held(ScopeContext::System);
    if exports {
        return (system || user || !patient).then_some("system");
    }
    if patient && patient_is_possible {
        return Some("patient");
    }
    match (user, system) {
        (true, _) => Some("user"),
        (false, true) => Some("system"),
        (false, false) => (!patient).then_some("user"),
    }
}

/// Scopes that would have been enough, together.
fn enough(context: &str, required: &[RequiredAccess<'_>]) -> Vec<String> {
    let mut permissions: BTreeMap<&str, Permissions> = BTreeMap::new();
    for one in required {
        let name = match &one.target {
            Target::Type(name) => &**name,
            Target::AnyOf(types) => types.first().map_or("*", String::as_str),
            Target::SomeType | Target::EveryType => "*",
        };
        let either = one.via == Via::Included;
        let needed = if either { Permissions::READ } else { one.permissions };
        let so_far = permissions.entry(name).or_default();
        *so_far = *so_far | needed;
    }
    // A scope can only name a type that is known.
    let unknown = permissions.keys().any(|name| !resource_type::is_known(name));
    let all = permissions.values().fold(Permissions::default(), |all, some| all | *some);
    if unknown || permissions.len() > MAX_NAMED {
        return vec![format!("{context}/*.{all}")];
    }
    permissions.iter().map(|(name, needed)| format!("{context}/{name}.{needed}")).collect()
}

fn refusal(
    principal: &Principal,
    enough: &[String],
    reasons: &Reasons<'_>,
    unusable: Option<Inapplicable<'_>>,
) -> Denial {
    let rejected = principal.scope_set().rejected();
    let rejected = rejected.map(|(text, error)| format!("`{}` {error}", sanitize(text)));
    let unusable = unusable.map(|reason| reason.to_string()).into_iter();
    let notes = unusable.chain(reasons.iter().map(ToString::to_string)).chain(rejected);
    let notes: Vec<String> = notes.take(MAX_NOTES).collect();
    let mut denial = Denial::new("no scope of the token grants this");
    if !notes.is_empty() {
        denial = denial.note(notes.join("; "));
    }
    for reason in reasons.iter() {
        if let Inapplicable::Undeclared(_, missing) = reason {
            denial = denial.requires([Requirement::Declaration((*missing).to_owned())]);
        }
    }
    let held: Vec<&str> = principal.scopes().collect();
    let held = if held.is_empty() { "(none)".to_owned() } else { held.join(" ") };
    if enough.is_empty() {
        return denial.found(held);
    }
    denial.sides(held, enough.join(" ")).required_scopes(enough)
}
