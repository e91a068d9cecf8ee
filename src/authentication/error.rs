//! Errors of authentication. They know nothing of HTTP: `rejection/` translates.

use std::time::Duration;

use crate::explanation::recorder::Fault;
use crate::explanation::{Check, Finding, Reason};

/// An error that kept a request from having a [`Principal`](crate::Principal).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// The `Authorization` header is missing, or has another scheme.
    #[error("no bearer token")]
    MissingCredentials,
    /// The request itself is malformed (RFC 6750 section 3.1, `invalid_request`).
    #[error("{0}")]
    InvalidRequest(InvalidRequest),
    /// The token is refused (`invalid_token`).
    #[error("{0}")]
    InvalidToken(Finding),
    /// The issuer's keys were never loaded, or are too old to be trusted.
    #[error("the keys of issuer `{issuer}` are not available")]
    #[non_exhaustive]
    KeysUnavailable {
        /// The issuer as configured.
        issuer: String,
        /// The time after which it is worth trying again.
        retry_after: Duration,
    },
}

/// The ways in which a request with a bearer token can be malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// More than one `Authorization` header.
    #[error("more than one `Authorization` header")]
    RepeatedHeader,
    /// A token is sent as `access_token` in the query, which ends up in logs and histories.
    #[error(
        "`access_token` in the query is not accepted: send the token in the `Authorization` header"
    )]
    TokenInQuery,
    /// Nothing follows `Bearer`.
    #[error("the bearer token is empty")]
    EmptyToken,
    /// The token has bytes that RFC 6750 section 2.1 does not allow, such as the comma before a
    /// second token.
    #[error("the bearer token has characters that RFC 6750 section 2.1 does not allow")]
    Alphabet,
}

impl From<Finding> for AuthenticationError {
    fn from(finding: Finding) -> Self {
        Self::InvalidToken(finding)
    }
}

impl Fault for AuthenticationError {
    fn finding(&self, check: Check) -> Finding {
        match self {
            Self::InvalidToken(finding) => finding.clone(),
            Self::MissingCredentials => Finding::new(check, Reason::MissingCredentials),
            Self::InvalidRequest(_) | Self::KeysUnavailable { .. } => {
                Finding::new(check, Reason::MalformedRequest(self.to_string()))
            }
        }
    }
}
