//! The report on a request: every check in order, and the verdict.

use std::borrow::Cow;
use std::fmt;

use super::check::Check;
use super::finding::Finding;
use crate::display_safe::sanitize;

/// Every check of one token, or of one request: passed, failed, or not reached.
///
/// After the first failure the checks go on, as far as that needs no key and no right of the caller:
/// what would fail, too, is told, and makes nobody a [`Principal`](crate::Principal).
///
/// ```
/// use http::Request;
/// use tower_fhir_auth::FhirAuthLayer;
///
/// async fn explain(layer: &FhirAuthLayer, token: &str) -> Result<String, http::Error> {
///     let credentials = format!("Bearer {token}");
///     let request = Request::get("/r4/Patient/1").header("authorization", credentials);
///     let (parts, ()) = request.body(())?.into_parts();
///     let explanation = layer.explain(&parts).await;
///     Ok(explanation.to_string())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Explanation {
    steps: Vec<Step>,
    pub(super) contents: TokenContents,
    /// True if the request needs no token, so that nothing is checked.
    pub(super) is_public: bool,
}

/// The verdict of an [`Explanation`]: that of the layer on the same request.
///
/// ```
/// use tower_fhir_auth::explanation::{Explanation, Verdict};
///
/// fn status(explanation: &Explanation) -> u8 {
///     match explanation.verdict() {
///         Verdict::Accepted => 0,
///         Verdict::Refused => 1,
///         _ => 2,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// Every check passed, or none has to.
    Accepted,
    /// A check failed.
    Refused,
    /// The keys that would decide are out of reach.
    Undecided,
}

/// The part of a verified token that may be shown, beside what was checked.
///
/// ```
/// use tower_fhir_auth::explanation::Explanation;
///
/// fn scopes(explanation: &Explanation) -> &[String] {
///     &explanation.contents().scopes
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenContents {
    /// The scopes.
    pub scopes: Vec<String>,
    /// The roles.
    pub roles: Vec<String>,
    /// The names of the other claims, without their values.
    pub other_claims: Vec<String>,
}

/// One line of an [`Explanation`].
///
/// ```
/// use tower_fhir_auth::explanation::Explanation;
///
/// fn print(explanation: &Explanation) {
///     for step in explanation.steps() {
///         println!("{:<16} {}", step.check.name(), step.outcome.name());
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Step {
    /// The check.
    pub check: Check,
    /// Its outcome.
    pub outcome: StepOutcome,
}

/// The outcome of one check.
///
/// ```
/// use tower_fhir_auth::explanation::{Explanation, StepOutcome};
///
/// /// Counts the checks that a token has passed, or would pass behind the one that failed.
/// fn passed(explanation: &Explanation) -> usize {
///     let is_good = |outcome: &StepOutcome| {
///         matches!(outcome, StepOutcome::Passed { .. } | StepOutcome::WouldPass { .. })
///     };
///     explanation.steps().iter().filter(|step| is_good(&step.outcome)).count()
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StepOutcome {
    /// It passed; with both sides, where they may be told.
    #[non_exhaustive]
    Passed {
        /// The token's side.
        found: Option<String>,
        /// This server's side.
        expected: Option<String>,
    },
    /// It failed: the reason of the refusal.
    Failed(Finding),
    /// The keys that it needs are out of reach.
    Unavailable(String),
    /// A check before it failed; this one would have passed. Before the signature has
    /// [verified](Explanation::is_verified), the token's side is only what it claims.
    #[non_exhaustive]
    WouldPass {
        /// The token's side.
        found: Option<String>,
        /// This server's side.
        expected: Option<String>,
    },
    /// A check before it failed, and this one would have failed, too. It comes with no advice: a
    /// token that is not accepted is no reason to accept more.
    #[non_exhaustive]
    WouldFail {
        /// The fault, in one sentence.
        summary: String,
        /// The token's side.
        found: Option<String>,
        /// This server's side.
        expected: Option<String>,
    },
    /// A check before it failed, and of this one nothing can be said.
    NotReached,
}

impl Explanation {
    pub(crate) fn new() -> Self {
        let steps = Vec::with_capacity(Check::ALL.len());
        Self { steps, contents: TokenContents::default(), is_public: false }
    }

    /// Reports whether the request is let in whatever its token: a public path, a CORS preflight,
    /// or a well-known document. Then no check is made.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.is_public
    }

    /// Reports whether every check passed, or none has to.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        if self.is_public {
            return true;
        }
        let passed = |step: &Step| matches!(step.outcome, StepOutcome::Passed { .. });
        // `all` of no checks is true: where nothing was checked, nobody is accepted.
        !self.steps.is_empty() && self.steps.iter().all(passed)
    }

    /// All checks in order, those that were not reached included.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns what the token holds beside what was checked, as far as it may be shown. All of it
    /// is empty until the signature has verified.
    #[must_use]
    pub fn contents(&self) -> &TokenContents {
        &self.contents
    }

    /// Returns the verdict: accepted, refused, or undecided where keys are out of reach.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match (self.is_accepted(), self.failure()) {
            (true, _) => Verdict::Accepted,
            (false, Some(_)) => Verdict::Refused,
            (false, None) => Verdict::Undecided,
        }
    }

    /// The check that failed, if one did. Where keys are out of reach none did, and the token is
    /// not accepted either: see [`is_accepted`](Self::is_accepted).
    #[must_use]
    pub fn failure(&self) -> Option<&Finding> {
        self.steps.iter().find_map(|step| match &step.outcome {
            StepOutcome::Failed(finding) => Some(finding),
            StepOutcome::Passed { .. }
            | StepOutcome::Unavailable(_)
            | StepOutcome::WouldPass { .. }
            | StepOutcome::WouldFail { .. }
            | StepOutcome::NotReached => None,
        })
    }

    /// Reports whether the signature has verified, so that what was found in the token is true.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.has_passed(Check::Signature)
    }

    /// Reports whether what a step says of the token was never verified.
    pub(super) fn is_unverified(&self, step: &Step) -> bool {
        let beyond =
            matches!(step.outcome, StepOutcome::WouldPass { .. } | StepOutcome::WouldFail { .. });
        beyond && step.check < Check::Interaction && !self.is_verified()
    }

    fn has_passed(&self, check: Check) -> bool {
        let passed = |step: &Step| matches!(step.outcome, StepOutcome::Passed { .. });
        self.steps.iter().any(|step| step.check == check && passed(step))
    }

    /// Reports whether a check was made.
    pub(crate) fn has(&self, check: Check) -> bool {
        self.steps.iter().any(|step| step.check == check)
    }

    /// Returns the verdict with its reason, in one sentence.
    #[must_use]
    pub fn conclusion(&self) -> String {
        let verdict = self.verdict();
        let asked = |step: &Step| step.check == Check::Interaction;
        let unavailable = |step: &Step| {
            if let StepOutcome::Unavailable(why) = &step.outcome { Some(why.clone()) } else { None }
        };
        let reason: Cow<'_, str> = match verdict {
            Verdict::Accepted if self.is_public => "the request needs no token".into(),
            Verdict::Accepted if !self.steps.iter().any(asked) => {
                "the token is good; no request was asked about".into()
            }
            Verdict::Accepted => return verdict.to_string(),
            Verdict::Refused => self.failure().map(Finding::to_string).unwrap_or_default().into(),
            Verdict::Undecided => {
                self.steps.iter().find_map(unavailable).unwrap_or_default().into()
            }
        };
        format!("{verdict}: {reason}")
    }

    pub(super) fn record(&mut self, check: Check, outcome: StepOutcome) {
        self.steps.push(Step { check, outcome });
    }

    /// Removes what was recorded of a check.
    pub(super) fn take_back(&mut self, check: Check) {
        self.steps.retain(|step| step.check != check);
    }

    /// Adds those of `checks` that were not made, so that every explanation of a kind lists the same
    /// ones.
    pub(crate) fn add_unreached(&mut self, checks: &[Check]) {
        for check in checks {
            if self.steps.iter().all(|step| step.check != *check) {
                self.record(*check, StepOutcome::NotReached);
            }
        }
        self.steps.sort_by_key(|step| step.check);
    }
}

impl TokenContents {
    pub(crate) fn new<'a>(
        scopes: impl Iterator<Item = &'a str>,
        roles: impl Iterator<Item = &'a str>,
        other_claims: impl Iterator<Item = &'a str>,
    ) -> Self {
        Self {
            scopes: scopes.map(sanitize).collect(),
            roles: roles.map(sanitize).collect(),
            other_claims: other_claims.map(sanitize).collect(),
        }
    }
}

impl Verdict {
    /// Returns a stable name: `accepted`, `refused`, `undecided`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Undecided => "undecided",
        }
    }
}

impl StepOutcome {
    /// Returns a stable name: `passed`, `failed`, `unavailable`, `would-pass`, `would-fail`,
    /// `not-reached`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Passed { .. } => "passed",
            Self::Failed(_) => "failed",
            Self::Unavailable(_) => "unavailable",
            Self::WouldPass { .. } => "would-pass",
            Self::WouldFail { .. } => "would-fail",
            Self::NotReached => "not-reached",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
