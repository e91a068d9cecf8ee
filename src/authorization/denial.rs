//! No: why, and what would have been enough.

use std::borrow::Cow;
use std::fmt;

use super::Enforcement;
use crate::text::shown;

/// The answer of an authorizer that does not let a request pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Denial {
    summary: Cow<'static, str>,
    /// Scope tokens of RFC 6749 that would have been enough, together.
    scopes: Vec<String>,
    found: Option<String>,
    expected: Option<String>,
}

impl Denial {
    /// A denial with a one-line reason, in lower case and without a full stop.
    pub fn new(summary: impl Into<Cow<'static, str>>) -> Self {
        Self { summary: summary.into(), scopes: Vec::new(), found: None, expected: None }
    }

    /// The scopes that would have been enough, for the `scope` attribute of the challenge
    /// (RFC 6750 section 3).
    pub fn required_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// What is needed, where what the token has must not be told: roles.
    pub fn needs(mut self, expected: impl AsRef<str>) -> Self {
        self.expected = Some(shown(expected.as_ref()));
        self
    }

    /// Both sides: the scopes that the token has, and those that are needed.
    pub fn sides(mut self, found: impl AsRef<str>, expected: impl AsRef<str>) -> Self {
        self.found = Some(shown(found.as_ref()));
        self.expected = Some(shown(expected.as_ref()));
        self
    }

    /// The scopes that the token has, where none would have been enough.
    pub(crate) fn found(mut self, found: impl AsRef<str>) -> Self {
        self.found = Some(shown(found.as_ref()));
        self
    }

    /// Adds to the reason what the application would have had to declare.
    pub(crate) fn undeclared(self, missing: Enforcement) -> Self {
        self.note(format!("the application has not declared that its handlers enforce {missing}"))
    }

    /// Adds a circumstance to the reason.
    pub(crate) fn note(mut self, note: impl AsRef<str>) -> Self {
        self.summary = format!("{} ({})", self.summary, note.as_ref()).into();
        self
    }

    /// The reason.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The scopes that would have been enough.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }

    pub(crate) fn found_and_expected(&self) -> (Option<&str>, Option<&str>) {
        (self.found.as_deref(), self.expected.as_deref())
    }

    /// One denial for two, where both rules were needed: scopes are named only if they would have
    /// been enough for both.
    pub fn and(mut self, other: Self) -> Self {
        self.summary = format!("{}; and {}", self.summary, other.summary).into();
        if self.scopes.is_empty() || other.scopes.is_empty() {
            self.scopes.clear();
        } else {
            let more = other.scopes.into_iter().filter(|scope| !self.scopes.contains(scope));
            self.scopes = self.scopes.iter().cloned().chain(more).collect();
        }
        self.found = join(self.found, other.found, "; ");
        self.expected = join(self.expected, other.expected, "; and ");
        self
    }

    /// One denial for two, where either rule would have been enough: the scopes of the first
    /// rule that scopes can meet are the ones named.
    pub fn or(mut self, other: Self) -> Self {
        self.summary = format!("{}; and {}", self.summary, other.summary).into();
        if self.scopes.is_empty() {
            self.scopes = other.scopes;
        }
        self.found = join(self.found, other.found, "; ");
        self.expected = join(self.expected, other.expected, "; or ");
        self
    }
}

fn join(a: Option<String>, b: Option<String>, between: &str) -> Option<String> {
    match (a, b) {
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(a), Some(b)) => Some(format!("{a}{between}{b}")),
        (one, None) | (None, one) => one,
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary)
    }
}

impl std::error::Error for Denial {}
