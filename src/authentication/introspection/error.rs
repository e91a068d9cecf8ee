//! The errors of an introspection.

use crate::keys::KeyError;

/// An error that kept the provider from saying whether a token is active. It is told to operators
/// alone, and repeats nothing of a token or of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IntrospectionError {
    #[error(transparent)]
    Request(#[from] KeyError),
    #[error("no answer within the time-out")]
    Timeout,
    #[error("no `introspection_endpoint` in the metadata of the issuer")]
    NoEndpoint,
    #[error("this server could not sign its client assertion")]
    Signing,
    #[error("`{address}` answered with status 200 and what is no answer: {fault}")]
    Answer { address: String, fault: AnswerFault },
}

impl IntrospectionError {
    /// Reports whether the provider is to blame. Some statuses are about what was asked: 400 (RFC 6749 section 5.2)
    /// for tokens of a form that they do not issue, and those of a firewall or a proxy before it, which take a token
    /// for an attack or for too long. Whoever sends such tokens must not make the provider look down to others.
    pub(super) fn is_outage(&self) -> bool {
        let Self::Request(KeyError::Status { status, .. }) = self else { return true };
        !matches!(status, 400 | 403 | 406 | 411 | 413 | 414 | 415 | 422 | 431)
    }
}

/// A fault of the body of an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnswerFault {
    #[error("expected `application/json` or `application/token-introspection+jwt`")]
    MediaType,
    #[error("expected a signed answer (RFC 9701)")]
    Unsigned,
    #[error("expected one JSON object that has each member once")]
    NotAnObject,
    #[error("expected a compact JWS of two JSON objects")]
    NotAJws,
    #[error("`{0}` of the signed answer is not accepted")]
    Member(&'static str),
    #[error("no key of the issuer fits the signed answer")]
    Key,
    #[error("the signature of the answer does not verify")]
    Signature,
}
