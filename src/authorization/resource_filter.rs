//! Judges resources that would be shown.

use std::borrow::Borrow;

use hashbrown::HashSet;
use serde_json::Value;

use super::criteria::{Criteria, Evaluation, Tree};
use super::handlers::{ConstraintEvaluation, Handlers, OF_R4};
use super::{Alternative, Alternatives, Confinement, ResourceRef};
use crate::fhir::compartment::{LocalPatient, MAX_LOOKUPS, Membership, Node};
use crate::fhir::{BaseUrl, PatientCompartment, ResourceReference};

/// The resources of a type that something is allowed for, and the judge of each.
///
/// ```
/// use serde_json::Value;
/// use tower_fhir_auth::fhir::ResourceReference;
/// use tower_fhir_auth::smart::Permissions;
/// use tower_fhir_auth::Access;
///
/// /// The Observations of a page that the caller may search, resolving what decides about them.
/// fn visible(
///     access: &Access,
///     page: Vec<Value>,
///     store: impl Fn(&str, &str) -> Option<Value>,
/// ) -> Vec<Value> {
///     let observations = access.may(Permissions::SEARCH, "Observation");
///     let look_up = |to: &ResourceReference| store(&to.resource_type, &to.id);
///     page.into_iter().filter(|resource| observations.shows_with(resource, look_up)).collect()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct ResourceFilter<'a> {
    confinement: Confinement,
    /// True if what all patients share counts as a patient's own.
    with_shared: bool,
    pub(super) compartment: &'a PatientCompartment,
    constraints: &'a ConstraintEvaluation,
    pub(super) base: &'a BaseUrl,
    criteria: Criteria,
}

/// The answer to the question whether a resource may be shown.
///
/// ```
/// use serde_json::Value;
/// use tower_fhir_auth::fhir::ResourceReference;
/// use tower_fhir_auth::{Access, Visibility};
///
/// /// Shows a resource that depends on others where the store has them and all are shown.
/// fn is_shown(
///     access: &Access,
///     resource: &Value,
///     find: impl Fn(&ResourceReference) -> Option<Value>,
/// ) -> bool {
///     match access.may_show(resource) {
///         Visibility::Shown => true,
///         Visibility::Hidden => false,
///         // Whether the caller may read the target's own type is not asked.
///         Visibility::Depends(on) => {
///             let of_type = access.shown(resource["resourceType"].as_str().unwrap_or_default());
///             on.iter().all(|reference| {
///                 find(reference)
///                     .is_some_and(|target| of_type.shows_target(&target) == Visibility::Shown)
///             })
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[expect(clippy::exhaustive_enums, reason = "who asks has to answer each of the three")]
pub enum Visibility {
    /// The resource may be shown.
    Shown,
    /// The resource may not be shown, and must look as if it did not exist.
    Hidden,
    /// The resource may be shown if all of these resources exist, and
    /// [`shows_target`](ResourceFilter::shows_target) says so of each: the targets of a Provenance.
    /// There are at most 64.
    Depends(Vec<ResourceReference>),
}

impl<'a> ResourceFilter<'a> {
    pub(super) fn new(confinement: Confinement, handlers: &'a Handlers, base: &'a BaseUrl) -> Self {
        let Handlers { compartment, constraints, .. } = handlers;
        let criteria = Criteria::default();
        Self { confinement, with_shared: true, compartment, constraints, base, criteria }
    }

    /// Makes the filter of a patient's compartment, without what all patients share, for a store that answers
    /// compartment searches where there is no [`Access`](super::Access) to ask.
    ///
    /// ```
    /// use serde_json::json;
    /// use tower_fhir_auth::Visibility;
    /// use tower_fhir_auth::authorization::ResourceFilter;
    /// use tower_fhir_auth::fhir::{BaseUrl, PatientCompartment};
    ///
    /// let base: BaseUrl = "https://fhir.example.org/r4".parse()?;
    /// let compartment = PatientCompartment::default();
    /// let members = ResourceFilter::compartment("1", &compartment, &base);
    /// let weight = json!({"resourceType": "Observation", "subject": {"reference": "Patient/1"}});
    /// assert_eq!(members.shows(&weight), Visibility::Shown);
    /// assert_eq!(members.shows(&json!({"resourceType": "Organization"})), Visibility::Hidden);
    /// # Ok::<(), tower_fhir_auth::fhir::BaseUrlError>(())
    /// ```
    #[must_use]
    pub fn compartment(
        patient: &str,
        compartment: &'a PatientCompartment,
        base: &'a BaseUrl,
    ) -> Self {
        let confinement = Alternative::new(Some(patient), None).into();
        let criteria = Criteria::default();
        Self { confinement, with_shared: false, compartment, constraints: &OF_R4, base, criteria }
    }

    /// The alternatives behind it, for handlers that narrow queries of their own.
    #[must_use]
    pub fn confinement(&self) -> &Confinement {
        &self.confinement
    }

    /// Reports whether nothing is allowed.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.confinement.is_none()
    }

    /// Reports whether every resource of the type is allowed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.confinement.is_open()
    }

    /// Judges a resource of the type.
    pub fn shows<'r>(&self, resource: impl Into<ResourceRef<'r>>) -> Visibility {
        self.evaluate(resource.into())
    }

    /// Judges a resource with the help of a store that resolves what the answer depends on, with at
    /// most 64 look-ups; what would take more is hidden, and so is a Provenance that leads back to
    /// itself.
    pub fn shows_with<'r, R, L>(&self, resource: impl Into<ResourceRef<'r>>, mut look_up: L) -> bool
    where
        R: Borrow<Value>,
        L: FnMut(&ResourceReference) -> Option<R>,
    {
        let resource = resource.into();
        let mut pending = match self.evaluate(resource) {
            Visibility::Shown => return true,
            Visibility::Hidden => return false,
            Visibility::Depends(targets) if targets.iter().any(|one| one.is(resource)) => {
                return false;
            }
            Visibility::Depends(targets) => targets,
        };
        // Nothing is looked up twice, and nothing is looked for among many one by one.
        let mut known = HashSet::with_capacity(2 * MAX_LOOKUPS);
        known.extend(pending.iter().cloned());
        let mut looked_up = 0;
        let mut next = 0;
        while let Some(target) = pending.get(next).cloned() {
            next += 1;
            looked_up += 1;
            let Some(found) = (looked_up <= MAX_LOOKUPS).then(|| look_up(&target)).flatten() else {
                return false;
            };
            match self.shows_target(found.borrow()) {
                Visibility::Shown => {}
                Visibility::Hidden => return false,
                Visibility::Depends(further) => {
                    for one in further {
                        match known.contains(&one) || one.is(resource) {
                            // What leads back to itself leads to nobody.
                            true if one.is_provenance() => return false,
                            true => {}
                            false => {
                                known.insert(one.clone());
                                pending.push(one);
                            }
                        }
                    }
                    // All of them would have to be looked up.
                    if pending.len() > MAX_LOOKUPS {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Judges a resource that another one's visibility depends on: by whose it is, scopes aside.
    pub fn shows_target<'r>(&self, resource: impl Into<ResourceRef<'r>>) -> Visibility {
        let resource = resource.into();
        let of_any = |patients: Vec<&str>| {
            let verdicts = patients.into_iter();
            let verdicts = verdicts.map(|patient| self.of_patient(resource, patient, true));
            verdicts.fold(Visibility::Hidden, Visibility::or)
        };
        let sets = self.patients().into_iter().map(of_any);
        sets.reduce(Visibility::and).unwrap_or(Visibility::Hidden)
    }

    /// The patients that each set of alternatives confines to, each once, however many scopes name one. A set that
    /// confines to none is left out.
    pub(crate) fn patients(&self) -> Vec<Vec<&str>> {
        let sets = self.confinement.sets().map(|set| {
            // Alternatives are sorted by patient.
            let mut patients: Vec<&str> = set.iter().filter_map(Alternative::patient).collect();
            patients.dedup();
            patients
        });
        sets.filter(|patients| !patients.is_empty()).collect()
    }

    fn evaluate<'r, N: Node<'r>>(&self, resource: N) -> Visibility {
        let (mut memo, tree) = (VisibilityMemo::default(), Tree::of(resource));
        let sets = self.confinement.numbered_sets();
        let sets = sets.map(|(first, set)| self.evaluate_set((first, set), &tree, &mut memo));
        sets.fold(Visibility::Shown, Visibility::and)
    }

    fn evaluate_set<'r, N: Node<'r>>(
        &self,
        (first, set): (usize, &Alternatives),
        tree: &Tree<'r, N>,
        memo: &mut VisibilityMemo,
    ) -> Visibility {
        let mut best = Visibility::Hidden;
        for (index, alternative) in (first..).zip(set) {
            let own = match alternative.patient() {
                None => Visibility::Shown,
                Some(patient) => memo.look_up(patient, || {
                    self.of_patient(tree.resource(), patient, self.with_shared)
                }),
            };
            if own != Visibility::Hidden && self.matches((index, alternative), tree) {
                best = best.or(own);
            }
            if best == Visibility::Shown {
                break;
            }
        }
        best
    }

    /// Reports whether a resource is a patient's, or everybody's.
    pub(super) fn of_patient<'r, N: Node<'r>>(
        &self,
        resource: N,
        patient: &str,
        with_shared: bool,
    ) -> Visibility {
        let compartment = self.compartment;
        if with_shared && compartment.is_shared(crate::fhir::compartment::resource_type(resource)) {
            return Visibility::Shown;
        }
        let patient = LocalPatient { id: patient, base: self.base };
        match compartment.membership(resource, patient) {
            Membership::Member => Visibility::Shown,
            Membership::Depends(targets) => Visibility::Depends(targets),
            Membership::NotMember => Visibility::Hidden,
        }
    }

    /// Reports whether a resource matches all parameters of the constraint of an alternative, which has this
    /// index among all.
    pub(super) fn matches<'r, N: Node<'r>>(
        &self,
        alternative: (usize, &Alternative),
        tree: &Tree<'r, N>,
    ) -> bool {
        let (constraints, base) = (self.constraints, self.base);
        let evaluation = Evaluation { constraints, base, confinement: &self.confinement };
        self.criteria.match_resource(evaluation, alternative, tree)
    }
}

/// A memory of whose a resource is, asked once for each patient in a row: alternatives are sorted
/// by patient.
#[derive(Default)]
struct VisibilityMemo(Option<(String, Visibility)>);

impl VisibilityMemo {
    fn look_up(&mut self, patient: &str, evaluate: impl FnOnce() -> Visibility) -> Visibility {
        match &self.0 {
            Some((known, verdict)) if known == patient => verdict.clone(),
            _ => {
                let verdict = evaluate();
                self.0 = Some((patient.to_owned(), verdict.clone()));
                verdict
            }
        }
    }
}

impl Visibility {
    /// Either is enough.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Shown, _) | (_, Self::Shown) => Self::Shown,
            (Self::Hidden, other) => other,
            // Two `Depends` have the same targets: the resource's own, whoever the patient is.
            (depends, _) => depends,
        }
    }

    /// Joins two verdicts that both have to grant.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Hidden, _) | (_, Self::Hidden) => Self::Hidden,
            (Self::Shown, other) | (other, Self::Shown) => other,
            (Self::Depends(mut all), Self::Depends(more)) => {
                let more = more.into_iter().filter(|one| !all.contains(one));
                let more: Vec<_> = more.collect();
                all.extend(more);
                Self::Depends(all)
            }
        }
    }
}
