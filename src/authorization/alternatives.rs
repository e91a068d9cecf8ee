//! What a grant leaves to the handler: a choice of confinements.

use smallvec::{SmallVec, smallvec};

use crate::fhir::Constraint;

/// One way in which something is allowed: of one patient only, or of resources that match a
/// constraint only, or both. With neither it is open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alternative {
    patient: Option<Box<str>>,
    constraint: Option<Constraint>,
}

/// The ways in which something is allowed, any one of them enough: `patient/Observation.r` and
/// `user/Observation.r?category=laboratory` together are "one's own, or anybody's laboratory
/// results". Without any it is not allowed.
///
/// ```
/// use tower_fhir_auth::{Alternatives, Access, Permissions};
///
/// /// Whether a handler may show an Observation.
/// fn may_show(access: &Access, patient_of_it: &str) -> bool {
///     let alternatives: Alternatives = access.may(Permissions::READ, "Observation");
///     alternatives.iter().any(|alternative| {
///         let own = alternative.patient().is_none_or(|patient| patient == patient_of_it);
///         own && alternative.constraint().is_none()
///     })
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alternatives(SmallVec<[Alternative; 1]>);

impl Alternative {
    /// A way in, confined as given.
    #[must_use]
    pub fn new(patient: Option<&str>, constraint: Option<Constraint>) -> Self {
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
        self.constraint.as_ref()
    }

    /// Whether nothing is left for the handler.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.patient.is_none() && self.constraint.is_none()
    }

    /// Both confinements at once; `None` where no resource can be in both.
    fn and(&self, other: &Self) -> Option<Self> {
        let patient = match (&self.patient, &other.patient) {
            (Some(one), Some(another)) if one != another => return None,
            (one, another) => one.as_ref().or(another.as_ref()).cloned(),
        };
        let constraint = match (&self.constraint, &other.constraint) {
            (Some(one), Some(another)) => Some(one.and(another)),
            (one, another) => one.as_ref().or(another.as_ref()).cloned(),
        };
        Some(Self { patient, constraint })
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

    /// Whether it is not allowed at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether nothing is left for the handler.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.iter().any(Alternative::is_open)
    }

    /// Each alternative.
    pub fn iter(&self) -> impl Iterator<Item = &Alternative> {
        self.0.iter()
    }

    /// What either allows.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        self.0.into_iter().chain(other.0).collect()
    }

    /// What both allow.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        self.iter().flat_map(|one| other.iter().filter_map(|another| one.and(another))).collect()
    }
}

impl FromIterator<Alternative> for Alternatives {
    /// Each once. An open one makes the others superfluous.
    fn from_iter<I: IntoIterator<Item = Alternative>>(alternatives: I) -> Self {
        let mut each: SmallVec<[Alternative; 1]> = SmallVec::new();
        for alternative in alternatives {
            if alternative.is_open() {
                return Self::open();
            }
            if !each.contains(&alternative) {
                each.push(alternative);
            }
        }
        Self(each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(patient: &str) -> Alternative {
        Alternative::new(Some(patient), None)
    }

    fn matching(constraint: &str) -> Alternative {
        Alternative::new(None, Constraint::parse(constraint))
    }

    #[test]
    fn either_is_a_union_and_an_open_one_swallows_the_others() {
        let own: Alternatives = [of("1")].into_iter().collect();
        let laboratory: Alternatives = [matching("category=laboratory")].into_iter().collect();
        let both = own.clone().or(laboratory.clone());
        assert_eq!(both.iter().count(), 2);
        assert_eq!(both.clone().or(own.clone()), both);
        assert_eq!(both.clone().or(Alternatives::open()), Alternatives::open());
        assert_eq!(Alternatives::none().or(own.clone()), own);
    }

    #[test]
    fn both_is_an_intersection() {
        let own: Alternatives = [of("1")].into_iter().collect();
        let laboratory: Alternatives = [matching("category=laboratory")].into_iter().collect();
        let both = own.and(&laboratory);
        let one = both.iter().next().unwrap();
        assert_eq!((one.patient(), one.constraint().is_some()), (Some("1"), true));
        assert_eq!(own.and(&Alternatives::open()), own);
        assert!(own.and(&Alternatives::none()).is_none());
        assert!(own.and(&[of("2")].into_iter().collect()).is_none());
        let coded: Alternatives = [matching("code=x")].into_iter().collect();
        let both = laboratory.and(&coded);
        let pairs = both.iter().next().unwrap().constraint().unwrap().parameters().count();
        assert_eq!(pairs, 2);
    }
}
