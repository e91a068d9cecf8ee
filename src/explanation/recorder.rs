//! The recorder of the checks while they are made: one that keeps nothing, or an [`Explanation`].

use super::check::Check;
use super::checked::Checked;
use super::evidence::Evidence;
use super::finding::Finding;
use super::report::{Explanation, StepOutcome, TokenContents};

/// Takes note of the checks of one request. Sealed by being private: [`NoRecorder`] or
/// [`Explanation`].
pub(crate) trait Recorder {
    /// `true` when a cached verification counts, and a new one is cached. Where every check is to
    /// be recorded, every check has to be made.
    const USES_CACHE: bool;

    /// Takes note of a check, and returns its result.
    fn check<T>(&mut self, checked: Checked<T, impl FnOnce() -> Evidence>) -> Result<T, Finding>;

    /// Takes note of a check that cannot fail, or was made elsewhere.
    fn passed(&mut self, check: Check, evidence: impl FnOnce() -> Evidence);

    /// Takes note of a finding that was made elsewhere, in place of what was noted of its check.
    fn failed(&mut self, finding: impl FnOnce() -> Finding);

    /// Takes note that a check cannot be made now, and why.
    fn unavailable(&mut self, check: Check, why: impl FnOnce() -> String);

    /// Takes note of what a verified token holds.
    fn record_contents(&mut self, held: impl FnOnce() -> TokenContents);

    /// Takes note that the request needs no token.
    fn public(&mut self);
}

/// For requests: keeps nothing and costs nothing.
pub(crate) struct NoRecorder;

impl Recorder for NoRecorder {
    const USES_CACHE: bool = true;

    fn check<T>(&mut self, checked: Checked<T, impl FnOnce() -> Evidence>) -> Result<T, Finding> {
        checked.into_result()
    }

    fn passed(&mut self, _: Check, _: impl FnOnce() -> Evidence) {}

    fn failed(&mut self, _: impl FnOnce() -> Finding) {}

    fn unavailable(&mut self, _: Check, _: impl FnOnce() -> String) {}

    fn record_contents(&mut self, _: impl FnOnce() -> TokenContents) {}

    fn public(&mut self) {}
}

impl Recorder for Explanation {
    const USES_CACHE: bool = false;

    fn check<T>(&mut self, checked: Checked<T, impl FnOnce() -> Evidence>) -> Result<T, Finding> {
        let (check, result, evidence) = checked.into_parts();
        match result {
            Ok(value) => {
                self.passed(check, || evidence);
                Ok(value)
            }
            Err(reason) => {
                let finding = Finding::new(check, reason, evidence);
                self.failed(|| finding.clone());
                Err(finding)
            }
        }
    }

    fn passed(&mut self, check: Check, evidence: impl FnOnce() -> Evidence) {
        let Evidence { found, expected } = evidence();
        self.record(check, StepOutcome::Passed { found, expected });
    }

    fn failed(&mut self, finding: impl FnOnce() -> Finding) {
        let finding = finding();
        self.take_back(finding.check());
        self.record(finding.check(), StepOutcome::Failed(finding));
    }

    fn unavailable(&mut self, check: Check, why: impl FnOnce() -> String) {
        self.record(check, StepOutcome::Unavailable(why()));
    }

    fn record_contents(&mut self, held: impl FnOnce() -> TokenContents) {
        self.contents = held();
    }

    fn public(&mut self) {
        self.is_public = true;
    }
}
