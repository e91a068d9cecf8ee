//! The ways in which something is allowed, any one of them enough.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use crate::smart::Constraint;

/// One way in which something is allowed: of one patient only, or of resources that match a
/// constraint only, or both. With neither it is open.
///
/// ```
/// use tower_fhir_auth::Grant;
/// use tower_fhir_auth::authorization::Alternative;
///
/// let amara = Alternative::new(Some("amara"), None);
/// assert_eq!(amara.patient(), Some("amara"));
/// let grant = Grant::by("the portal").confined_to(amara);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Alternative {
    patient: Option<Box<str>>,
    constraint: Option<Arc<Constraint>>,
}

/// The ways in which something is allowed, any one of them enough: `patient/Observation.r` and
/// `user/Observation.r?category=laboratory` together are "one's own, or anybody's laboratory
/// results". Without any it is not allowed.
///
/// It is a sorted set: an alternative that another one makes superfluous is left out.
///
/// ```
/// use tower_fhir_auth::authorization::{Alternative, Alternatives};
///
/// let of = |id: &str| Alternatives::from_iter([Alternative::new(Some(id), None)]);
/// let either = of("amara").or(of("bela"));
/// assert_eq!(either.iter().count(), 2);
/// // Whoever may see all of them is confined to none.
/// assert!(either.or(Alternatives::open()).is_open());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alternatives(SmallVec<[Alternative; 1]>);

impl Alternative {
    /// Makes a way in that is confined as given.
    #[must_use]
    pub fn new(patient: Option<&str>, constraint: Option<Constraint>) -> Self {
        Self::shared(patient, constraint.map(Arc::new))
    }

    pub(crate) fn shared(patient: Option<&str>, constraint: Option<Arc<Constraint>>) -> Self {
        Self { patient: patient.map(Box::from), constraint }
    }

    /// The id of the patient whose compartment it is confined to.
    #[must_use]
    pub fn patient(&self) -> Option<&str> {
        self.patient.as_deref()
    }

    /// The search parameters that a resource has to match.
    #[must_use]
    pub fn constraint(&self) -> Option<&Constraint> {
        self.constraint.as_deref()
    }

    /// Reports whether nothing is left for the handler.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.patient.is_none() && self.constraint.is_none()
    }
}

impl Alternatives {
    /// Not allowed.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Allowed, with nothing left for the handler.
    #[must_use]
    pub fn open() -> Self {
        Self(smallvec![Alternative::default()])
    }

    /// Reports whether it is not allowed at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Reports whether nothing is left for the handler.
    #[must_use]
    pub fn is_open(&self) -> bool {
        // An open alternative is the first of the order, and the only one that is kept.
        self.0.first().is_some_and(Alternative::is_open)
    }

    /// Each alternative.
    pub fn iter(&self) -> std::slice::Iter<'_, Alternative> {
        self.0.iter()
    }

    /// Joins two sets: what either allows.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self == other || other.is_none() {
            return self;
        }
        self.0.into_iter().chain(other.0).collect()
    }

    /// The one patient that every alternative is confined to.
    pub(crate) fn only_patient(&self) -> Option<&str> {
        let mut patients = self.iter().map(Alternative::patient);
        let first = patients.next().flatten()?;
        patients.all(|patient| patient == Some(first)).then_some(first)
    }
}

impl FromIterator<Alternative> for Alternatives {
    fn from_iter<I: IntoIterator<Item = Alternative>>(alternatives: I) -> Self {
        let mut each: SmallVec<[Alternative; 1]> = SmallVec::new();
        for alternative in alternatives {
            if alternative.is_open() {
                return Self::open();
            }
            each.push(alternative);
        }
        if each.len() > 1 {
            each.sort_unstable();
            each.dedup();
            absorb(&mut each);
        }
        Self(each)
    }
}

/// Leaves out, of sorted alternatives, those that ask for a patient or a constraint where another
/// does without. One look-up each: a token may have hundreds.
fn absorb(sorted: &mut SmallVec<[Alternative; 1]>) {
    let all = sorted.clone();
    let has = |wanted: &Alternative| all.binary_search(wanted).is_ok();
    sorted.retain(|alternative| {
        let (Some(patient), Some(constraint)) = (&alternative.patient, &alternative.constraint)
        else {
            return true;
        };
        let of_patient = Alternative { patient: Some(patient.clone()), constraint: None };
        let of_anyone = Alternative { patient: None, constraint: Some(Arc::clone(constraint)) };
        !has(&of_patient) && !has(&of_anyone)
    });
}

impl<'a> IntoIterator for &'a Alternatives {
    type Item = &'a Alternative;
    type IntoIter = std::slice::Iter<'a, Alternative>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(patient: &str) -> Alternative {
        Alternative::new(Some(patient), None)
    }

    fn matching(constraint: &str) -> Alternative {
        Alternative::new(None, Constraint::parse(constraint).ok())
    }

    fn both(patient: &str, constraint: &str) -> Alternative {
        Alternative::new(Some(patient), Constraint::parse(constraint).ok())
    }

    #[test]
    fn either_is_a_union_and_an_open_one_swallows_the_others() {
        let own: Alternatives = [of("1")].into_iter().collect();
        let laboratory: Alternatives = [matching("category=laboratory")].into_iter().collect();
        let either = own.clone().or(laboratory.clone());
        assert_eq!(either.iter().count(), 2);
        assert_eq!(either, laboratory.or(own.clone()), "the order does not matter");
        assert_eq!(either.clone().or(own.clone()), either);
        assert_eq!(either.or(Alternatives::open()), Alternatives::open());
        assert_eq!(Alternatives::none().or(own.clone()), own);
    }

    #[test]
    fn what_asks_for_more_than_another_is_left_out() {
        for (all, kept) in [
            (vec![both("1", "code=x"), of("1")], vec![of("1")]),
            (vec![both("1", "code=x"), matching("code=x")], vec![matching("code=x")]),
            (vec![both("1", "code=x"), of("2")], vec![both("1", "code=x"), of("2")]),
            (
                vec![matching("code=x&status=y"), matching("status=y&code=x")],
                vec![matching("code=x&status=y")],
            ),
            (vec![of("1"), of("1")], vec![of("1")]),
        ] {
            let kept: Alternatives = kept.into_iter().collect();
            assert_eq!(all.into_iter().collect::<Alternatives>(), kept);
        }
    }
}
