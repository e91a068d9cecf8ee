//! The SMART scopes of one token in a normal form, compiled once when it is verified: spellings and
//! duplicates merged, sorted, and bounded, so that a decision looks them up.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;

use super::constraint::{Constraint, ConstraintError};
use super::permissions::Permissions;
use super::scope::{ScopeContext, SmartScope, TypeName};
use super::scope_kind::ScopeKind;
use crate::fhir::ResourceTypes;

/// Scopes that can grant, each (type, context, constraint) once, sorted by these: those for every
/// type first. Also the first few that cannot grant, for refusals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScopeSet {
    scopes: SmallVec<[SmartScope; 2]>,
    rejected: Vec<(Box<str>, ScopeError)>,
}

/// The reason why a scope of a token grants nothing at all.
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

/// The most different constraints that count for a context and a type: each is an alternative that
/// a handler has to evaluate.
const MAX_CONSTRAINTS: usize = 32;

/// The most scopes that are reported as granting nothing.
const MAX_REJECTED: usize = 3;

impl ScopeSet {
    /// Compiles the scopes of a token, in its order: of too many constraints, the first ones count.
    /// They may name the types that the application has declared.
    pub(crate) fn compile<'t>(texts: impl Iterator<Item = &'t str>, types: &ResourceTypes) -> Self {
        let mut set = Self::default();
        let mut seen = SeenConstraints::default();
        for text in texts {
            let error = match SmartScope::parse(text, types) {
                Ok(scope) => match seen.admit(&scope) {
                    Ok(()) => {
                        set.scopes.push(scope);
                        continue;
                    }
                    Err(error) => error,
                },
                Err(_) if ScopeKind::of(text) == ScopeKind::Malformed => ScopeError::Malformed,
                Err(_) => continue,
            };
            if set.rejected.len() < MAX_REJECTED {
                set.rejected.push((text.into(), error));
            }
        }
        if set.scopes.len() > 1 {
            set.merge();
        }
        set
    }

    fn merge(&mut self) {
        self.scopes.sort_unstable_by(|one, other| one.key().cmp(&other.key()));
        self.scopes.dedup_by(|next, kept| {
            let alike = next.key() == kept.key();
            if alike {
                kept.add_permissions(next.permissions());
            }
            alike
        });
        self.scopes.shrink_to_fit();
    }

    /// Returns all scopes that can grant.
    pub(crate) fn all(&self) -> &[SmartScope] {
        &self.scopes
    }

    /// Returns the first few scopes that grant nothing, each with the reason.
    pub(crate) fn rejected(&self) -> impl Iterator<Item = (&str, ScopeError)> {
        self.rejected.iter().map(|(text, error)| (&**text, *error))
    }

    /// Returns those about a type, the ones for every type included; with `None` only these.
    pub(crate) fn covering<'s>(
        &'s self,
        resource_type: Option<&'s str>,
    ) -> impl Iterator<Item = &'s SmartScope> {
        let from = |start: usize| self.scopes.get(start..).unwrap_or_default().iter();
        let of_every_type = from(0).take_while(|scope| scope.resource_type().is_none());
        let of_this_type = resource_type.into_iter().flat_map(move |name| {
            let start = self.scopes.partition_point(|scope| scope.resource_type() < Some(name));
            from(start).take_while(move |scope| scope.resource_type() == Some(name))
        });
        of_every_type.chain(of_this_type)
    }

    /// Reports whether one `system/` scope without a constraint holds these permissions on every type.
    pub(crate) fn holds_on_every_type(&self, permissions: Permissions) -> bool {
        self.covering(None).any(|scope| {
            scope.is_of_system()
                && scope.constraint().is_none()
                && scope.permissions().contains(permissions)
        })
    }

    /// Returns the types that scopes name, each once.
    pub(crate) fn types(&self) -> impl Iterator<Item = &str> {
        let same =
            |one: &SmartScope, next: &SmartScope| one.resource_type() == next.resource_type();
        self.scopes.chunk_by(same).filter_map(|chunk| chunk.first()?.resource_type())
    }

    /// Returns the size of its allocations, in bytes.
    pub(crate) fn size(&self) -> usize {
        let spilled = self.scopes.spilled();
        let heap = if spilled { self.scopes.capacity() * size_of::<SmartScope>() } else { 0 };
        let rejected = self.rejected.capacity() * size_of::<(Box<str>, ScopeError)>();
        let texts: usize = self.rejected.iter().map(|(text, _)| text.len()).sum();
        let scopes: usize = self.scopes.iter().map(SmartScope::size).sum();
        heap + rejected + texts + scopes
    }
}

/// The constraints seen so far.
#[derive(Default)]
struct SeenConstraints(HashMap<(ScopeContext, Option<TypeName>), HashSet<Arc<Constraint>>>);

impl SeenConstraints {
    fn admit(&mut self, scope: &SmartScope) -> Result<(), ScopeError> {
        let constraint = scope.parsed_constraint().map_err(ScopeError::Constraint)?;
        let Some(constraint) = constraint else { return Ok(()) };
        let seen = self.0.entry((scope.context(), scope.type_name().cloned())).or_default();
        if seen.contains(&**constraint) {
            return Ok(());
        }
        if seen.len() >= MAX_CONSTRAINTS {
            return Err(ScopeError::TooManyConstraints);
        }
        seen.insert(Arc::clone(constraint));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> ScopeSet {
        ScopeSet::compile(texts.iter().copied(), &ResourceTypes::r4())
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
            let mut found: Vec<_> = scopes.covering(Some(name)).collect();
            expected.sort_by_key(ToString::to_string);
            found.sort_by_key(ToString::to_string);
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(scopes.covering(None).count(), 2);
        assert_eq!(ScopeSet::default().covering(Some("Patient")).count(), 0);
    }

    #[test]
    fn on_every_type_one_scope_of_the_system_without_a_constraint_holds() {
        let rs = Permissions::READ | Permissions::SEARCH;
        for (texts, expected) in [
            (&["system/*.rs"][..], true),
            (&["system/Patient.c", "system/*.cruds"], true),
            (&["system/*.r", "system/*.s"], true),
            (&["system/*.r"], false),
            (&["system/*.rs?status=final"], false),
            (&["system/Patient.rs", "system/Observation.rs"], false),
            (&["user/*.rs", "patient/*.cruds"], false),
            (&[], false),
        ] {
            assert_eq!(set(texts).holds_on_every_type(rs), expected, "{texts:?}");
        }
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
            &["patient/Flag.r?_id=40", "user/Flag.s", "user/*.r?_id=9", "user/Flag.s?_id=0"],
        ]
        .concat());
        assert_eq!(scopes.all().len(), MAX_CONSTRAINTS + 3);
        assert!(shown(&scopes).contains(&"user/Flag.r?_id=31".to_owned()));
        assert!(!shown(&scopes).contains(&"user/Flag.r?_id=32".to_owned()));
        assert!(shown(&scopes).contains(&"user/Flag.rs?_id=0".to_owned()), "it is one of them");
        let expected = texts[32..35].iter().map(|text| (&**text, ScopeError::TooManyConstraints));
        assert!(scopes.rejected().eq(expected), "the first few are told");
    }

    #[test]
    fn what_grants_nothing_is_left_out_and_says_why() {
        let texts = ["user/Flag.r?_id:in=1", "user/Flag.sr", "openid", "user/Flag.r"];
        assert_eq!(shown(&set(&texts)), ["user/Flag.r"]);
        let scopes = set(&texts);
        assert_eq!(
            scopes.rejected().collect::<Vec<_>>(),
            [
                ("user/Flag.r?_id:in=1", ScopeError::Constraint(ConstraintError::NotPlain)),
                ("user/Flag.sr", ScopeError::Malformed),
            ]
        );
    }
}
