//! The grounds of a refusal: a reason in words, with both sides.

use std::borrow::Cow;

use super::evidence::Evidence;

/// The grounds of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grounds {
    /// The reason in one line, in lower case and without a full stop.
    pub(crate) summary: Cow<'static, str>,
    pub(crate) evidence: Evidence,
}

impl Grounds {
    /// Takes a reason of which neither side is known.
    pub(crate) fn new(summary: impl Into<Cow<'static, str>>) -> Self {
        Self { summary: summary.into(), evidence: Evidence::none() }
    }

    /// Says it in one sentence.
    pub(crate) fn describe(&self) -> String {
        self.evidence.describe(&self.summary)
    }

    /// Joins two that both hold, with `between` between what each would have accepted.
    pub(crate) fn join(&self, other: &Self, between: &str) -> Self {
        let summary = format!("{}; and {}", self.summary, other.summary).into();
        Self { summary, evidence: self.evidence.join(&other.evidence, between) }
    }
}
