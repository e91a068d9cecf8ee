//! The part of a grant that is left to the handler: sets of alternatives, all of which must hold.

use smallvec::{SmallVec, smallvec};

use super::{Alternative, Alternatives};

/// The resources that something is allowed for: a resource has to meet one alternative of each set.
///
/// There are several sets where several things were asked about at once: two permissions, or two
/// rules. They are kept side by side, since multiplied out they would grow with the product of
/// what a token has of each.
///
/// ```
/// use tower_fhir_auth::authorization::{Alternative, Confinement};
///
/// let amara = Confinement::from(Alternative::new(Some("amara"), None));
/// let bela = Confinement::from(Alternative::new(Some("bela"), None));
/// assert_eq!(amara.clone().or(bela.clone()).sets().count(), 1); // of two alternatives
/// // Nothing belongs to both of them.
/// assert!(amara.and(bela).is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confinement(
    /// None for everything; sets that are open are left out.
    SmallVec<[Alternatives; 1]>,
);

impl Confinement {
    /// Allowed, with nothing left for the handler.
    #[must_use]
    pub fn open() -> Self {
        Self::default()
    }

    /// Not allowed.
    #[must_use]
    pub fn none() -> Self {
        Self(smallvec![Alternatives::none()])
    }

    /// Reports whether nothing is left for the handler.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Reports whether it is not allowed at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.0.iter().any(Alternatives::is_none)
    }

    /// Each set of alternatives. A resource has to meet one alternative of each.
    pub fn sets(&self) -> impl Iterator<Item = &Alternatives> {
        self.0.iter()
    }

    /// Each set, with the number of alternatives before it.
    pub(super) fn numbered_sets(&self) -> impl Iterator<Item = (usize, &Alternatives)> {
        self.0.iter().scan(0, |before, set| {
            let first = *before;
            *before += set.iter().len();
            Some((first, set))
        })
    }

    /// Each alternative of each set.
    pub(super) fn alternatives(&self) -> impl Iterator<Item = &Alternative> {
        self.0.iter().flatten()
    }

    /// Narrows: what both allow.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for set in other.0 {
            let contradicts = |own: &Alternatives| {
                own.only_patient().zip(set.only_patient()).is_some_and(|(one, other)| one != other)
            };
            if self.0.iter().any(contradicts) {
                return Self::none();
            }
            if !self.0.contains(&set) {
                self.0.push(set);
            }
        }
        if self.is_none() { Self::none() } else { self }
    }

    /// Widens: what either allows. The number of sets depends on the rules of the application alone.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        if self.is_open() || other.is_none() {
            return self;
        }
        if other.is_open() || self.is_none() {
            return other;
        }
        let mut sets = Self::open();
        for one in &self.0 {
            for another in &other.0 {
                sets = sets.and(Self::from(one.clone().or(another.clone())));
            }
        }
        sets
    }
}

impl From<Alternatives> for Confinement {
    fn from(alternatives: Alternatives) -> Self {
        if alternatives.is_open() { Self::open() } else { Self(smallvec![alternatives]) }
    }
}

impl From<Alternative> for Confinement {
    fn from(alternative: Alternative) -> Self {
        Alternatives::from_iter([alternative]).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(patients: &[&str]) -> Confinement {
        let each = patients.iter().map(|patient| Alternative::new(Some(patient), None));
        each.collect::<Alternatives>().into()
    }

    #[test]
    fn both_is_an_intersection() {
        let (one, two) = (of(&["1"]), of(&["1", "2"]));
        assert_eq!(one.clone().and(one.clone()), one);
        assert_eq!(one.clone().and(two.clone()).sets().count(), 2);
        assert_eq!(one.clone().and(Confinement::open()), one);
        assert_eq!(Confinement::open().and(one.clone()), one);
        assert!(one.clone().and(Confinement::none()).is_none());
        assert!(one.and(of(&["2"])).is_none(), "no resource is the own of two patients alone");
    }

    #[test]
    fn either_is_a_union() {
        let (one, two) = (of(&["1"]), of(&["2"]));
        assert_eq!(one.clone().or(two.clone()), of(&["1", "2"]));
        assert!(one.clone().or(Confinement::open()).is_open());
        assert_eq!(one.clone().or(Confinement::none()), one);
        assert_eq!(Confinement::none().or(one.clone()), one);
        // (1 and (2 or 3)) or 1 is 1.
        let narrow = one.clone().and(of(&["1", "3"]));
        assert_eq!(narrow.or(one.clone()).sets().next(), one.sets().next());
    }
}
