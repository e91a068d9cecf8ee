//! The verdicts on resources that others depend on. A resource is judged when it is found, and only the verdict is
//! kept of it: one for all that point to it.

use std::sync::Arc;

use hashbrown::HashMap;

use crate::authorization::Visibility;
use crate::fhir::ResourceReference;

/// The verdicts, apart for all that a resource has to belong to: to a patient of each set.
#[derive(Debug, Default)]
pub(super) struct KnownVerdicts(Vec<(Vec<Vec<String>>, Verdicts)>);

/// The verdicts for some sets of patients.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    indices: HashMap<Arc<ResourceReference>, ResourceIndex>,
    all: Vec<(Arc<ResourceReference>, KnownVisibility)>,
}

/// A resource that something depends on: its place among all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ResourceIndex(usize);

/// The verdict on such a resource.
#[derive(Debug)]
pub(super) enum KnownVisibility {
    Unknown,
    Shown,
    Hidden,
    Depends(Vec<ResourceIndex>),
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
            self.0.push((sets.iter().map(owned).collect(), Verdicts::default()));
            self.0.len() - 1
        })
    }

    pub(super) fn get(&self, number: usize) -> Option<&Verdicts> {
        self.0.get(number).map(|(_, verdicts)| verdicts)
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut Verdicts> {
        self.0.get_mut(number).map(|(_, verdicts)| verdicts)
    }
}

impl Verdicts {
    pub(super) fn index_of(&mut self, reference: ResourceReference) -> ResourceIndex {
        if let Some(index) = self.indices.get(&reference) {
            return *index;
        }
        let (reference, index) = (Arc::new(reference), ResourceIndex(self.all.len()));
        self.indices.insert(Arc::clone(&reference), index);
        self.all.push((reference, KnownVisibility::Unknown));
        index
    }

    pub(super) fn verdict(&self, index: ResourceIndex) -> &KnownVisibility {
        self.all.get(index.0).map_or(&KnownVisibility::Unknown, |(_, verdict)| verdict)
    }

    pub(super) fn is_provenance(&self, index: ResourceIndex) -> bool {
        self.all.get(index.0).is_some_and(|(reference, _)| reference.is_provenance())
    }

    /// Returns the reference to one on which there is no verdict.
    pub(super) fn unknown(&self, index: ResourceIndex) -> Option<Arc<ResourceReference>> {
        let (reference, verdict) = self.all.get(index.0)?;
        matches!(verdict, KnownVisibility::Unknown).then(|| Arc::clone(reference))
    }

    pub(super) fn learn(&mut self, index: ResourceIndex, visibility: Visibility) {
        let learnt = match visibility {
            Visibility::Shown => KnownVisibility::Shown,
            Visibility::Hidden => KnownVisibility::Hidden,
            Visibility::Depends(further) => KnownVisibility::Depends(
                further.into_iter().map(|one| self.index_of(one)).collect(),
            ),
        };
        if let Some((_, verdict)) = self.all.get_mut(index.0) {
            *verdict = learnt;
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
