//! The checks of a token as data: which one, what was found, what was expected.
//!
//! The pipeline takes a [`Recorder`](recorder::Recorder): off for requests, collecting for
//! [`Authenticator::explain`](crate::Authenticator::explain). There is no second implementation
//! of any check, so an explanation cannot drift from the verdict.

pub(crate) mod recorder;

use std::borrow::Cow;
use std::fmt;

use crate::text::shown;

/// One check that a token passes on its way to a [`Principal`](crate::Principal), in the order
/// in which they are made. With several faults the first one is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Check {
    /// There is one bearer token, in the `Authorization` header (RFC 6750 section 2.1).
    Credentials,
    /// The token is not too large.
    Size,
    /// Three segments of base64url; header and payload are JSON objects (RFC 7515 section 7.1).
    Shape,
    /// No `crit`, `b64`, `zip`, no nested token, and an `alg` that is a signature.
    Header,
    /// `iss` is one of the trusted issuers, exactly.
    Issuer,
    /// `alg` is one that the issuer may use.
    Algorithm,
    /// `typ` is one that the issuer may use (RFC 8725 section 3.11).
    Type,
    /// One key of the issuer is meant by `kid` and `alg`.
    Key,
    /// The signature verifies.
    Signature,
    /// `aud` names this server (RFC 7519 section 4.1.3).
    Audience,
    /// `nbf` is not in the future.
    NotBefore,
    /// `iat` is not in the future, and not too long ago.
    IssuedAt,
    /// Every required claim is there, and every registered one has its type.
    RequiredClaims,
    /// The client is on the issuer's allow-list, where there is one.
    Client,
    /// The token is not bound to a sender (RFC 7800): it came as a bearer token.
    Confirmation,
    /// `exp` is in the future.
    Expiry,
}

impl Check {
    /// All checks, in order.
    pub const ALL: &'static [Self] = &[
        Self::Credentials,
        Self::Size,
        Self::Shape,
        Self::Header,
        Self::Issuer,
        Self::Algorithm,
        Self::Type,
        Self::Key,
        Self::Signature,
        Self::Audience,
        Self::NotBefore,
        Self::IssuedAt,
        Self::RequiredClaims,
        Self::Client,
        Self::Confirmation,
        Self::Expiry,
    ];

    /// A stable name in kebab case, for logs and metrics: `audience`, `not-before`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Size => "size",
            Self::Shape => "shape",
            Self::Header => "header",
            Self::Issuer => "issuer",
            Self::Algorithm => "algorithm",
            Self::Type => "type",
            Self::Key => "key",
            Self::Signature => "signature",
            Self::Audience => "audience",
            Self::NotBefore => "not-before",
            Self::IssuedAt => "issued-at",
            Self::RequiredClaims => "required-claims",
            Self::Client => "client",
            Self::Confirmation => "confirmation",
            Self::Expiry => "expiry",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A check that failed, with both sides where they may be told.
///
/// `found` and `expected` hold only what may be shown: `iss`, `aud`, times, `alg`, `typ`, `kid`,
/// scopes and roles, in printable ASCII and at most 256 characters of each. The value of any other
/// claim never gets here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    check: Check,
    summary: Cow<'static, str>,
    found: Option<String>,
    expected: Option<String>,
}

impl Finding {
    pub(crate) fn new(check: Check, summary: impl Into<Cow<'static, str>>) -> Self {
        Self { check, summary: summary.into(), found: None, expected: None }
    }

    pub(crate) fn with_found(mut self, found: impl AsRef<str>) -> Self {
        self.found = Some(shown(found.as_ref()));
        self
    }

    pub(crate) fn with_expected(mut self, expected: impl AsRef<str>) -> Self {
        self.expected = Some(shown(expected.as_ref()));
        self
    }

    /// Which check failed.
    #[must_use]
    pub fn check(&self) -> Check {
        self.check
    }

    /// What is wrong, without values, naming claim or header as the standards do.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// What the token has.
    #[must_use]
    pub fn found(&self) -> Option<&str> {
        self.found.as_deref()
    }

    /// What this server accepts.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.expected.as_deref()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&told(&self.summary, self.found(), self.expected()))
    }
}

/// One sentence of what is wrong and both sides of it, as far as they are known.
pub(crate) fn told(summary: &str, found: Option<&str>, expected: Option<&str>) -> String {
    match (found, expected) {
        (Some(found), Some(expected)) => {
            format!("{summary}: the token has `{found}`, this server accepts `{expected}`")
        }
        (Some(found), None) => format!("{summary}: the token has `{found}`"),
        (None, Some(expected)) => format!("{summary}: this server accepts `{expected}`"),
        (None, None) => summary.to_owned(),
    }
}

/// Every check of one token: passed, failed, or not reached.
#[derive(Clone, Debug)]
pub struct Explanation {
    steps: Vec<Step>,
}

/// One line of an [`Explanation`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Step {
    /// Which check.
    pub check: Check,
    /// How it went.
    pub outcome: StepOutcome,
}

/// How one check went.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum StepOutcome {
    /// It passed; with what was found, where that may be told.
    Passed(Option<String>),
    /// It failed: the reason of the refusal.
    Failed(Finding),
    /// The keys that it needs are out of reach.
    Unavailable(String),
    /// A check before it failed.
    NotReached,
}

impl Explanation {
    pub(crate) fn new() -> Self {
        Self { steps: Vec::with_capacity(Check::ALL.len()) }
    }

    /// Whether every check passed.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        let passed = |step: &Step| matches!(step.outcome, StepOutcome::Passed(_));
        self.steps.len() == Check::ALL.len() && self.steps.iter().all(passed)
    }

    /// All checks in order, those that were not reached included.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The check that failed, if one did. Where keys are out of reach none did, and the token is
    /// not accepted either: see [`is_accepted`](Self::is_accepted).
    #[must_use]
    pub fn failure(&self) -> Option<&Finding> {
        self.steps.iter().find_map(|step| match &step.outcome {
            StepOutcome::Failed(finding) => Some(finding),
            StepOutcome::Passed(_) | StepOutcome::Unavailable(_) | StepOutcome::NotReached => None,
        })
    }

    pub(crate) fn close(mut self) -> Self {
        let reached = self.steps.len();
        let rest = Check::ALL
            .iter()
            .skip(reached)
            .map(|check| Step { check: *check, outcome: StepOutcome::NotReached });
        self.steps.extend(rest);
        self
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { check, outcome } in &self.steps {
            match outcome {
                StepOutcome::Passed(None) => writeln!(f, "passed       {check}")?,
                StepOutcome::Passed(Some(found)) => writeln!(f, "passed       {check}: {found}")?,
                StepOutcome::Failed(finding) => writeln!(f, "failed       {check}: {finding}")?,
                StepOutcome::Unavailable(why) => writeln!(f, "unavailable  {check}: {why}")?,
                StepOutcome::NotReached => writeln!(f, "not reached  {check}")?,
            }
        }
        Ok(())
    }
}
