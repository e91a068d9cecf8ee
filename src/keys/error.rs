//! The errors of loading keys.

use crate::error::ErrorCause;
use crate::jose::{JwkError, JwkSetError};

/// An error that kept keys from being loaded. The last good ones stay in use.
///
/// ```
/// use tower_fhir_auth::keys::KeyError;
///
/// fn is_worth_a_second_try(error: &KeyError) -> bool {
///     matches!(error, KeyError::Timeout | KeyError::Transport { .. } | KeyError::Status { .. })
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The load took longer than its time-out.
    #[error("no answer within the time-out")]
    Timeout,
    /// The provider could not be reached, or broke off.
    #[error("`{address}`: {}", .source.with_causes())]
    #[non_exhaustive]
    Transport {
        /// The address that was asked.
        address: String,
        /// The cause.
        source: ErrorCause,
    },
    /// The provider did not answer with 200. Redirects are not followed.
    #[error("`{address}` answered with status {status} and {}", describe_type(content_type))]
    #[non_exhaustive]
    Status {
        /// The address that was asked.
        address: String,
        /// The status of the answer.
        status: u16,
        /// The content type of the answer, where it has one.
        content_type: Option<String>,
    },
    /// The answer is not declared as JSON.
    #[error(
        "`{address}` answered with status 200 and {} instead of JSON",
        describe_type(content_type)
    )]
    #[non_exhaustive]
    ContentType {
        /// The address that was asked.
        address: String,
        /// The content type of the answer, where it has one.
        content_type: Option<String>,
    },
    /// The answer is declared as JSON, but it is not the document that was asked for.
    #[error("`{address}` answered with status 200 and {}: {source}", describe_type(content_type))]
    #[non_exhaustive]
    Document {
        /// The address that was asked.
        address: String,
        /// The content type of the answer.
        content_type: Option<String>,
        /// The fault of the document: [`Discovery`](Self::Discovery) or
        /// [`NotASet`](Self::NotASet).
        source: Box<Self>,
    },
    /// The answer is larger than allowed.
    #[error("`{address}` answered with more than {limit} bytes")]
    #[non_exhaustive]
    TooLarge {
        /// The address that was asked.
        address: String,
        /// The bound.
        limit: usize,
    },
    /// The address is not one that keys may come from.
    #[error("`{address}` is not allowed: {reason}")]
    #[non_exhaustive]
    Address {
        /// The address.
        address: String,
        /// The reason it was rejected.
        reason: &'static str,
    },
    /// The discovery document is malformed.
    #[error("discovery document: {0}")]
    Discovery(&'static str),
    /// The discovery document is that of another issuer.
    #[error("discovery document: expected issuer `{expected}`, found `{found}`")]
    #[non_exhaustive]
    Issuer {
        /// The trusted issuer.
        expected: String,
        /// The issuer that the document names.
        found: String,
    },
    /// The answer is not a key set.
    #[error("key set: {0}")]
    NotASet(#[from] JwkSetError),
    /// The set has no usable key.
    #[error("key set: no usable key among {entries} entries{}", of_the_first(first))]
    #[non_exhaustive]
    Empty {
        /// The number of entries in the set.
        entries: usize,
        /// The reason why the first of them cannot be used.
        first: Option<JwkError>,
    },
    /// A file cannot be read.
    #[error("key file: {0}")]
    File(#[source] ErrorCause),
    /// A source of your own has failed, see [`KeyError::other`].
    #[error(transparent)]
    Other(ErrorCause),
}

impl KeyError {
    /// Wraps the failure of a [`KeySource`](crate::keys::KeySource) of your own.
    pub fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(ErrorCause::new(error))
    }
}

/// Describes the content type of an answer.
fn describe_type(content_type: &Option<String>) -> String {
    match content_type {
        Some(found) => format!("content type `{found}`"),
        None => "no content type".to_owned(),
    }
}

/// Describes the fault of the first entry of a set that has no usable one.
fn of_the_first(fault: &Option<JwkError>) -> String {
    fault.as_ref().map(|fault| format!("; of the first: {fault}")).unwrap_or_default()
}
