//! Errors of authentication. They know nothing of HTTP: `rejection/` translates.

use std::time::Duration;

use crate::explanation::{Finding, InvalidRequest, OtherCredentials, Reason};

/// An error that kept a request from having a [`Principal`](crate::Principal).
///
/// ```
/// use tower_fhir_auth::authentication::AuthenticationError;
///
/// fn is_the_fault_of_the_client(error: &AuthenticationError) -> bool {
///     use AuthenticationError::{IntrospectionUnavailable, KeysUnavailable, TooManyProofs};
///     !matches!(
///         error,
///         KeysUnavailable { .. } | IntrospectionUnavailable { .. } | TooManyProofs { .. }
///     )
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthenticationError {
    /// The `Authorization` header is missing, or empty.
    #[error("no bearer token")]
    MissingCredentials,
    /// The `Authorization` header has other credentials than a bearer token, which count as none.
    #[error("{0}")]
    OtherCredentials(OtherCredentials),
    /// The request itself is malformed (RFC 6750 section 3.1, `invalid_request`).
    #[error("{0}")]
    InvalidRequest(InvalidRequest),
    /// The token is refused (`invalid_token`).
    #[error("{0}")]
    InvalidToken(Finding),
    /// The proof is sound, and there is no room to remember it.
    #[error("too many proofs of possession at a time")]
    #[non_exhaustive]
    TooManyProofs {
        /// The time after which it is worth trying again, with a new proof.
        retry_after: Duration,
    },
    /// The issuer's keys were never loaded, or are too old to be trusted.
    #[error("the keys of issuer `{issuer}` are not available")]
    #[non_exhaustive]
    KeysUnavailable {
        /// The issuer as configured.
        issuer: String,
        /// The time after which it is worth trying again.
        retry_after: Duration,
    },
    /// The provider cannot be asked about the token now: it is out of reach, or there are too many
    /// tokens that are not known yet.
    #[error("issuer `{issuer}` cannot be asked about the token")]
    #[non_exhaustive]
    IntrospectionUnavailable {
        /// The issuer as configured.
        issuer: String,
        /// The time after which it is worth trying again.
        retry_after: Duration,
    },
}

impl From<Finding> for AuthenticationError {
    fn from(finding: Finding) -> Self {
        if let Reason::MalformedRequest(fault) = finding.reason() {
            return Self::InvalidRequest(*fault);
        }
        if let Reason::OtherCredentials(other) = finding.reason() {
            return Self::OtherCredentials(*other);
        }
        match *finding.reason() == Reason::MissingCredentials {
            true => Self::MissingCredentials,
            false => Self::InvalidToken(finding),
        }
    }
}
