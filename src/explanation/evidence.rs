//! Both sides of a check.

use crate::display_safe::sanitize;

/// Both sides of a check, in characters that may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(super) found: Option<String>,
    pub(super) expected: Option<String>,
}

impl Evidence {
    /// Nothing of either side may be told, or there is nothing to tell.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// Takes sides that may be shown as they are.
    pub(crate) fn of_sides(found: Option<String>, expected: Option<String>) -> Self {
        Self { found, expected }
    }

    /// Tells the token's side.
    pub(crate) fn found(found: impl AsRef<str>) -> Self {
        Self::none().with_found(Some(found))
    }

    /// Tells the token's side, where it has one.
    pub(crate) fn with_found(self, found: Option<impl AsRef<str>>) -> Self {
        Self { found: found.map(|found| sanitize(found.as_ref())), ..self }
    }

    /// Tells this server's side.
    pub(crate) fn expected(self, expected: impl AsRef<str>) -> Self {
        Self { expected: Some(sanitize(expected.as_ref())), ..self }
    }
}
