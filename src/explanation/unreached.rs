//! The checks beyond the first failure, for an explanation that tells all faults at once.

use super::check::Check;
use super::checked::Checked;
use super::evidence::Evidence;
use super::report::{Explanation, StepOutcome};

/// Takes note of checks that the request did not reach. Nothing is decided by them.
pub(crate) struct Unreached<'e>(&'e mut Explanation);

impl<'e> Unreached<'e> {
    pub(crate) fn new(explanation: &'e mut Explanation) -> Self {
        Self(explanation)
    }

    /// Reports whether the signature has verified.
    pub(crate) fn is_verified(&self) -> bool {
        self.0.is_verified()
    }

    /// Takes note of a check, unless it was made before, and returns the value of one that passes.
    pub(crate) fn check<T>(&mut self, checked: Checked<T, impl FnOnce() -> Evidence>) -> Option<T> {
        let (check, result, evidence) = checked.into_parts();
        let Evidence { found, expected } = evidence;
        let (value, outcome) = match result {
            Ok(value) => (Some(value), StepOutcome::WouldPass { found, expected }),
            Err(reason) => {
                let summary = reason.into_summary().into_owned();
                (None, StepOutcome::WouldFail { summary, found, expected })
            }
        };
        if !self.0.has(check) {
            self.0.record(check, outcome);
        }
        value
    }

    /// Takes note of a check by the rules of several issuers: it passes where it does by those of
    /// any.
    pub(crate) fn check_any<T, E: FnOnce() -> Evidence>(
        &mut self,
        checks: impl IntoIterator<Item = Checked<T, E>>,
    ) -> Option<T> {
        let mut failed = None;
        for checked in checks {
            if checked.passes() {
                return self.check(checked);
            }
            failed = failed.or(Some(checked));
        }
        self.check(failed?)
    }

    /// Reports whether a check passes by the rules of any of several issuers, without a note of why not.
    pub(crate) fn passes_any<T, E: FnOnce() -> Evidence>(
        &mut self,
        checks: impl IntoIterator<Item = Checked<T, E>>,
    ) -> bool {
        let passed = checks.into_iter().find(Checked::passes);
        passed.is_some_and(|checked| self.check(checked).is_some())
    }

    /// Takes note that a token is of another kind, and not of which: before the signature has verified
    /// its claims are not told.
    pub(crate) fn other_kind(&mut self) {
        if !self.0.has(Check::TokenKind) {
            let summary = "this is not an access token".to_owned();
            let outcome = StepOutcome::WouldFail { summary, found: None, expected: None };
            self.0.record(Check::TokenKind, outcome);
        }
    }

    /// Takes note of what the request asks for, or what is wrong with its address.
    pub(crate) fn interaction(&mut self, asked: Result<String, String>) {
        let outcome = match asked {
            Ok(found) => StepOutcome::WouldPass { found: Some(found), expected: None },
            Err(summary) => StepOutcome::WouldFail { summary, found: None, expected: None },
        };
        self.0.record(Check::Interaction, outcome);
    }
}
