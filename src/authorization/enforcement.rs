//! What the application's handlers enforce, beyond what the layer can see.

use std::fmt;
use std::ops::BitOr;

/// The declaration of an application: all that its handlers enforce. The layer sees no bodies and
/// no
/// resources: a grant that leaves something for the handler is a refusal until the handler is
/// declared to do it.
///
/// ```
/// use tower_fhir_auth::{Enforcement, FhirAuthLayer};
///
/// let builder = FhirAuthLayer::builder("https://fhir.example.org/r4")
///     .handlers_enforce(Enforcement::COMPARTMENTS | Enforcement::BUNDLE_ENTRIES);
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Enforcement(u8);

impl Enforcement {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// The parameters in the body of `POST …/_search` are judged like those of an address:
    /// [`Access::search`](super::Access::search).
    pub const SEARCH_BODIES: Self = Self(1);
    /// Each entry of a batch or transaction is judged by itself:
    /// [`Access::entry`](super::Access::entry).
    pub const BUNDLE_ENTRIES: Self = Self(2);
    /// A grant for one patient is confined to that patient's compartment, before and after
    /// a change, in every version and every result: [`Access::may_show`](super::Access::may_show)
    /// and [`Access::may_store`](super::Access::may_store).
    pub const COMPARTMENTS: Self = Self(4);
    /// A grant by a scope with search parameters is confined to resources that match them, by the
    /// same two, or by [`Alternative::constraint`](super::Alternative::constraint).
    pub const CONSTRAINTS: Self = Self(8);
    /// Included resources and links of chains are judged one by one, those too whose type an
    /// address does not spell: [`Access::readable`](super::Access::readable).
    pub const INCLUDES: Self = Self(16);
    /// Asynchronous jobs are shown to their owner alone: [`Access::owns`](super::Access::owns).
    /// The types of an export are judged again then: [`Access::may_export`](super::Access::may_export).
    pub const JOBS: Self = Self(32);
    /// An export without `_type` is narrowed to the types that the caller may export:
    /// [`Access::may_export`](super::Access::may_export).
    pub const EXPORT_TYPES: Self = Self(64);
    /// All of it.
    pub const ALL: Self = Self(127);

    const NAMES: [(Self, &'static str); 7] = [
        (Self::SEARCH_BODIES, "bodies of searches"),
        (Self::BUNDLE_ENTRIES, "bundle entries"),
        (Self::COMPARTMENTS, "compartments"),
        (Self::CONSTRAINTS, "constraints"),
        (Self::INCLUDES, "includes"),
        (Self::JOBS, "job ownership"),
        (Self::EXPORT_TYPES, "the types of exports"),
    ];

    /// Reports whether all of `other` is declared.
    #[must_use]
    pub fn includes(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Enforcement {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let declared = Self::NAMES.iter().filter(|(one, _)| self.includes(*one));
        let names: Vec<&str> = declared.map(|(_, name)| *name).collect();
        f.write_str(if names.is_empty() { "nothing" } else { "" })?;
        f.write_str(&names.join(", "))
    }
}

impl fmt::Debug for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Enforcement({self})")
    }
}
