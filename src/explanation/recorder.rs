//! Who listens while the checks are made: nobody, or an [`Explanation`].

use super::{Check, Explanation, Finding, Seen, Step, StepOutcome};

/// Listens to the checks of one token. Sealed by being private: [`Off`] or [`Explanation`].
pub(crate) trait Recorder {
    /// True if a token that was verified before may be taken as verified, and this one remembered.
    const MAY_REMEMBER: bool;

    /// Passes the result of a check on, after taking note of it. `seen` is asked for what was
    /// found only by a recorder that keeps it.
    fn check<T, E: Fault>(
        &mut self,
        check: Check,
        seen: impl FnOnce() -> Seen,
        result: Result<T, E>,
    ) -> Result<T, E>;

    /// Takes note that a check cannot be made now.
    fn unavailable(&mut self, check: Check, why: impl FnOnce() -> String);
}

/// An error of the pipeline that can be told as the failure of a check.
pub(crate) trait Fault {
    fn finding(&self, check: Check) -> Finding;
}

impl Fault for Finding {
    fn finding(&self, _: Check) -> Finding {
        self.clone()
    }
}

/// For requests: keeps nothing and costs nothing.
pub(crate) struct Off;

impl Recorder for Off {
    const MAY_REMEMBER: bool = true;

    fn check<T, E: Fault>(
        &mut self,
        _: Check,
        _: impl FnOnce() -> Seen,
        result: Result<T, E>,
    ) -> Result<T, E> {
        result
    }

    fn unavailable(&mut self, _: Check, _: impl FnOnce() -> String) {}
}

impl Recorder for Explanation {
    /// Every check is made and told.
    const MAY_REMEMBER: bool = false;

    fn check<T, E: Fault>(
        &mut self,
        check: Check,
        seen: impl FnOnce() -> Seen,
        result: Result<T, E>,
    ) -> Result<T, E> {
        match &result {
            Ok(_) => self.passed(check, seen()),
            Err(fault) => self.failed(fault.finding(check)),
        }
        result
    }

    fn unavailable(&mut self, check: Check, why: impl FnOnce() -> String) {
        let outcome = StepOutcome::Unavailable(why());
        self.steps.push(Step { check, outcome });
    }
}
