//! A check that failed.

use std::borrow::Cow;
use std::fmt;

use super::check::Check;
use super::evidence::Evidence;
use super::reason::Reason;

/// A check that failed, with both sides where they may be told.
///
/// `found` and `expected` hold only what may be shown: `iss`, `aud`, times, `alg`, `typ`, `kid`,
/// scopes and roles, in printable ASCII and at most 256 characters of each value. The value
/// of any other claim never gets here.
///
/// ```
/// use tower_fhir_auth::explanation::Finding;
///
/// fn page(finding: &Finding) -> String {
///     let mut page = format!("{}: {}", finding.check().name(), finding.summary());
///     if let (Some(found), Some(expected)) = (finding.found(), finding.expected()) {
///         page += &format!(" (found {found}, expected {expected})");
///     }
///     for advice in finding.advice() {
///         page += &format!("\n- {}: {}", advice.side.name(), advice.text);
///     }
///     page
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    check: Check,
    reason: Reason,
    evidence: Evidence,
}

impl Finding {
    pub(crate) fn new(check: Check, reason: Reason, evidence: Evidence) -> Self {
        Self { check, reason, evidence }
    }

    /// Returns the reason and both sides, for those who keep them.
    pub(crate) fn into_parts(self) -> (Reason, Evidence) {
        (self.reason, self.evidence)
    }

    /// The check that failed.
    #[must_use]
    pub fn check(&self) -> Check {
        self.check
    }

    /// The reason for which it failed.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// Says what is wrong in one sentence, naming claim or header as the standards do: the
    /// `Display` of the [`reason`](Self::reason).
    #[must_use]
    pub fn summary(&self) -> Cow<'_, str> {
        self.reason.summary()
    }

    /// The token's side.
    #[must_use]
    pub fn found(&self) -> Option<&str> {
        self.evidence.found.as_deref()
    }

    /// This server's side.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.evidence.expected.as_deref()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.evidence.describe(&self.summary()))
    }
}
