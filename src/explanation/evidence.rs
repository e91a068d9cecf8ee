//! Both sides of a check.

use crate::display_safe::sanitize;

/// Both sides of a check, in characters that may be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    pub(crate) found: Option<String>,
    pub(crate) expected: Option<String>,
}

impl Evidence {
    /// Nothing of either side may be told, or there is nothing to tell.
    pub(crate) fn none() -> Self {
        Self::default()
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

    /// Says in one sentence what is wrong, and both sides of it, as far as they are known.
    pub(crate) fn describe(&self, summary: &str) -> String {
        match (&self.found, &self.expected) {
            (Some(found), Some(expected)) => {
                [summary, ": the token has `", found, "`, this server accepts `", expected, "`"]
                    .concat()
            }
            (Some(found), None) => [summary, ": the token has `", found, "`"].concat(),
            (None, Some(expected)) => [summary, ": this server accepts `", expected, "`"].concat(),
            (None, None) => summary.to_owned(),
        }
    }

    /// Joins the evidence of two checks, with `between` between what each would have accepted.
    pub(super) fn join(&self, other: &Self, between: &str) -> Self {
        Self {
            found: join(self.found.as_deref(), other.found.as_deref(), "; "),
            expected: join(self.expected.as_deref(), other.expected.as_deref(), between),
        }
    }
}

fn join(one: Option<&str>, other: Option<&str>, between: &str) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Some([one, between, other].concat()),
        (one, other) => one.or(other).map(str::to_owned),
    }
}
