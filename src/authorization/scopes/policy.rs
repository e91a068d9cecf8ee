//! SMART scopes as policy (SMART App Launch 2.2).
//!
//! [`requirement`](super::requirement) says what an interaction requires;
//! [`evaluator`](super::evaluator), which scopes apply. Scopes add up. Those that confine count where
//! the application has declared that its handlers enforce what they leave to them.

use std::ptr;

use hashbrown::HashSet;

use super::caller::{CallerScopes, MAX_NOTES};
use super::context::{self, PatientContext};
use super::evaluator::{GrantedBy, ScopeEvaluator};
use super::inapplicable::{Inapplicable, Reasons};
use super::requirement::{RequiredAccess, RequiredTypes, Requirements, ScopeRequirement, Via};
use super::sufficient::{
    LAUNCH_PATIENT, any_sufficient_scope, narrowest_context, sufficient_scopes,
};
use crate::authentication::{CallerKind, Principal};
use crate::authorization::caller_memo::CallerMemo;
use crate::authorization::grant::Rule;
use crate::authorization::targets::TargetCount;
use crate::authorization::{AccessRequest, Authorizer, Confinement, Denial, Grant};
use crate::explanation::Requirement;
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

    /// Reports whether the scopes of a caller hold all permissions on every type, and confine to nothing.
    pub(in crate::authorization) fn hold_everything(&self, request: &AccessRequest<'_>) -> bool {
        // Before handlers that enforce nothing, scopes that confine do not count.
        let request = AccessRequest::new(request.principal(), request.interaction());
        let everything = RequiredAccess {
            permissions: Permissions::ALL,
            types: RequiredTypes::EveryType,
            via: Via::Direct,
        };
        let required = Requirements::default();
        ScopeEvaluator::new(&request, &required).satisfy(&everything).is_ok()
    }

    /// Reports whether the scopes of a caller are about one patient, whoever that is.
    pub(in crate::authorization) fn are_of_a_patient(&self, request: &AccessRequest<'_>) -> bool {
        let principal = request.principal();
        let base = request.interaction().base();
        let own = CallerScopes::default();
        match narrowest_context(principal, of_caller(request, &own), false) {
            Some(ScopeContext::Patient) => true,
            Some(ScopeContext::User) => {
                context::of_user_scopes(principal, base) != PatientContext::Unconfined
            }
            Some(ScopeContext::System) | None => false,
        }
    }
}

impl Authorizer for ScopePolicy {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        let principal = request.principal();
        let none_grants = || Denial::new("no scope grants this interaction");
        if let Some(fault) = request.interaction().address_fault() {
            return Err(Denial::of_address(fault));
        }
        match ScopeRequirement::of(request.interaction(), request.enforcement()) {
            ScopeRequirement::Nothing => Ok(Grant::by("a valid token")),
            ScopeRequirement::Never => Err(none_grants()),
            ScopeRequirement::Undeclared(missing) => Err(none_grants().undeclared(missing)),
            ScopeRequirement::AnyScope => any_scope(principal).ok_or_else(|| {
                let own = CallerScopes::default();
                let caller = of_caller(request, &own);
                let enough = Vec::from_iter(any_sufficient_scope(principal, caller));
                refusal(request, caller, &enough, &Reasons::default(), None)
            }),
            ScopeRequirement::All(required) => {
                let evaluator = ScopeEvaluator::new(request, &required);
                satisfy_all(&evaluator, request, &required).map_err(|reasons| {
                    let own = CallerScopes::default();
                    let caller = of_caller(request, &own);
                    denial(request, caller, &evaluator, &required, reasons)
                })
            }
        }
    }

    fn grants_unconfined(&self, request: &AccessRequest<'_>) -> bool {
        // Asked with each request that passes through: without a list of requirements what `ConfinedLayer` adds to a
        // resource is 4 %, with it 6 % (`cargo bench --bench cost`).
        if let Some(one) = RequiredAccess::alone(request.interaction())
            && let RequiredTypes::Type(name) = &one.types
        {
            // No declaration of handlers and no context of the token takes anything from these. To ask the evaluator
            // takes 300 more of the 4,300 instructions that a token adds to the gateway (`.ci/world gateway`).
            if request.principal().scope_set().holds_on_every_type(one.permissions) {
                return true;
            }
            let alone = Requirements::default();
            return ScopeEvaluator::new(request, &alone).grants_unconfined_access(&one, name);
        }
        match ScopeRequirement::of(request.interaction(), request.enforcement()) {
            ScopeRequirement::Nothing => true,
            ScopeRequirement::Never | ScopeRequirement::Undeclared(_) => false,
            ScopeRequirement::AnyScope => !request.principal().smart_scopes().is_empty(),
            ScopeRequirement::All(required) => {
                let evaluator = ScopeEvaluator::new(request, &required);
                let is_plain = TargetCount::of(request.interaction()) == TargetCount::One;
                required.each.iter().enumerate().all(|(index, one)| match &one.types {
                    RequiredTypes::Type(name) if is_plain && index == 0 => {
                        evaluator.grants_unconfined_access(one, name)
                    }
                    RequiredTypes::Type(_)
                    | RequiredTypes::AnyOf(_)
                    | RequiredTypes::SomeType
                    | RequiredTypes::EveryType => evaluator.satisfy(one).is_ok(),
                })
            }
        }
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        true
    }

    fn may_grant_operation(&self, name: &str) -> bool {
        super::requirement::is_grantable(name)
    }
}

/// Returns the memo of the caller's scopes, or `own` if the request has none.
pub(in crate::authorization) fn of_caller<'a>(
    request: &AccessRequest<'a>,
    own: &'a CallerScopes,
) -> &'a CallerScopes {
    request.memo().map_or(own, CallerMemo::scopes)
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
    let is_plain = TargetCount::of(request.interaction()) == TargetCount::One;
    let mut by = GrantedBy::new();
    let mut confinement = Confinement::open();
    let mut reasons = Reasons::default();
    let mut missing = false;
    for (index, required) in required.each.iter().enumerate() {
        let satisfied = match &required.types {
            RequiredTypes::Type(name) if is_plain && index == 0 => {
                evaluator.collect_alternatives(required, name).map(|(own, scopes)| {
                    confinement = own;
                    scopes
                })
            }
            RequiredTypes::Type(_)
            | RequiredTypes::AnyOf(_)
            | RequiredTypes::SomeType
            | RequiredTypes::EveryType => evaluator.satisfy(required),
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
        // All are of the token's one set, where none is there twice: the index tells them apart.
        let mut each: HashSet<*const SmartScope> = HashSet::with_capacity(by.len());
        by.retain(|scope| each.insert(ptr::from_ref(*scope)));
    }
    let rules = by.into_iter().cloned().map(Rule::Scope).collect();
    Ok(Grant::by_all(rules).confined_to(confinement))
}

/// The number of scopes that a grant names where any would do.
const MAX_NAMED: usize = 8;

fn denial<'a>(
    request: &'a AccessRequest<'a>,
    caller: &CallerScopes,
    evaluator: &ScopeEvaluator<'a>,
    required: &'a Requirements<'_>,
    mut reasons: Reasons<'a>,
) -> Denial {
    let has = |wanted: fn(&Inapplicable<'_>) -> bool| reasons.iter().any(wanted);
    // Whatever would be enough is more than the record of the one patient.
    if has(|reason| matches!(reason, Inapplicable::OtherPatient)) {
        return refusal(request, caller, &[], &reasons, None);
    }
    if has(|reason| matches!(reason, Inapplicable::ScopeWithoutPatient(..))) {
        let with_patient = ScopeEvaluator::new(request, required).assuming_patient();
        if let Ok(grant) = satisfy_all(&with_patient, request, required) {
            let own = grant.scopes().map(ToString::to_string);
            let scopes: Vec<String> =
                std::iter::once(LAUNCH_PATIENT.to_owned()).chain(own).collect();
            let refusal = refusal(request, caller, &scopes, &reasons, None);
            return with_patient_of_entra(request, refusal);
        }
    }
    // A scope of the token would be enough, if the user could be told or the application declared
    // more: a wider one is not in its place.
    let server_is_short = has(|reason| {
        matches!(
            reason,
            Inapplicable::UnreadableUser(_)
                | Inapplicable::Undeclared(..)
                | Inapplicable::UndeclaredParameter(..)
                | Inapplicable::UnknownParameter(..)
        )
    });
    if server_is_short {
        return refusal(request, caller, &[], &reasons, None);
    }
    let enough = sufficient_scopes(evaluator, request, caller, required);
    enough.notes.into_iter().for_each(|note| reasons.add(note));
    refusal(request, caller, &enough.scopes, &reasons, enough.unusable)
}

/// Adds how tokens of Microsoft Entra ID get a patient: nobody can ask it for one.
fn with_patient_of_entra(request: &AccessRequest<'_>, denial: Denial) -> Denial {
    let principal = request.principal();
    if principal.kind() == CallerKind::Unknown {
        return denial;
    }
    let mut claims = principal.patient_claims().to_vec();
    claims.push("fhirUser".to_owned());
    denial.requires([Requirement::Patient(claims)])
}

fn refusal(
    request: &AccessRequest<'_>,
    caller: &CallerScopes,
    enough: &[String],
    reasons: &Reasons<'_>,
    unusable: Option<Inapplicable<'_>>,
) -> Denial {
    let principal = request.principal();
    let types = request.interaction().resource_types();
    let unusable = unusable.map(|reason| reason.to_string()).into_iter();
    let mut notes: Vec<String> =
        unusable.chain(reasons.iter().map(ToString::to_string)).take(MAX_NOTES).collect();
    if notes.len() < MAX_NOTES {
        let unreadable = caller.unreadable(principal, types).iter();
        notes.extend(unreadable.take(MAX_NOTES - notes.len()).cloned());
    }
    let mut denial = Denial::new("no scope of the token grants this");
    if !notes.is_empty() {
        denial = denial.note(notes.join("; "));
    }
    for reason in reasons.iter() {
        if let Inapplicable::Undeclared(_, missing) = reason {
            denial = denial.requires([Requirement::Declaration((*missing).to_owned())]);
        } else if let Inapplicable::UndeclaredParameter(_, on, name) = reason {
            let (resource_type, name) = ((*on).to_owned(), (*name).to_owned());
            denial = denial.requires([Requirement::Parameter { resource_type, name }]);
        }
    }
    let held = caller.listed(principal);
    if enough.is_empty() {
        return denial.with_found(held);
    }
    denial.required_scopes(enough).with_found(held).with_expected(enough.join(" "))
}
