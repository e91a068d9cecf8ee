//! Why a request is not authenticated. Knows nothing of HTTP: `rejection/` translates.

use std::time::Duration;

use crate::explanation::recorder::Fault;
use crate::explanation::{Check, Finding};

/// Why no [`Principal`](crate::Principal) could be made of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// No `Authorization` header, or one of another scheme.
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
        /// When it is worth trying again.
        retry_after: Duration,
    },
}

/// How a request with a bearer token can be malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// More than one `Authorization` header.
    #[error("more than one `Authorization` header")]
    RepeatedHeader,
    /// A token as `access_token` in the query, where logs and histories keep it.
    #[error(
        "`access_token` in the query is not accepted: send the token in the `Authorization` header"
    )]
    TokenInQuery,
    /// Nothing after `Bearer`.
    #[error("the bearer token is empty")]
    EmptyToken,
    /// Bytes that RFC 6750 section 2.1 does not allow in a token; a second token after a comma
    /// among them.
    #[error("the bearer token has characters outside its alphabet (RFC 6750 section 2.1)")]
    Alphabet,
}

impl From<Finding> for AuthenticationError {
    fn from(finding: Finding) -> Self {
        Self::InvalidToken(finding)
    }
}

impl Fault for AuthenticationError {
    fn finding(&self, check: Check) -> Finding {
        Finding::new(check, self.to_string())
    }
}
