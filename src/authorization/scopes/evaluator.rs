//! Evaluates the scopes of an access token against a request: which of them grant a permission on a resource type,
//! and why the others do not.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;

use super::context::{self, PatientContext};
use super::inapplicable::{Inapplicable, Reasons};
use super::requirement::{NamedPatients, RequiredAccess, RequiredTypes, Requirements, Via};
use crate::authorization::{AccessRequest, Alternative, Alternatives, Confinement, Enforcement};
use crate::fhir::search;
use crate::smart::{Constraint, Permissions, ScopeContext, ScopeSet, SmartScope};

/// Evaluates the scopes of one token for one request.
///
/// Where a resource type is an `Option`, `None` is every type at once, which nothing but a wildcard scope covers.
pub(super) struct ScopeEvaluator<'a> {
    request: &'a AccessRequest<'a>,
    named_patients: &'a NamedPatients<'a>,
    /// The context of `patient/` scopes, read when the first of them is checked.
    patient: OnceCell<PatientContext<'a>>,
    /// The context of `user/` scopes, read likewise.
    user: OnceCell<PatientContext<'a>>,
    /// True to find out what would be granted if the token had a patient in context, for advice.
    assumes_patient: bool,
}

/// The scopes that together grant an access: one for each permission, or one that holds all of them.
pub(super) type GrantedBy<'a> = SmallVec<[&'a SmartScope; 4]>;

/// The patient of a token that is assumed to have one, for advice alone: whoever the request names. No id is empty.
const ASSUMED: &str = "";

/// The number of types listed in the URL that are tried with a constrained wildcard; further ones are not granted.
const MAX_TRIED: usize = 64;

impl<'a> ScopeEvaluator<'a> {
    pub(super) fn new(request: &'a AccessRequest<'a>, required: &'a Requirements<'_>) -> Self {
        let (patient, user) = (OnceCell::new(), OnceCell::new());
        Self { request, named_patients: &required.patients, patient, user, assumes_patient: false }
    }

    /// Evaluates as if the token had a patient in context.
    pub(super) fn assuming_patient(self) -> Self {
        Self { assumes_patient: true, ..self }
    }

    fn scopes(&self) -> &'a ScopeSet {
        self.request.principal().scope_set()
    }

    /// Finds a scope for each required permission. For included resources one scope is enough, with either reading
    /// or searching.
    pub(super) fn satisfy(
        &self,
        required: &'a RequiredAccess<'_>,
    ) -> Result<GrantedBy<'a>, Reasons<'a>> {
        let on = match &required.types {
            RequiredTypes::Type(name) => Some(&**name),
            RequiredTypes::EveryType => None,
            RequiredTypes::AnyOf(types) => return self.satisfy_on_some(required, Some(types)),
            RequiredTypes::SomeType => return self.satisfy_on_some(required, None),
        };
        let mut granted_by = GrantedBy::new();
        let mut reasons = Reasons::default();
        let mut missing = false;
        for permission in required.permissions.iter() {
            match self.first(permission, on, required.via, &mut reasons) {
                // READ or SEARCH alone is enough for a resource that comes with a result.
                Some(scope) if required.via == Via::Included => {
                    return Ok(GrantedBy::from_iter([scope]));
                }
                Some(scope) => granted_by.push(scope),
                None => missing = true,
            }
        }
        if missing || granted_by.is_empty() { Err(reasons) } else { Ok(granted_by) }
    }

    /// Finds the first scope that applies. Unconstrained ones come first: a constraint takes longest to check.
    fn first(
        &self,
        permission: Permissions,
        on: Option<&'a str>,
        via: Via,
        reasons: &mut Reasons<'a>,
    ) -> Option<&'a SmartScope> {
        let candidates = |constrained: bool| {
            self.scopes().covering(on).filter(move |scope| {
                scope.permissions().contains(permission)
                    && scope.constraint().is_some() == constrained
            })
        };
        candidates(false).chain(candidates(true)).find(|scope| {
            self.check_applies(scope, permission, on, via)
                .map_err(|reason| reasons.add(reason))
                .is_ok()
        })
    }

    /// Finds a resource type, one of `candidates` or of all, on which every required permission is granted. An included
    /// resource, of which one permission is enough, always has its type.
    fn satisfy_on_some(
        &self,
        required: &'a RequiredAccess<'_>,
        candidates: Option<&'a BTreeSet<String>>,
    ) -> Result<GrantedBy<'a>, Reasons<'a>> {
        let mut reasons = Reasons::default();
        // An empty list of types grants nothing.
        let every_type = candidates.is_none_or(|types| !types.is_empty()).then_some(None);
        let is_candidate = |name: &&str| candidates.is_none_or(|types| types.contains(*name));
        let of_scopes = self.scopes().types().filter(is_candidate);
        for on in every_type.into_iter().chain(of_scopes.map(Some)) {
            let each = required
                .permissions
                .iter()
                .map(|permission| self.first(permission, on, required.via, &mut reasons));
            let granted_by = each.collect::<Option<GrantedBy<'a>>>();
            // Who asks for nothing is granted nothing.
            if let Some(granted_by) = granted_by.filter(|scopes| !scopes.is_empty()) {
                return Ok(granted_by);
            }
        }
        match self.constrained_wildcard(required, candidates, &mut reasons) {
            Some(scope) => Ok(GrantedBy::from_iter([scope])),
            None => Err(reasons),
        }
    }

    /// Finds a wildcard scope whose constraint can be enforced on at least one type; those that scopes name have been
    /// tried. One scope has to hold every permission: combinations of wildcards are not tried, which bounds the work.
    fn constrained_wildcard(
        &self,
        required: &'a RequiredAccess<'_>,
        candidates: Option<&'a BTreeSet<String>>,
        reasons: &mut Reasons<'a>,
    ) -> Option<&'a SmartScope> {
        // Other ways have rules of their own in `check_applies`, which is not asked here.
        if required.via != Via::Direct {
            return None;
        }
        let mut wildcards = self.scopes().covering(None);
        wildcards.find(|scope| {
            if !scope.permissions().contains(required.permissions) {
                return false;
            }
            let Ok(Some(constraint)) = scope.parsed_constraint() else { return false };
            // Nothing is created on several types at once.
            if let Err(reason) = self.patient_of(scope, required.permissions, None) {
                reasons.add(reason);
                return false;
            }
            let mut applies = |on: &'a str| {
                let checked = self.check_constraint(scope, constraint, Some(on));
                checked.map_err(|reason| reasons.add(reason)).is_ok()
            };
            match candidates {
                Some(types) => types.iter().take(MAX_TRIED).any(|name| applies(name)),
                None => self.request.interaction().resource_types().names().any(applies),
            }
        })
    }

    /// Collects every scope that grants the one permission of an interaction on its one type: each is an alternative.
    pub(super) fn collect_alternatives(
        &self,
        required: &'a RequiredAccess<'_>,
        on: &'a str,
    ) -> Result<(Confinement, GrantedBy<'a>), Reasons<'a>> {
        let mut granted_by = GrantedBy::new();
        let mut reasons = Reasons::default();
        let permissions = required.permissions;
        let candidates = self.scopes().covering(Some(on));
        let candidates = candidates.filter(|scope| scope.permissions().contains(permissions));
        let applied = candidates.filter_map(|scope| {
            let patient = self.check_applies(scope, permissions, Some(on), required.via);
            let patient = patient.map_err(|reason| reasons.add(reason)).ok()?;
            granted_by.push(scope);
            let constraint = scope.parsed_constraint().ok()?;
            Some(Alternative::shared(patient, constraint.map(Arc::clone)))
        });
        let alternatives: Alternatives = applied.collect();
        if alternatives.is_none() { Err(reasons) } else { Ok((alternatives.into(), granted_by)) }
    }

    /// Reports whether a scope grants the one permission of an interaction on its one type, without a patient and
    /// without a constraint.
    pub(super) fn grants_unconfined_access(
        &self,
        required: &'a RequiredAccess<'_>,
        on: &'a str,
    ) -> bool {
        let mut candidates = self.scopes().covering(Some(on));
        candidates.any(|scope| {
            scope.permissions().contains(required.permissions)
                && scope.constraint().is_none()
                && self
                    .check_applies(scope, required.permissions, Some(on), required.via)
                    .is_ok_and(|patient| patient.is_none())
        })
    }

    /// Checks that a scope which covers the permission and the type can be used for this request, and returns the
    /// patient whom it confines to, if any.
    fn check_applies(
        &self,
        scope: &'a SmartScope,
        permission: Permissions,
        on: Option<&'a str>,
        via: Via,
    ) -> Result<Option<&str>, Inapplicable<'a>> {
        let enforced = self.request.enforcement();
        // `ScopeSet` keeps no scope whose constraint cannot be parsed.
        let constraint =
            scope.parsed_constraint().map_err(|_| Inapplicable::UnreadableConstraint(scope))?;
        let patient = self.patient_of(scope, permission, on)?;
        let is_confined = patient.is_some() || constraint.is_some();
        match via {
            // An export shows types whole, and is for SMART Backend Services (Bulk Data Access 2.0, export).
            Via::Exported if is_confined || !scope.is_of_system() => {
                return Err(Inapplicable::NotOfSystem);
            }
            Via::Chained | Via::Untargeted if constraint.is_some() => {
                return Err(Inapplicable::ConstrainedLink(scope));
            }
            Via::Included | Via::Chained | Via::Untargeted
                if is_confined && !enforced.contains(Enforcement::INCLUDES) =>
            {
                return Err(Inapplicable::Undeclared("scopes that confine", "includes"));
            }
            Via::Cascade if is_confined => return Err(Inapplicable::Cascade),
            Via::UnreadBody if is_confined => {
                return Err(Inapplicable::Undeclared("scopes that confine", "bodies of searches"));
            }
            Via::Direct
            | Via::Included
            | Via::Chained
            | Via::Untargeted
            | Via::Cascade
            | Via::UnreadBody
            | Via::Exported => {}
        }
        if let Some(constraint) = constraint {
            self.check_constraint(scope, constraint, on)?;
        }
        Ok(patient)
    }

    /// Checks that the server can enforce a constraint on a type.
    fn check_constraint(
        &self,
        scope: &'a SmartScope,
        constraint: &'a Constraint,
        on: Option<&'a str>,
    ) -> Result<(), Inapplicable<'a>> {
        let on = on.ok_or(Inapplicable::ConstraintOnEveryType(scope))?;
        let supported = &self.request.handlers().constraints;
        let unknown = constraint.parameters().find(|(name, _)| !supported.supports(on, name));
        if let Some((name, _)) = unknown {
            return Err(if search::is_known(on, name) {
                Inapplicable::UndeclaredParameter(scope, on, name)
            } else {
                Inapplicable::UnknownParameter(scope, on, name)
            });
        }
        if !self.request.enforcement().contains(Enforcement::CONSTRAINTS) {
            return Err(Inapplicable::Undeclared("scopes with a constraint", "constraints"));
        }
        Ok(())
    }

    /// Reports whether a scope has a constraint that the server can enforce on a type.
    pub(super) fn can_enforce_constraint(&self, scope: &'a SmartScope, on: &'a str) -> bool {
        let constraint = scope.parsed_constraint().ok().flatten();
        constraint.is_some_and(|one| self.check_constraint(scope, one, Some(on)).is_ok())
    }

    /// Returns the patient whom a scope confines to, if any; an error if it cannot be used.
    fn patient_of(
        &self,
        scope: &'a SmartScope,
        permission: Permissions,
        on: Option<&'a str>,
    ) -> Result<Option<&str>, Inapplicable<'a>> {
        let enforced = self.request.enforcement().contains(Enforcement::COMPARTMENTS);
        let patient = match self.patient_context(scope.context()) {
            PatientContext::Unconfined => return Ok(None),
            PatientContext::UserUnknown(reason) => {
                return Err(Inapplicable::UnreadableUser(*reason));
            }
            // Before a patient is asked for: without the declaration no token helps.
            PatientContext::ToPatient(_) | PatientContext::PatientMissing(_) if !enforced => {
                let scopes = "scopes that confine to a patient";
                return Err(Inapplicable::Undeclared(scopes, "compartments"));
            }
            PatientContext::ToPatient(patient) => &**patient,
            PatientContext::PatientMissing(_) if self.assumes_patient => ASSUMED,
            PatientContext::PatientMissing(reason) => {
                return Err(Inapplicable::ScopeWithoutPatient(*reason, scope));
            }
        };
        if patient != ASSUMED && self.named_patients.include_other_than(patient) {
            return Err(Inapplicable::OtherPatient);
        }
        match on {
            Some(name) if permission.contains(Permissions::CREATE) && !self.may_create(name) => {
                Err(Inapplicable::NotWrittenByPatients(name))
            }
            // Updates and deletions depend on the instance, which the handler checks.
            Some(_) | None => Ok(Some(patient)),
        }
    }

    fn patient_context(&self, context: ScopeContext) -> &PatientContext<'a> {
        let (principal, base) = (self.request.principal(), self.request.interaction().base());
        match context {
            ScopeContext::System => &PatientContext::Unconfined,
            ScopeContext::Patient => {
                self.patient.get_or_init(|| context::of_patient_scopes(principal, base))
            }
            ScopeContext::User => {
                self.user.get_or_init(|| context::of_user_scopes(principal, base))
            }
        }
    }

    /// Returns why no scope of a context can grant anything, where that is so.
    pub(super) fn unusable(&self, context: ScopeContext) -> Option<Inapplicable<'a>> {
        match self.patient_context(context) {
            PatientContext::UserUnknown(reason) => Some(Inapplicable::UnreadableUser(*reason)),
            PatientContext::PatientMissing(reason) => {
                Some(Inapplicable::ContextWithoutPatient(*reason))
            }
            PatientContext::Unconfined | PatientContext::ToPatient(_) => None,
        }
    }

    /// Reports whether scopes that confine to a patient may create a type: what belongs to the patient's compartment, but
    /// no Patient.
    fn may_create(&self, name: &str) -> bool {
        name != "Patient" && self.request.patient_compartment().is_written(name)
    }

    /// Reports whether an unconstrained scope of `context` with the required permissions and type would apply once the
    /// token has a patient in context. It has the rules of [`check_applies`](Self::check_applies), for a scope that the
    /// token has not.
    pub(super) fn would_apply(
        &self,
        context: ScopeContext,
        required: &'a RequiredAccess<'_>,
    ) -> bool {
        let patient = match self.patient_context(context) {
            PatientContext::UserUnknown(_) => return false,
            PatientContext::Unconfined => {
                return required.via != Via::Exported || context == ScopeContext::System;
            }
            PatientContext::ToPatient(patient) => Some(patient),
            PatientContext::PatientMissing(_) => None,
        };
        let enforced = self.request.enforcement();
        let possible = match required.via {
            Via::Direct => true,
            Via::Included | Via::Chained | Via::Untargeted => {
                enforced.contains(Enforcement::INCLUDES)
            }
            Via::Cascade | Via::UnreadBody | Via::Exported => false,
        };
        let creates = required.permissions.contains(Permissions::CREATE);
        let may_create = match &required.types {
            RequiredTypes::Type(name) => self.may_create(name),
            RequiredTypes::AnyOf(_) | RequiredTypes::SomeType | RequiredTypes::EveryType => true,
        };
        possible
            && patient.is_none_or(|patient| !self.named_patients.include_other_than(patient))
            && enforced.contains(Enforcement::COMPARTMENTS)
            && (!creates || may_create)
    }
}
