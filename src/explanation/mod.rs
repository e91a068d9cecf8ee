//! The checks of a token as data: which one, what was found, what was expected.
//!
//! The pipeline takes a [`Recorder`](recorder::Recorder): off for requests, collecting for
//! [`Authenticator::explain`](crate::Authenticator::explain). There is no second implementation
//! of any check, so an explanation cannot drift from the verdict.

mod address;
mod advice;
mod evidence;
mod held_role;
mod invalid_request;
mod reason;
pub(crate) mod recorder;
mod render;
mod requirement;

use std::borrow::Cow;
use std::fmt;

pub use advice::{Advice, Side};
pub(crate) use evidence::{Checked, Evidence};
pub use held_role::{HeldRole, RoleStanding};
pub use invalid_request::InvalidRequest;
pub use reason::Reason;
pub use requirement::Requirement;

use crate::display_safe::sanitize;

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
    /// The token is an access token: neither an ID token, nor a refresh or logout token.
    TokenKind,
    /// `tid` is the tenant that `iss` names, for issuers of Microsoft Entra ID.
    Tenant,
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
    /// The FHIR interaction of the request. Made for requests alone, as the next one.
    Interaction,
    /// The roles or scopes of the caller grant the interaction.
    Authorization,
}

impl Check {
    /// All checks of a request, in order.
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
        Self::TokenKind,
        Self::Tenant,
        Self::Audience,
        Self::NotBefore,
        Self::IssuedAt,
        Self::RequiredClaims,
        Self::Client,
        Self::Confirmation,
        Self::Expiry,
        Self::Interaction,
        Self::Authorization,
    ];

    /// Reports whether it is a check of the token, and not of what it may be used for.
    #[must_use]
    pub fn is_of_token(self) -> bool {
        !matches!(self, Self::Interaction | Self::Authorization)
    }

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
            Self::TokenKind => "token-kind",
            Self::Tenant => "tenant",
            Self::Audience => "audience",
            Self::NotBefore => "not-before",
            Self::IssuedAt => "issued-at",
            Self::RequiredClaims => "required-claims",
            Self::Client => "client",
            Self::Confirmation => "confirmation",
            Self::Expiry => "expiry",
            Self::Interaction => "interaction",
            Self::Authorization => "authorization",
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
/// scopes and roles, in printable ASCII and at most 256 characters of each value. The value of any other
/// claim never gets here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    check: Check,
    reason: Reason,
    found: Option<String>,
    expected: Option<String>,
}

impl Finding {
    pub(crate) fn new(check: Check, reason: Reason, evidence: Evidence) -> Self {
        let Evidence { found, expected } = evidence;
        Self { check, reason, found, expected }
    }

    /// Returns the reason and both sides, for those who keep them.
    pub(crate) fn into_parts(self) -> (Reason, Option<String>, Option<String>) {
        (self.reason, self.found, self.expected)
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
        self.found.as_deref()
    }

    /// This server's side.
    #[must_use]
    pub fn expected(&self) -> Option<&str> {
        self.expected.as_deref()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&told(&self.summary(), self.found(), self.expected()))
    }
}

/// One sentence of what is wrong and both sides of it, as far as they are known.
pub(crate) fn told(summary: &str, found: Option<&str>, expected: Option<&str>) -> String {
    match (found, expected) {
        (Some(found), Some(expected)) => {
            [summary, ": the token has `", found, "`, this server accepts `", expected, "`"]
                .concat()
        }
        (Some(found), None) => [summary, ": the token has `", found, "`"].concat(),
        (None, Some(expected)) => [summary, ": this server accepts `", expected, "`"].concat(),
        (None, None) => summary.to_owned(),
    }
}

/// Every check of one token, or of one request: passed, failed, or not reached.
#[derive(Clone, Debug)]
pub struct Explanation {
    steps: Vec<Step>,
    holds: Vec<(&'static str, String)>,
    /// True if the request needs no token, so that nothing is checked.
    is_public: bool,
}

/// One line of an [`Explanation`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Step {
    /// The check.
    pub check: Check,
    /// Its outcome.
    pub outcome: StepOutcome,
}

/// The outcome of one check.
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
    /// A check before it failed.
    NotReached,
}

impl Explanation {
    pub(crate) fn new() -> Self {
        let steps = Vec::with_capacity(Check::ALL.len());
        Self { steps, holds: Vec::new(), is_public: false }
    }

    /// Reports whether the request is let in whatever its token: a public path, a CORS preflight,
    /// or a
    /// well-known document. Then no check is made.
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
        !self.steps.is_empty() && self.steps.iter().all(passed)
    }

    /// All checks in order, those that were not reached included.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Lists what the token holds beside what was checked, as far as it may be shown: `scopes`,
    /// `roles`,
    /// and the names of `other claims`. Empty until the signature has verified.
    pub fn holds(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.holds.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The check that failed, if one did. Where keys are out of reach none did, and the token is
    /// not accepted either: see [`is_accepted`](Self::is_accepted).
    #[must_use]
    pub fn failure(&self) -> Option<&Finding> {
        self.steps.iter().find_map(|step| match &step.outcome {
            StepOutcome::Failed(finding) => Some(finding),
            StepOutcome::Passed { .. } | StepOutcome::Unavailable(_) | StepOutcome::NotReached => {
                None
            }
        })
    }

    fn hold(&mut self, name: &'static str, values: &str) {
        self.holds.push((name, sanitize(values)));
    }

    /// Adds the checks that were not made, so that every explanation of a kind lists the same ones.
    pub(crate) fn close(&mut self, is_meant: impl Fn(Check) -> bool) {
        for check in Check::ALL.iter().copied().filter(|check| is_meant(*check)) {
            if self.steps.iter().all(|step| step.check != check) {
                self.steps.push(Step { check, outcome: StepOutcome::NotReached });
            }
        }
        self.steps.sort_by_key(|step| step.check);
    }
}
