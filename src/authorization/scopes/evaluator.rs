//! The scopes of one token against one request: which of them apply to a permission on a type, and why
//! others do not.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use smallvec::SmallVec;

use super::context::{self, Confined};
use super::inapplicable::{Inapplicable, Reasons};
use super::requirement::{NamedPatients, RequiredAccess, Requirements, Target, Via};
use crate::authorization::{AccessRequest, Alternative, Alternatives, Confinement, Enforcement};
use crate::fhir::search;
use crate::smart::{Constraint, Permissions, ScopeContext, ScopeSet, SmartScope};

pub(super) struct ScopeEvaluator<'a> {
    request: &'a AccessRequest<'a>,
    named: &'a NamedPatients<'a>,
    /// Read where the first scope asks for it.
    patient: OnceCell<Confined<'a>>,
    user: OnceCell<Confined<'a>>,
    /// Set to find out what would be granted if the token had a patient.
    assumes_patient: bool,
}

/// The scopes that have a part in a grant.
pub(super) type GrantedBy<'a> = SmallVec<[&'a SmartScope; 4]>;

/// The patient of a token that is assumed to have one: whoever is named.
const ASSUMED: &str = "";

/// The number of types named by an address that are tried with a constrained wildcard.
const MAX_TRIED: usize = 64;

impl<'a> ScopeEvaluator<'a> {
    pub(super) fn new(request: &'a AccessRequest<'a>, required: &'a Requirements<'_>) -> Self {
        let (patient, user) = (OnceCell::new(), OnceCell::new());
        Self { request, named: &required.patients, patient, user, assumes_patient: false }
    }

    /// Evaluates as if the token had a patient.
    pub(super) fn assuming_patient(self) -> Self {
        Self { assumes_patient: true, ..self }
    }

    fn scopes(&self) -> &'a ScopeSet {
        self.request.principal().scope_set()
    }

    /// Finds one scope for each permission that is required; for what is included with a result, one
    /// scope for either.
    pub(super) fn satisfy(
        &self,
        required: &'a RequiredAccess<'_>,
    ) -> Result<GrantedBy<'a>, Reasons<'a>> {
        let on = match &required.target {
            Target::Type(name) => Some(&**name),
            Target::EveryType => None,
            Target::AnyOf(types) => return self.satisfy_on_some(required, Some(types)),
            Target::SomeType => return self.satisfy_on_some(required, None),
        };
        let mut by = GrantedBy::new();
        let mut reasons = Reasons::default();
        let mut missing = false;
        for permission in required.permissions.iter() {
            match self.first(permission, on, required.via, &mut reasons) {
                // READ or SEARCH alone is enough for a resource that comes with a result.
                Some(scope) if required.via == Via::Included => {
                    return Ok(GrantedBy::from_iter([scope]));
                }
                Some(scope) => by.push(scope),
                None => missing = true,
            }
        }
        if missing || by.is_empty() { Err(reasons) } else { Ok(by) }
    }

    /// The first scope that applies. A constraint is looked at last: it takes longest.
    fn first(
        &self,
        permission: Permissions,
        on: Option<&'a str>,
        via: Via,
        reasons: &mut Reasons<'a>,
    ) -> Option<&'a SmartScope> {
        let held = |constrained: bool| {
            let about = self.scopes().about(on);
            about.filter(move |scope| {
                scope.permissions().contains(permission)
                    && scope.constraint().is_some() == constrained
            })
        };
        held(false).chain(held(true)).find(|scope| {
            self.check_applies(scope, permission, on, via)
                .map_err(|reason| reasons.add(reason))
                .is_ok()
        })
    }

    /// Finds a type, of those that are named or of all, on which the permissions are held.
    fn satisfy_on_some(
        &self,
        required: &'a RequiredAccess<'_>,
        named: Option<&'a BTreeSet<String>>,
    ) -> Result<GrantedBy<'a>, Reasons<'a>> {
        let mut reasons = Reasons::default();
        // `None` is every type at once, as a wildcard has it.
        let every_type = named.is_none_or(|named| !named.is_empty()).then_some(None);
        let own = self.scopes().types().filter(|name| named.is_none_or(|all| all.contains(*name)));
        for on in every_type.into_iter().chain(own.map(Some)) {
            let each = required
                .permissions
                .iter()
                .map(|permission| self.first(permission, on, required.via, &mut reasons));
            if let Some(by) = each.collect::<Option<GrantedBy<'a>>>() {
                return Ok(by);
            }
        }
        match self.constrained_wildcard(required, named, &mut reasons) {
            Some(scope) => Ok(GrantedBy::from_iter([scope])),
            None => Err(reasons),
        }
    }

    /// Finds a wildcard scope whose constraint applies to at least one type that no scope names.
    /// Scopes are tried one by one, since a token may have many and there are many types.
    fn constrained_wildcard(
        &self,
        required: &'a RequiredAccess<'_>,
        named: Option<&'a BTreeSet<String>>,
        reasons: &mut Reasons<'a>,
    ) -> Option<&'a SmartScope> {
        if required.via != Via::Direct {
            return None;
        }
        let wildcards = self.scopes().about(None);
        let mut held = wildcards.filter(|scope| scope.permissions().contains(required.permissions));
        held.find(|scope| {
            let Ok(Some(constraint)) = scope.parsed_constraint() else { return false };
            if let Err(reason) = self.patient_of(scope, required.permissions, None) {
                reasons.add(reason);
                return false;
            }
            let mut applies = |on: &'a str| {
                let checked = self.check_constraint(scope, constraint, Some(on));
                checked.map_err(|reason| reasons.add(reason)).is_ok()
            };
            match named {
                Some(named) => named.iter().take(MAX_TRIED).any(|name| applies(name)),
                None => self.request.interaction().resource_types().names().any(applies),
            }
        })
    }

    /// Collects every scope that grants the one permission of an interaction on its one type, as
    /// alternatives.
    pub(super) fn satisfy_in_every_way(
        &self,
        required: &'a RequiredAccess<'_>,
        on: &'a str,
    ) -> Result<(Confinement, GrantedBy<'a>), Reasons<'a>> {
        let mut by = GrantedBy::new();
        let mut reasons = Reasons::default();
        let permissions = required.permissions;
        let held = self.scopes().about(Some(on));
        let held = held.filter(|scope| scope.permissions().contains(permissions));
        let applied = held.filter_map(|scope| {
            let patient = self.check_applies(scope, permissions, Some(on), required.via);
            let patient = patient.map_err(|reason| reasons.add(reason)).ok()?;
            by.push(scope);
            let constraint = scope.parsed_constraint().ok()?;
            Some(Alternative::shared(patient, constraint.map(Arc::clone)))
        });
        let alternatives: Alternatives = applied.collect();
        if alternatives.is_none() { Err(reasons) } else { Ok((alternatives.into(), by)) }
    }

    /// Reports whether a scope grants the one permission of an interaction on its one type and confines to nothing.
    pub(super) fn satisfy_unconfined(&self, required: &'a RequiredAccess<'_>, on: &'a str) -> bool {
        let mut held = self.scopes().about(Some(on));
        held.any(|scope| {
            scope.permissions().contains(required.permissions)
                && scope.constraint().is_none()
                && self
                    .check_applies(scope, required.permissions, Some(on), required.via)
                    .is_ok_and(|patient| patient.is_none())
        })
    }

    /// Checks that a scope which covers a permission and a type applies (`on` is `None` for every type),
    /// and returns the patient that it confines to.
    fn check_applies(
        &self,
        scope: &'a SmartScope,
        permission: Permissions,
        on: Option<&'a str>,
        via: Via,
    ) -> Result<Option<&str>, Inapplicable<'a>> {
        let enforced = self.request.enforcement();
        // `ScopeSet` has none that cannot be read.
        let constraint = scope.parsed_constraint().map_err(|_| Inapplicable::Unreadable(scope))?;
        let patient = self.patient_of(scope, permission, on)?;
        let confined = patient.is_some() || constraint.is_some();
        match via {
            Via::Exported if confined || !scope.is_of_system() => {
                return Err(Inapplicable::NotOfSystem);
            }
            Via::Chained | Via::Untargeted if constraint.is_some() => {
                return Err(Inapplicable::ConstrainedLink(scope));
            }
            Via::Included | Via::Chained | Via::Untargeted
                if confined && !enforced.contains(Enforcement::INCLUDES) =>
            {
                return Err(Inapplicable::Undeclared("scopes that confine", "includes"));
            }
            Via::UnreadBody if confined => {
                return Err(Inapplicable::Undeclared("scopes that confine", "bodies of searches"));
            }
            Via::Direct
            | Via::Included
            | Via::Chained
            | Via::Untargeted
            | Via::UnreadBody
            | Via::Exported => {}
        }
        if let Some(constraint) = constraint {
            self.check_constraint(scope, constraint, on)?;
        }
        Ok(patient)
    }

    fn check_constraint(
        &self,
        scope: &'a SmartScope,
        constraint: &'a Constraint,
        on: Option<&'a str>,
    ) -> Result<(), Inapplicable<'a>> {
        let on = on.ok_or(Inapplicable::NotForAll(scope))?;
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

    /// Reports whether the constraint of a scope can be held on a type.
    pub(super) fn holds_constraint(&self, scope: &'a SmartScope, on: &'a str) -> bool {
        let constraint = scope.parsed_constraint().unwrap_or_default();
        constraint.is_some_and(|one| self.check_constraint(scope, one, Some(on)).is_ok())
    }

    /// The patient that a scope confines to, if it confines.
    fn patient_of(
        &self,
        scope: &'a SmartScope,
        permission: Permissions,
        on: Option<&'a str>,
    ) -> Result<Option<&str>, Inapplicable<'a>> {
        let enforced = self.request.enforcement().contains(Enforcement::COMPARTMENTS);
        let patient = match self.confined(scope.context()) {
            Confined::Unconfined => return Ok(None),
            Confined::UserUnknown(reason) => return Err(Inapplicable::NoUser(*reason)),
            Confined::ToPatient(_) | Confined::PatientMissing(_) if !enforced => {
                let scopes = "scopes that confine to a patient";
                return Err(Inapplicable::Undeclared(scopes, "compartments"));
            }
            Confined::ToPatient(patient) => &**patient,
            Confined::PatientMissing(_) if self.assumes_patient => ASSUMED,
            Confined::PatientMissing(reason) => {
                return Err(Inapplicable::NoPatient(*reason, scope));
            }
        };
        if patient != ASSUMED && self.named.differ_from(patient) {
            return Err(Inapplicable::OtherPatient);
        }
        match on {
            Some(name) if permission == Permissions::CREATE && !self.may_create(name) => {
                Err(Inapplicable::NotWritten(name))
            }
            // Other changes depend on the instance, which the handler checks.
            Some(_) | None => Ok(Some(patient)),
        }
    }

    fn confined(&self, context: ScopeContext) -> &Confined<'a> {
        let (principal, base) = (self.request.principal(), self.request.interaction().base());
        match context {
            ScopeContext::System => &Confined::Unconfined,
            ScopeContext::Patient => {
                self.patient.get_or_init(|| context::of_patient_scopes(principal, base))
            }
            ScopeContext::User => {
                self.user.get_or_init(|| context::of_user_scopes(principal, base))
            }
        }
    }

    /// The reason for which scopes of a context would grant nothing, whatever they say.
    pub(super) fn unusable(&self, context: ScopeContext) -> Option<Inapplicable<'a>> {
        match self.confined(context) {
            Confined::UserUnknown(reason) => Some(Inapplicable::NoUser(*reason)),
            Confined::PatientMissing(reason) => Some(Inapplicable::WithoutPatient(*reason)),
            Confined::Unconfined | Confined::ToPatient(_) => None,
        }
    }

    /// A patient creates what belongs to patients, but not a Patient resource.
    fn may_create(&self, name: &str) -> bool {
        name != "Patient" && self.request.patient_compartment().is_written(name)
    }

    /// Reports whether an unconstrained scope of `context`, with the required permissions and type, would
    /// apply once the token has a patient.
    pub(super) fn would_apply(
        &self,
        context: ScopeContext,
        required: &'a RequiredAccess<'_>,
    ) -> bool {
        let patient = match self.confined(context) {
            Confined::UserUnknown(_) => return false,
            Confined::Unconfined => {
                return required.via != Via::Exported || context == ScopeContext::System;
            }
            Confined::ToPatient(patient) => Some(patient),
            Confined::PatientMissing(_) => None,
        };
        let enforced = self.request.enforcement();
        let possible = match required.via {
            Via::Direct => true,
            Via::Included | Via::Chained | Via::Untargeted => {
                enforced.contains(Enforcement::INCLUDES)
            }
            Via::UnreadBody | Via::Exported => false,
        };
        let creates = required.permissions.contains(Permissions::CREATE);
        let on = match &required.target {
            Target::Type(name) => Some(&**name),
            Target::AnyOf(_) | Target::SomeType | Target::EveryType => None,
        };
        possible
            && !patient.is_some_and(|patient| self.named.differ_from(patient))
            && enforced.contains(Enforcement::COMPARTMENTS)
            && !on.is_some_and(|name| creates && !self.may_create(name))
    }
}
