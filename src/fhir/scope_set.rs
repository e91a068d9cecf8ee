//! The SMART scopes of one token in a normal form, compiled once when it is verified: spellings and
//! doubles merged, sorted, and bounded, so that a decision looks them up.

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::constraint::{Constraint, ConstraintError};
use super::launch::ScopeKind;
use super::scope::{ScopeContext, SmartScope};

/// Scopes that can grant, each (type, context, constraint) once, in the order of these: those for
/// every type first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScopeSet(SmallVec<[SmartScope; 2]>);

/// Why a scope of a token grants nothing at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScopeError {
    #[error("is malformed and grants nothing")]
    Malformed,
    #[error("grants nothing: {0}")]
    Constraint(ConstraintError),
    #[error(
        "grants nothing: at most {MAX_CONSTRAINTS} different constraints count for a context and \
         a type"
    )]
    TooManyConstraints,
}

/// How many different constraints count for a context and a type: each is an alternative that a
/// handler has to look at.
const MAX_CONSTRAINTS: usize = 32;

impl ScopeSet {
    /// All of them.
    pub(crate) fn all(&self) -> &[SmartScope] {
        &self.0
    }

    /// Those about a type, the ones for every type included; with `None` these alone.
    pub(crate) fn about<'s>(
        &'s self,
        resource_type: Option<&'s str>,
    ) -> impl Iterator<Item = &'s SmartScope> {
        let from = |start: usize| self.0.get(start..).unwrap_or_default().iter();
        let of_every_type = from(0).take_while(|scope| scope.resource_type().is_none());
        let of_this_type = resource_type.into_iter().flat_map(move |name| {
            let start = self.0.partition_point(|scope| scope.resource_type() < Some(name));
            from(start).take_while(move |scope| scope.resource_type() == Some(name))
        });
        of_every_type.chain(of_this_type)
    }

    /// How many bytes of memory it takes beside itself.
    pub(crate) fn size(&self) -> usize {
        let heap = if self.0.spilled() { self.0.capacity() * size_of::<SmartScope>() } else { 0 };
        heap + self.0.iter().map(SmartScope::size).sum::<usize>()
    }

    /// Finds the scopes that grant nothing, each with the reason, as compiling leaves them out.
    pub(crate) fn rejected<'t>(
        scopes: impl Iterator<Item = &'t str>,
    ) -> impl Iterator<Item = (&'t str, ScopeError)> {
        let mut limits = Limits::default();
        scopes.filter_map(move |text| {
            let error = match text.parse::<SmartScope>() {
                Ok(scope) => limits.admit(&scope).err()?,
                Err(_) if ScopeKind::of(text) == ScopeKind::Malformed => ScopeError::Malformed,
                Err(_) => return None,
            };
            Some((text, error))
        })
    }
}

impl FromIterator<SmartScope> for ScopeSet {
    /// From scopes in the order of the token, whose first constraints are the ones that count.
    fn from_iter<I: IntoIterator<Item = SmartScope>>(scopes: I) -> Self {
        let mut limits = Limits::default();
        let scopes = scopes.into_iter().filter(|scope| limits.admit(scope).is_ok());
        let mut scopes: SmallVec<[SmartScope; 2]> = scopes.collect();
        if scopes.len() > 1 {
            scopes.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
            scopes.dedup_by(|next, kept| {
                let alike = next.key() == kept.key();
                if alike {
                    kept.add_permissions(next.permissions());
                }
                alike
            });
            scopes.shrink_to_fit();
        }
        Self(scopes)
    }
}

/// The constraints seen so far.
#[derive(Default)]
struct Limits(HashMap<(ScopeContext, Option<&'static str>), HashSet<Constraint>>);

impl Limits {
    fn admit(&mut self, scope: &SmartScope) -> Result<(), ScopeError> {
        let constraint = scope.parsed_constraint().map_err(ScopeError::Constraint)?;
        let Some(constraint) = constraint else { return Ok(()) };
        let seen = self.0.entry((scope.context(), scope.resource_type())).or_default();
        if seen.contains(&**constraint) {
            return Ok(());
        }
        if seen.len() >= MAX_CONSTRAINTS {
            return Err(ScopeError::TooManyConstraints);
        }
        seen.insert(Constraint::clone(constraint));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> ScopeSet {
        texts.iter().filter_map(|text| text.parse().ok()).collect()
    }

    fn shown(set: &ScopeSet) -> Vec<String> {
        set.all().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_found_about_a_type_is_what_covers_it() {
        let scopes = set(&[
            "user/Patient.r",
            "user/*.s",
            "patient/Observation.rs",
            "user/Patient.u",
            "system/all.r",
            "user/Account.r",
        ]);
        for name in ["Patient", "Observation", "Account", "Device", "VisionPrescription", ""] {
            let mut expected: Vec<_> =
                scopes.all().iter().filter(|scope| scope.covers(name)).collect();
            let mut found: Vec<_> = scopes.about(Some(name)).collect();
            expected.sort_by_key(ToString::to_string);
            found.sort_by_key(ToString::to_string);
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(scopes.about(None).count(), 2);
        assert_eq!(ScopeSet::default().about(Some("Patient")).count(), 0);
    }

    #[test]
    fn spellings_and_doubles_are_merged() {
        let scopes = set(&[
            "user/Patient.r",
            "user.Patient.read",
            "user$Patient.c",
            "patient/Patient.r",
            "user/Patient.r?gender=male&_id=1",
            "user%2fPatient.s?_id=%31&gender=male",
            "user/all.r",
            "user/*.u",
        ]);
        assert_eq!(
            shown(&scopes),
            [
                "user/*.ru",
                "patient/Patient.r",
                "user/Patient.crs",
                "user/Patient.rs?gender=male&_id=1",
            ]
        );
    }

    #[test]
    fn the_first_32_constraints_of_a_context_and_type_count() {
        let texts: Vec<String> = (0..40).map(|n| format!("user/Flag.r?_id={n}")).collect();
        let twice: Vec<&str> = texts.iter().chain(&texts).map(String::as_str).collect();
        let scopes = set(&[
            &twice[..],
            &["patient/Flag.r?_id=40", "user/Flag.s", "user/*.r?_id=9"],
        ]
        .concat());
        assert_eq!(scopes.all().len(), MAX_CONSTRAINTS + 3);
        assert!(shown(&scopes).contains(&"user/Flag.r?_id=31".to_owned()));
        assert!(!shown(&scopes).contains(&"user/Flag.r?_id=32".to_owned()));
        let rejected: Vec<_> = ScopeSet::rejected(texts.iter().map(String::as_str)).collect();
        let expected = texts[32..].iter().map(|text| (&**text, ScopeError::TooManyConstraints));
        assert_eq!(rejected, expected.collect::<Vec<_>>());
    }

    #[test]
    fn what_grants_nothing_is_left_out_and_says_why() {
        let texts = ["user/Flag.r?_id:in=1", "user/Flag.sr", "openid", "user/Flag.r"];
        assert_eq!(shown(&set(&texts)), ["user/Flag.r"]);
        let rejected: Vec<_> = ScopeSet::rejected(texts.into_iter()).collect();
        assert_eq!(
            rejected,
            [
                ("user/Flag.r?_id:in=1", ScopeError::Constraint(ConstraintError::NotPlain)),
                ("user/Flag.sr", ScopeError::Malformed),
            ]
        );
    }
}
