//! Which scopes of a token count for a letter on a type, as what, and why others do not.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fmt;

use smallvec::SmallVec;

use super::need::{Demand, Demands, On, Part};
use super::{ScopePolicy, patient};
use crate::authentication::Principal;
use crate::authorization::{Alternative, Alternatives, Enforcement};
use crate::fhir::{
    BaseUrl, Constraint, Permissions, ScopeContext, SmartScope, is_shared_type,
    patient_compartment, resource_type,
};
use crate::text::shown;

/// The scopes of one token before one request.
pub(super) struct ScopeJudge<'a> {
    policy: &'a ScopePolicy,
    principal: &'a Principal,
    base: &'a BaseUrl,
    /// The patients that the address names.
    named: &'a [Cow<'a, str>],
    /// The patient in context, or why there is none: looked for where a scope asks for one.
    patient: OnceCell<Result<Cow<'a, str>, &'static str>>,
}

/// The scopes that have a part in a grant.
pub(super) type GrantedBy<'a> = SmallVec<[&'a SmartScope; 4]>;

/// Why a scope that is about a letter and a type counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dropped<'a> {
    /// What nobody is declared to enforce.
    Undeclared(&'static str, &'static str),
    NoPatient(&'static str),
    OtherPatient,
    /// Of this type.
    NotOfPatients(&'a str),
    Constraint(&'a SmartScope),
    UnknownParameter(&'a SmartScope, &'a str),
    NotForAll(&'a SmartScope),
    /// A constraint cannot be seen through a chain.
    ConstrainedLink(&'a SmartScope),
    NotOfSystem,
}

/// The first few reasons, each once: a token may have very many scopes.
#[derive(Debug, Default)]
pub(super) struct Reasons<'a>(SmallVec<[Dropped<'a>; MAX_REASONS]>);

/// How many reasons a refusal gives.
const MAX_REASONS: usize = 3;

impl<'a> Reasons<'a> {
    fn add(&mut self, reason: Dropped<'a>) {
        if self.0.len() < MAX_REASONS && !self.0.contains(&reason) {
            self.0.push(reason);
        }
    }

    pub(super) fn extend(&mut self, more: Self) {
        more.0.into_iter().for_each(|reason| self.add(reason));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Dropped<'a>> {
        self.0.iter()
    }
}

impl<'a> ScopeJudge<'a> {
    pub(super) fn new(
        policy: &'a ScopePolicy,
        principal: &'a Principal,
        base: &'a BaseUrl,
        demands: &'a Demands<'_>,
    ) -> Self {
        let patient = OnceCell::new();
        Self { policy, principal, base, named: &demands.patients, patient }
    }

    fn scopes(&self) -> &'a [SmartScope] {
        self.principal.smart_scopes()
    }

    /// The scopes that meet a demand, with the alternatives that they leave; the reasons of those
    /// that do not, where it is not met.
    pub(super) fn meet(
        &self,
        demand: &'a Demand<'_>,
    ) -> Result<(Alternatives, GrantedBy<'a>), Reasons<'a>> {
        match &demand.on {
            On::Type(name) => self.meet_on(demand, Some(name)),
            On::EveryType => self.meet_on(demand, None),
            On::AnyOf(types) => {
                self.meet_on_any(demand, types.iter().map(|name| Some(name.as_str())))
            }
            On::SomeType => self.meet_on_any(demand, self.types_of_scopes()),
        }
    }

    fn meet_on_any(
        &self,
        demand: &'a Demand<'_>,
        on: impl IntoIterator<Item = Option<&'a str>>,
    ) -> Result<(Alternatives, GrantedBy<'a>), Reasons<'a>> {
        let mut reasons = Reasons::default();
        for on in on {
            match self.meet_on(demand, on) {
                Ok(met) => return Ok(met),
                Err(more) => reasons.extend(more),
            }
        }
        Err(reasons)
    }

    fn meet_on(
        &self,
        demand: &'a Demand<'_>,
        on: Option<&'a str>,
    ) -> Result<(Alternatives, GrantedBy<'a>), Reasons<'a>> {
        let about = self.principal.scopes_by_type();
        let mut met: Option<Alternatives> = None;
        let mut by = GrantedBy::new();
        let mut reasons = Reasons::default();
        for letter in demand.letters.letters() {
            let held = about.about(on).filter(|scope| scope.permissions().contain(letter));
            let counted = held.filter_map(|scope| {
                let counted = self.count(scope, letter, on, demand.part);
                counted.inspect(|_| by.push(scope)).map_err(|reason| reasons.add(reason)).ok()
            });
            let alternatives: Alternatives = counted.collect();
            let one_is_enough = demand.part == Part::Included;
            met = Some(match met {
                None => alternatives,
                Some(earlier) if one_is_enough => earlier.or(alternatives),
                // Each letter has its own: the handler asks for them one by one.
                Some(earlier) if alternatives.is_none() || earlier.is_none() => {
                    Alternatives::none()
                }
                Some(earlier) => earlier,
            });
        }
        match met {
            Some(alternatives) if !alternatives.is_none() => Ok((alternatives, by)),
            Some(_) | None => Err(reasons),
        }
    }

    /// What a scope counts as that is about the type; `on` is `None` for every type.
    fn count(
        &self,
        scope: &'a SmartScope,
        letter: Permissions,
        on: Option<&'a str>,
        part: Part,
    ) -> Result<Alternative, Dropped<'a>> {
        let enforced = self.policy.enforced;
        let constraint = self.constraint_of(scope, on)?;
        let patient = match scope.context() {
            ScopeContext::Patient => {
                if !enforced.includes(Enforcement::COMPARTMENTS) {
                    return Err(Dropped::Undeclared("`patient/` scopes", "compartments"));
                }
                Some(self.patient_for(letter, on)?)
            }
            ScopeContext::User | ScopeContext::System => None,
        };
        let confined = patient.is_some() || constraint.is_some();
        let follows = matches!(part, Part::Included | Part::Searched | Part::Reached);
        let depends = matches!(part, Part::Searched | Part::Reached);
        if part == Part::Exported && (confined || !scope.is_of_system()) {
            return Err(Dropped::NotOfSystem);
        }
        if depends && constraint.is_some() {
            return Err(Dropped::ConstrainedLink(scope));
        }
        if follows && confined && !enforced.includes(Enforcement::INCLUDES) {
            return Err(Dropped::Undeclared("scopes that confine", "includes"));
        }
        if part == Part::Unseen && confined {
            return Err(Dropped::Undeclared("scopes that confine", "bodies of searches"));
        }
        Ok(Alternative::new(patient, constraint.cloned()))
    }

    fn constraint_of(
        &self,
        scope: &'a SmartScope,
        on: Option<&str>,
    ) -> Result<Option<&'a Constraint>, Dropped<'a>> {
        let Some(constraint) = scope.parsed_constraint() else {
            return Ok(None);
        };
        let constraint = constraint.ok_or(Dropped::Constraint(scope))?;
        let on = on.ok_or(Dropped::NotForAll(scope))?;
        for (name, _) in constraint.parameters() {
            if !(self.policy.is_search_parameter)(on, name) {
                return Err(Dropped::UnknownParameter(scope, name));
            }
        }
        if !self.policy.enforced.includes(Enforcement::CONSTRAINTS) {
            return Err(Dropped::Undeclared("scopes with a constraint", "constraints"));
        }
        Ok(Some(constraint))
    }

    /// The patient that a `patient/` scope is about.
    fn patient_for(&self, letter: Permissions, on: Option<&'a str>) -> Result<&str, Dropped<'a>> {
        let patient = self.patient.get_or_init(|| patient::of(self.principal, self.base));
        let patient = patient.as_deref().map_err(|reason| Dropped::NoPatient(reason))?;
        if self.named.iter().any(|named| named != patient) {
            return Err(Dropped::OtherPatient);
        }
        let reads = letter == Permissions::READ || letter == Permissions::SEARCH;
        match on {
            // Nobody becomes another patient, and what belongs to none is not one's own to change.
            Some(name @ "Patient") if letter == Permissions::CREATE => {
                Err(Dropped::NotOfPatients(name))
            }
            Some(name) if !reads && patient_compartment(name).is_none() => {
                Err(Dropped::NotOfPatients(name))
            }
            Some(_) | None => Ok(patient),
        }
    }

    /// The types that the scopes name, each once, and every type; of a constrained wildcard, those
    /// that it may make sense for.
    fn types_of_scopes(&self) -> Vec<Option<&'a str>> {
        let named = self.scopes().iter().filter_map(SmartScope::resource_type);
        let mut types: BTreeSet<&str> = named.collect();
        let constrained = |scope: &SmartScope| scope.constraint().is_some();
        if self.principal.scopes_by_type().about(None).any(constrained) {
            types.extend(resource_type::KNOWN);
        }
        std::iter::once(None).chain(types.into_iter().map(Some)).collect()
    }

    /// Whether a `patient/` scope is what would have been enough.
    pub(super) fn patient_scope_would_do(&self, demand: &'a Demand<'_>) -> bool {
        let all = self.policy.enforced.includes(Enforcement::COMPARTMENTS)
            && !self.scopes().is_empty()
            && self.scopes().iter().all(|scope| scope.context() == ScopeContext::Patient);
        let on = match &demand.on {
            On::Type(name) => Some(&**name),
            On::AnyOf(types) => types.first().map(String::as_str),
            On::SomeType | On::EveryType => None,
        };
        let possible = match demand.part {
            Part::Subject => true,
            Part::Included | Part::Searched | Part::Reached => {
                self.policy.enforced.includes(Enforcement::INCLUDES)
            }
            Part::Unseen | Part::Exported => false,
        };
        let letters = demand.letters.letters();
        all && possible && letters.map(|one| self.patient_for(one, on)).all(|it| it.is_ok())
    }
}

impl fmt::Display for Dropped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |scope: &SmartScope| shown(&scope.to_string());
        match self {
            Self::Undeclared(scopes, missing) => write!(
                f,
                "{scopes} do not count for this, because the application has not declared that \
                 its handlers enforce {missing}"
            ),
            Self::NoPatient(reason) => write!(f, "`patient/` scopes need a patient: {reason}"),
            Self::OtherPatient => {
                f.write_str("the token is confined to one patient, and the address names another")
            }
            Self::NotOfPatients(name) if is_shared_type(name) => {
                write!(f, "`patient/` scopes cannot change {name}, which all patients share")
            }
            Self::NotOfPatients(name) => {
                write!(f, "with `patient/` scopes no {name} can be made or changed")
            }
            Self::Constraint(scope) => {
                write!(f, "`{}` grants nothing: a constraint is plain `name=value`", text(scope))
            }
            Self::UnknownParameter(scope, name) => {
                let (scope, name) = (text(scope), shown(name));
                write!(
                    f,
                    "`{scope}` grants nothing here: `{name}` is no search parameter of the type"
                )
            }
            Self::NotForAll(scope) => {
                let scope = text(scope);
                write!(f, "`{scope}` has a constraint, so it is not enough for all types at once")
            }
            Self::ConstrainedLink(scope) => {
                let scope = text(scope);
                write!(f, "`{scope}` has a constraint, so nothing may depend on what it hides")
            }
            Self::NotOfSystem => f.write_str("only unconstrained `system/` scopes export"),
        }
    }
}
