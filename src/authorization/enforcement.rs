//! What the application's handlers enforce, beyond what the layer can see.

use std::ops::BitOr;

/// What an application declares that its handlers enforce. The layer sees no bodies: a grant that
/// leaves something for the handler is a refusal until the handler is declared to do it.
///
/// ```
/// use tower_fhir_auth::{Enforcement, ScopePolicy};
///
/// let policy = ScopePolicy::new()
///     .handlers_enforce(Enforcement::SEARCH_BODIES | Enforcement::BUNDLE_ENTRIES);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enforcement(u8);

impl Enforcement {
    /// The parameters in the body of `POST …/_search` are judged like those of an address.
    pub const SEARCH_BODIES: Self = Self(1);
    /// Each entry of a batch or transaction is judged by itself.
    pub const BUNDLE_ENTRIES: Self = Self(2);

    /// Whether all of `other` is declared.
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
