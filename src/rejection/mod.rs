//! Refusals: the one place where they become HTTP, RFC 6750, FHIR and gRPC.
//!
//! A [`Rejection`] has a [`RejectionKind`], from which status, challenge, error code, issue type
//! and gRPC status follow by one table, the [`Check`] that failed, and both sides of it. How much of
//! that a client is told is a [`Disclosure`]; operators are told all of it, in the log and in the
//! extensions of the response:
//!
//! ```
//! use http::Response;
//! use tower_fhir_auth::{Rejection, RejectionKind};
//!
//! /// For a layer outside: counts callers that could do with a new token.
//! fn is_stale<B>(response: &Response<B>) -> bool {
//!     let rejection = response.extensions().get::<Rejection>();
//!     rejection.is_some_and(|rejection| rejection.kind() == RejectionKind::ExpiredToken)
//! }
//! ```
//!
//! [`ProblemResponder`] makes problem details of the same rejections, for APIs that are not FHIR, and
//! a [`RejectionResponder`] of your own any other body.
//!
//! A request for gRPC gets HTTP 200 with `grpc-status`, `grpc-message`, and in
//! `grpc-status-details-bin` a `google.rpc.ErrorInfo`: its reason is the kind, as in `INVALID_TOKEN`,
//! its domain `tower-fhir-auth`, and its metadata have `check` and `scope` where there are any.

mod attributes;
mod challenge;
mod disclosure;
mod error_info;
mod grpc;
mod kind;
mod problem;
pub(crate) mod responder;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::StatusCode;
use http::request::Parts;

pub(crate) use attributes::Challenges;
pub use disclosure::Disclosure;
pub use kind::RejectionKind;
pub use problem::ProblemResponder;
pub use responder::{DefaultResponder, RejectionResponder};

use crate::authentication::bearer::Scheme;
use crate::authentication::{AuthenticationError, Principal};
use crate::authorization::{Denial, Insufficient, StepUpChallenge};
use crate::explanation::{Check, Evidence, Finding, Grounds, ProofReason, Reason, TimeReason};
use crate::fhir::{BaseUrl, OperationOutcome};

/// A refusal. The layer puts it into the extensions of every response that refuses, also where a
/// [`RejectionResponder`] of your own made the response, so that outer layers can log and count.
/// It is an `Error`, too, for layers that answer with one.
///
/// ```
/// use http::Response;
/// use tower_fhir_auth::Rejection;
///
/// /// Says in a line of a log why a response is a refusal, if it is one.
/// fn reason<B>(response: &Response<B>) -> Option<String> {
///     let rejection = response.extensions().get::<Rejection>()?;
///     Some(format!("{} {}: {}", rejection.status(), rejection.kind().name(), rejection.detail()))
/// }
/// ```
#[derive(Clone)]
pub struct Rejection(Arc<RejectionData>, Scheme);

struct RejectionData {
    kind: RejectionKind,
    check: Option<Check>,
    grounds: Grounds,
    /// The version for operators, where it tells more.
    to_operators: Option<Grounds>,
    /// Both sides in one sentence, the same with the check, and the sentence for operators, written
    /// when first asked for.
    sentence: OnceLock<String>,
    full: OnceLock<String>,
    detail: OnceLock<String>,
    scopes: Vec<String>,
    retry_after: Option<Duration>,
    /// The caller, where the token was good.
    caller: Option<Principal>,
    nonce: Option<String>,
    step_up: Option<StepUpChallenge>,
    server: Arc<ServerIdentity>,
}

/// The server, as refusals name it.
#[derive(Debug)]
pub(crate) struct ServerIdentity {
    pub(crate) base_url: BaseUrl,
    pub(crate) disclosure: Disclosure,
    pub(crate) challenges: Challenges,
}

impl Rejection {
    pub(crate) fn of_authentication(
        error: AuthenticationError,
        server: &Arc<ServerIdentity>,
    ) -> Self {
        match error {
            AuthenticationError::MissingCredentials => {
                let text = "no bearer token in the `Authorization` header";
                Self::new(RejectionKind::MissingCredentials, text, server)
            }
            AuthenticationError::OtherCredentials(other) => {
                Self::new(RejectionKind::MissingCredentials, other.to_string(), server)
            }
            AuthenticationError::InvalidRequest(fault) => {
                Self::new(RejectionKind::InvalidRequest, fault.to_string(), server)
            }
            AuthenticationError::InvalidToken(finding) => Self::of_token(finding, server),
            AuthenticationError::TooManyProofs { retry_after } => {
                let text = "this server cannot remember another proof of possession at the moment";
                let mut refused =
                    RejectionData::new(RejectionKind::TooManyProofs, Grounds::new(text), server);
                refused.check = Some(Check::Proof);
                refused.retry_after = Some(retry_after);
                Self(Arc::new(refused), Scheme::Bearer)
            }
            AuthenticationError::KeysUnavailable { retry_after, .. } => {
                let text = "the keys of the token's issuer are not available at the moment";
                let mut refused =
                    RejectionData::new(RejectionKind::KeysUnavailable, Grounds::new(text), server);
                refused.check = Some(Check::Key);
                refused.retry_after = Some(retry_after);
                Self(Arc::new(refused), Scheme::Bearer)
            }
            AuthenticationError::IntrospectionUnavailable { retry_after, .. } => {
                let text = "the token's issuer cannot be asked about the token at the moment";
                let kind = RejectionKind::IntrospectionUnavailable;
                let mut refused = RejectionData::new(kind, Grounds::new(text), server);
                refused.check = Some(Check::Introspection);
                refused.retry_after = Some(retry_after);
                Self(Arc::new(refused), Scheme::Bearer)
            }
        }
    }

    fn of_token(finding: Finding, server: &Arc<ServerIdentity>) -> Self {
        let check = finding.check();
        let (reason, evidence) = finding.into_parts();
        // After all other claims: a token that is past its time has no other fault.
        let kind = if let Reason::Time(TimeReason::Expired { .. }) = &reason {
            RejectionKind::ExpiredToken
        } else if let Reason::Proof(proof) = &reason {
            of_proof(proof)
        } else {
            RejectionKind::InvalidToken
        };
        let grounds = Grounds { summary: reason.into_summary(), evidence };
        let mut refused = RejectionData::new(kind, grounds, server);
        refused.check = Some(check);
        Self(Arc::new(refused), Scheme::Bearer)
    }

    pub(crate) fn of_authorization(denial: &Denial, server: &Arc<ServerIdentity>) -> Self {
        let (grounds, to_operators) = denial.grounds();
        let (kind, step_up) = match denial.insufficient() {
            None => (RejectionKind::Forbidden, None),
            Some(Insufficient::AuthTime) => (RejectionKind::InvalidToken, None),
            Some(Insufficient::Challenged(demand)) => {
                (RejectionKind::InsufficientUserAuthentication, Some(demand.clone()))
            }
        };
        let mut refused = RejectionData::new(kind, grounds.clone(), server);
        refused.step_up = step_up;
        refused.check = Some(denial.check());
        refused.to_operators = to_operators.cloned();
        refused.scopes = denial.scopes().map(str::to_owned).collect();
        Self(Arc::new(refused), Scheme::Bearer)
    }

    /// Names the verified caller who is refused.
    pub(crate) fn of_caller(mut self, caller: &Principal) -> Self {
        if let Some(refused) = Arc::get_mut(&mut self.0) {
            refused.caller = Some(caller.clone());
        }
        self
    }

    pub(crate) fn uri_too_long(server: &Arc<ServerIdentity>) -> Self {
        let text = "the address has more than 64 KiB: put the parameters of a search into the \
                    body of a `POST` to `_search`";
        Self::new(RejectionKind::UriTooLong, text, server)
    }

    pub(crate) fn unguarded(server: &Arc<ServerIdentity>) -> Self {
        let text = "this route has a requirement, but no authentication layer around it";
        Self::new(RejectionKind::Unguarded, text, server)
    }

    fn new(
        kind: RejectionKind,
        summary: impl Into<Cow<'static, str>>,
        server: &Arc<ServerIdentity>,
    ) -> Self {
        Self(Arc::new(RejectionData::new(kind, Grounds::new(summary), server)), Scheme::Bearer)
    }

    /// Makes it the refusal of credentials that came by a scheme.
    pub(crate) fn of_scheme(mut self, scheme: Scheme) -> Self {
        self.1 = scheme;
        self
    }

    /// Makes it the refusal of a request: an error stands on the challenge of the scheme that its
    /// credentials came by. For a rejection of
    /// [`FhirAuthLayer::rejection`](crate::FhirAuthLayer::rejection), which knows of none.
    #[must_use]
    pub fn of_request(self, request: &Parts) -> Self {
        self.of_scheme(Scheme::of(&request.headers))
    }

    /// Adds a nonce, which the next proof has to carry.
    pub(crate) fn with_nonce(mut self, nonce: impl FnOnce() -> Option<String>) -> Self {
        if self.kind() == RejectionKind::UseDpopNonce
            && let Some(refused) = Arc::get_mut(&mut self.0)
        {
            refused.nonce = nonce();
        }
        self
    }

    /// The kind of refusal.
    #[must_use]
    pub fn kind(&self) -> RejectionKind {
        self.0.kind
    }

    /// The check that failed, where a token was looked at.
    #[must_use]
    pub fn check(&self) -> Option<Check> {
        self.0.check
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.kind().row().status
    }

    /// The sentence for the client, as much as the [`Disclosure`] allows.
    #[must_use]
    pub fn description(&self) -> &str {
        match self.disclosure() {
            Disclosure::Minimal => self.kind().title(),
            Disclosure::Reason => self.0.sentence(),
            Disclosure::Full => self.0.full.get_or_init(|| match self.check() {
                Some(check) => format!("{} (check: {check})", self.0.sentence()),
                None => self.0.sentence().to_owned(),
            }),
        }
    }

    /// The sentence for operators: everything but secrets, whatever the [`Disclosure`]. Of roles it
    /// tells more than clients ever get: which the caller has, and which are defined.
    #[must_use]
    pub fn detail(&self) -> &str {
        let RejectionData { to_operators, detail, .. } = &*self.0;
        match to_operators {
            None => self.0.sentence(),
            Some(grounds) => detail.get_or_init(|| grounds.describe()),
        }
    }

    /// The verified caller who was refused, where the token was good: for responders of your own, and for
    /// layers outside that log who was refused.
    #[must_use]
    pub fn caller(&self) -> Option<&Principal> {
        self.0.caller.as_ref()
    }

    /// The scopes that would have been enough, separated by spaces.
    #[must_use]
    pub fn required_scope(&self) -> Option<String> {
        (!self.0.scopes.is_empty()).then(|| self.0.scopes.join(" "))
    }

    /// The time that the client should wait before it tries again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The nonce that the next proof of DPoP has to carry, for the header `DPoP-Nonce` (RFC 9449
    /// section 9).
    #[must_use]
    pub fn dpop_nonce(&self) -> Option<&str> {
        self.0.nonce.as_deref()
    }

    /// The OperationOutcome. Its `details` have the kind as a code, and the check too unless the
    /// [`Disclosure`] is minimal.
    #[must_use]
    pub fn outcome(&self) -> OperationOutcome {
        let outcome = OperationOutcome::new(self.kind().row().issue_type, self.description())
            .coded(self.kind().name());
        let is_disclosed = self.disclosure() != Disclosure::Minimal;
        match self.check().filter(|_| is_disclosed) {
            Some(check) => outcome.coded(check.name()),
            None => outcome,
        }
    }

    fn disclosure(&self) -> Disclosure {
        self.0.server.disclosure
    }
}

/// Returns the kind of a refusal for a proof. Without one, and with a sound one of another key, the fault
/// is the token's.
fn of_proof(proof: &ProofReason) -> RejectionKind {
    if matches!(proof, ProofReason::NonceMissing | ProofReason::NonceNotAccepted) {
        RejectionKind::UseDpopNonce
    } else if matches!(proof, ProofReason::Missing | ProofReason::OtherKey) {
        RejectionKind::InvalidToken
    } else {
        RejectionKind::InvalidDpopProof
    }
}

impl fmt::Debug for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejection")
            .field("kind", &self.kind())
            .field("check", &self.check())
            .field("detail", &self.detail())
            .finish()
    }
}

impl fmt::Display for Rejection {
    /// Writes the [`description`](Rejection::description), which a client may see.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.description())
    }
}

impl std::error::Error for Rejection {}

impl RejectionData {
    fn new(kind: RejectionKind, grounds: Grounds, server: &Arc<ServerIdentity>) -> Self {
        Self {
            kind,
            check: None,
            grounds,
            to_operators: None,
            sentence: OnceLock::new(),
            full: OnceLock::new(),
            detail: OnceLock::new(),
            scopes: Vec::new(),
            retry_after: None,
            caller: None,
            nonce: None,
            step_up: None,
            server: Arc::clone(server),
        }
    }
    /// The reason with both of its sides, as clients may know it.
    fn sentence(&self) -> &str {
        let Grounds { summary, evidence } = &self.grounds;
        match evidence {
            Evidence { found: None, expected: None } => summary,
            evidence => self.sentence.get_or_init(|| evidence.describe(summary)),
        }
    }
}
