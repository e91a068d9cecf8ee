//! The verdicts on resources that others depend on. A resource is judged when it is found, and only the verdict is
//! kept of it: one for all that point to it.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::authorization::Visibility;
use crate::fhir::ResourceReference;

/// The verdicts, apart for all that a resource has to belong to: to a patient of each set.
#[derive(Debug, Default)]
pub(super) struct KnownVerdicts(Vec<(Vec<Vec<String>>, Targets)>);

/// The verdicts for some sets of patients.
#[derive(Debug, Default)]
pub(super) struct Targets {
    places: HashMap<Arc<ResourceReference>, Target>,
    all: Vec<(Arc<ResourceReference>, Whose)>,
}

/// A resource that something depends on: its place among all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target(usize);

/// The verdict on such a resource.
#[derive(Debug)]
pub(super) enum Whose {
    Unknown,
    Shown,
    Hidden,
    Depends(Vec<Target>),
}

impl KnownVerdicts {
    /// Returns the number of the verdicts for some sets of patients.
    pub(super) fn of_patients(&mut self, sets: &[Vec<&str>]) -> usize {
        let are_these = |known: &[Vec<String>]| {
            known.len() == sets.len()
                && known.iter().zip(sets).all(|(known, patients)| known.iter().eq(patients))
        };
        let found = self.0.iter().position(|(known, _)| are_these(known));
        found.unwrap_or_else(|| {
            let owned = |patients: &Vec<&str>| {
                patients.iter().map(|patient| (*patient).to_owned()).collect()
            };
            self.0.push((sets.iter().map(owned).collect(), Targets::default()));
            self.0.len() - 1
        })
    }

    pub(super) fn get(&self, number: usize) -> Option<&Targets> {
        self.0.get(number).map(|(_, targets)| targets)
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut Targets> {
        self.0.get_mut(number).map(|(_, targets)| targets)
    }
}

impl Targets {
    pub(super) fn place(&mut self, reference: ResourceReference) -> Target {
        if let Some(place) = self.places.get(&reference) {
            return *place;
        }
        let (reference, place) = (Arc::new(reference), Target(self.all.len()));
        self.places.insert(Arc::clone(&reference), place);
        self.all.push((reference, Whose::Unknown));
        place
    }

    pub(super) fn whose(&self, target: Target) -> &Whose {
        self.all.get(target.0).map_or(&Whose::Unknown, |(_, whose)| whose)
    }

    pub(super) fn is_provenance(&self, target: Target) -> bool {
        self.all.get(target.0).is_some_and(|(reference, _)| reference.is_provenance())
    }

    /// Returns the name of one on which there is no verdict.
    pub(super) fn unknown(&self, target: Target) -> Option<Arc<ResourceReference>> {
        let (reference, whose) = self.all.get(target.0)?;
        matches!(whose, Whose::Unknown).then(|| Arc::clone(reference))
    }

    pub(super) fn learn(&mut self, target: Target, visibility: Visibility) {
        let learnt = match visibility {
            Visibility::Shown => Whose::Shown,
            Visibility::Hidden => Whose::Hidden,
            Visibility::Depends(further) => {
                Whose::Depends(further.into_iter().map(|one| self.place(one)).collect())
            }
        };
        if let Some((_, whose)) = self.all.get_mut(target.0) {
            *whose = learnt;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_are_apart_for_each_choice_of_patients() {
        let mut known = KnownVerdicts::default();
        let numbers = [
            known.of_patients(&[vec!["1"]]),
            known.of_patients(&[vec!["2"]]),
            known.of_patients(&[vec!["1", "2"]]),
            known.of_patients(&[vec!["1"], vec!["2"]]),
            known.of_patients(&[]),
        ];
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
        assert_eq!(known.of_patients(&[vec!["1"], vec!["2"]]), 3);
        assert_eq!(known.of_patients(&[vec!["1"]]), 0);
    }
}
