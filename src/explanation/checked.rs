//! The result of a check, with the words for both of its sides.

use super::check::Check;
use super::evidence::Evidence;
use super::finding::Finding;
use super::reason::Reason;

/// The result of one check. Its sides are stated here once, whether it passed or failed, and put
/// into words only when somebody reads them: a request that is let in never pays for them.
pub(crate) struct Checked<T, E> {
    check: Check,
    result: Result<T, Reason>,
    evidence: E,
}

impl<T, E: FnOnce() -> Evidence> Checked<T, E> {
    pub(crate) fn new(check: Check, result: Result<T, Reason>, evidence: E) -> Self {
        Self { check, result, evidence }
    }

    /// Reports whether the check passed.
    pub(super) fn passes(&self) -> bool {
        self.result.is_ok()
    }

    /// Returns the value of a check that passed, else the finding.
    pub(super) fn into_result(self) -> Result<T, Finding> {
        let Self { check, result, evidence } = self;
        result.map_err(|reason| Finding::new(check, reason, evidence()))
    }

    /// Returns the result with the evidence of either outcome.
    pub(super) fn into_parts(self) -> (Check, Result<T, Reason>, Evidence) {
        (self.check, self.result, (self.evidence)())
    }
}
