//! Judges changes: a resource as it is, and as it would be.

use super::criteria::Tree;
use super::{Alternative, Alternatives, Denial, ResourceFilter, ResourceRef, Visibility};
use crate::fhir::ResourceReference;
use crate::fhir::compartment::{LocalPatient, Node, NotAbout, id, resource_type};

/// The reason for which a change must not be made.
///
/// ```
/// use http::StatusCode;
/// use tower_fhir_auth::authorization::StoreError;
///
/// fn status(error: &StoreError) -> StatusCode {
///     match error {
///         // As if it did not exist.
///         StoreError::Hidden => StatusCode::NOT_FOUND,
///         _ => StatusCode::FORBIDDEN,
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The caller may know of the resource, and may not change it so: 403.
    Denied(Denial),
    /// The caller must not learn whether there is such a resource: 404, as for none.
    Hidden,
    /// As `Denied` if [`ResourceFilter::shows_target`] says that all of these may be shown, else as
    /// `Hidden`: what a Provenance points to.
    DeniedIfShown(Denial, Vec<ResourceReference>),
}

/// A change, as far as the address tells.
#[derive(Clone, Copy)]
struct Change<'c, 'r> {
    /// True if the address names an instance, which must then be there already.
    names_instance: bool,
    before: Option<ResourceRef<'r>>,
    after: Option<ResourceRef<'r>>,
    /// Both as trees, for constraints.
    trees: &'c [Option<Tree<'r, ResourceRef<'r>>>; 2],
}

type StoreResult = Result<(), StoreError>;

impl ResourceFilter<'_> {
    /// Checks a change against everything that confines it.
    pub(super) fn check_store(
        &self,
        names_instance: bool,
        before: Option<ResourceRef<'_>>,
        after: Option<ResourceRef<'_>>,
    ) -> Result<(), StoreError> {
        if let (Some(before), Some(after)) = (before, after)
            && (resource_type(before), id(before)) != (resource_type(after), id(after))
        {
            return Err(
                Denial::new("a change must not change the type or the id of the resource").into()
            );
        }
        if self.is_none() {
            return Err(Denial::new("nothing grants this change").into());
        }
        let trees = [before.map(Tree::of), after.map(Tree::of)];
        let change = Change { names_instance, before, after, trees: &trees };
        let sets = self.confinement().numbered_sets().map(|set| self.check_set(set, change));
        sets.fold(Ok(()), worse)
    }

    /// One alternative is enough.
    fn check_set(
        &self,
        (first, set): (usize, &Alternatives),
        change: Change<'_, '_>,
    ) -> StoreResult {
        let mut for_patient: Option<(&str, StoreResult)> = None;
        let mut best = Err(StoreError::Hidden);
        for (index, alternative) in (first..).zip(set) {
            let own = match (alternative.patient(), &for_patient) {
                (None, _) => Ok(()),
                (Some(patient), Some((known, verdict))) if *known == patient => verdict.clone(),
                (Some(patient), _) => {
                    let verdict = self.check_patient(patient, change);
                    for_patient = Some((patient, verdict.clone()));
                    verdict
                }
            };
            best = better(best, worse(self.check_constraint((index, alternative), change), own));
            if best.is_ok() {
                break;
            }
        }
        best
    }

    /// Checks a constraint. Hidden and absent look the same: the instance is not created either.
    fn check_constraint(
        &self,
        alternative: (usize, &Alternative),
        change: Change<'_, '_>,
    ) -> StoreResult {
        let [before, after] = change.trees;
        match before {
            None if change.names_instance => return Err(StoreError::Hidden),
            Some(before) if !self.matches(alternative, before) => return Err(StoreError::Hidden),
            Some(_) | None => {}
        }
        if after.as_ref().is_some_and(|after| !self.matches(alternative, after)) {
            return Err(
                Denial::new("the resource would not match the constraint of the scope").into()
            );
        }
        Ok(())
    }

    /// Both states must be about the patient.
    fn check_patient(&self, patient: &str, change: Change<'_, '_>) -> StoreResult {
        let here = LocalPatient { id: patient, base: self.base };
        let about = |resource: ResourceRef<'_>| {
            self.compartment
                .check_about(resource, here)
                .map_err(|fault| Denial::new(fault.describe(resource_type(resource))))
        };
        if let Some(before) = change.before {
            let denied = about(before);
            match (self.of_patient(before, patient, true), denied) {
                (Visibility::Hidden, _) => return Err(StoreError::Hidden),
                (Visibility::Depends(targets), denied) => {
                    let denial = denied.err().unwrap_or_else(not_written);
                    return Err(StoreError::DeniedIfShown(denial, targets));
                }
                (Visibility::Shown, denied) => denied?,
            }
        } else if change.names_instance {
            return Err(StoreError::Hidden);
        }
        let Some(after) = change.after else { return Ok(()) };
        about(after)?;
        if resource_type(after) == "Patient" {
            let (was, would_be) = (change.before.map(Node::to_value), after.to_value());
            if change.before.is_none() {
                let text = "a scope that confines to a patient cannot create a Patient";
                return Err(Denial::new(text).into());
            }
            // It says which other record is the same person's (R4 Patient.link): not for that person to say.
            if was.as_deref().and_then(|was| was.get("link")) != would_be.get("link") {
                return Err(Denial::new(
                    "a scope that confines to a patient cannot change `link` of it",
                )
                .into());
            }
        }
        Ok(())
    }
}

fn not_written() -> Denial {
    Denial::new(NotAbout::Type.describe("Provenance"))
}

/// Ranks a verdict by how near it is to a permission.
fn rank(verdict: &StoreResult) -> u8 {
    match verdict {
        Err(StoreError::Hidden) => 0,
        Err(StoreError::DeniedIfShown(..)) => 1,
        Err(StoreError::Denied(_)) => 2,
        Ok(()) => 3,
    }
}

fn worse(one: StoreResult, other: StoreResult) -> StoreResult {
    if rank(&other) < rank(&one) { other } else { one }
}

fn better(one: StoreResult, other: StoreResult) -> StoreResult {
    if rank(&other) > rank(&one) { other } else { one }
}

impl From<Denial> for StoreError {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}
