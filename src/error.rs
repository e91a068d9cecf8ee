//! Errors of a configuration, found when the layer is built, and the causes of errors.

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

/// An error that prevents a layer or an authenticator from being built. None occurs at request
/// time.
///
/// ```
/// use tower_fhir_auth::{BuildError, FhirAuthLayer, authenticated};
///
/// let builder = FhirAuthLayer::builder("https://api.example.org").authorizer(authenticated());
/// let problem = builder.build();
/// assert!(matches!(problem, Err(BuildError::NoIssuer)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The base URL is invalid.
    #[error(
        "base URL `{0}`: expected an https URL (http for loopback and `[danger] plain_http` only) without user, query or fragment"
    )]
    BaseUrl(String),
    /// The system has no random numbers for a key that seals.
    #[error("the system provided no random bytes for a seal key")]
    NoRandomNumbers,
    /// A path of a setting for paths without a required token is not accepted.
    #[error("{setting}: {expected}, found `{path}`")]
    #[non_exhaustive]
    Path {
        /// The setting: `public`, `optional` or `public_outside`.
        setting: &'static str,
        /// The path.
        path: String,
        /// The form that was expected.
        expected: &'static str,
    },
    /// A declared resource type has a name that no type can have.
    #[error(
        "resource type `{0}`: expected 2 to 64 letters, the first in upper case, and no type of FHIR in another case"
    )]
    ResourceType(String),
    /// No issuer is trusted, so every token would be refused.
    #[error("no issuer: expected at least one trusted issuer")]
    NoIssuer,
    /// Two bases of one process have the same path.
    #[error("base `{0}`: expected each path once")]
    DuplicateBase(String),
    /// Two issuers have the same name.
    #[error("issuer `{0}` is configured twice")]
    DuplicateIssuer(String),
    /// The issuer's name cannot be used the way it is meant to be.
    #[error(
        "issuer `{0}`: expected an https URL (http for loopback and `[danger] plain_http` only) without query or fragment"
    )]
    Issuer(String),
    /// The issuer's name is empty, too long, or has control characters.
    #[error("issuer `{0}`: expected 1 to 512 characters without control characters")]
    IssuerName(String),
    /// An address the keys are to be fetched from is not acceptable.
    #[error(
        "address `{0}`: expected an absolute https URL (http for loopback and `[danger] plain_http` only) without fragment"
    )]
    Address(String),
    /// The issuer accepts no audience, so every token would be refused.
    #[error(
        "issuer `{0}` accepts no audience: expected at least one, or none set for the base URL"
    )]
    NoAudience(String),
    /// The issuer may use no algorithm, so every token would be refused.
    #[error("issuer `{0}` may use no algorithm: expected at least one")]
    NoAlgorithm(String),
    /// The issuer may use no `typ`, so every token would be refused.
    #[error("issuer `{0}` may use no token type: expected at least one")]
    NoTokenType(String),
    /// A setting of Microsoft Entra ID cannot be right.
    #[error("Entra: {setting} `{found}`: expected {expected}")]
    #[non_exhaustive]
    Entra {
        /// The setting.
        setting: &'static str,
        /// The value that was given.
        found: String,
        /// The value that was expected.
        expected: &'static str,
    },
    /// A span of time or a size is outside its range.
    #[error("`{setting}`: expected {expected}")]
    #[non_exhaustive]
    Setting {
        /// The name of the setting.
        setting: &'static str,
        /// Its range.
        expected: &'static str,
    },
    /// A key set given as a file cannot be read.
    #[error("key file `{}`: {source}", path.display())]
    #[non_exhaustive]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// The cause: of reading, of parsing, or that no key of the set can be used.
        source: ErrorCause,
    },
    /// The private key of this server as a client of a provider cannot be read.
    #[error("client key file `{}`: {source}", path.display())]
    #[non_exhaustive]
    ClientKeyFile {
        /// The file.
        path: PathBuf,
        /// The cause: of reading, or that it has no key to sign with.
        source: ErrorCause,
    },
    /// Two issuers are to be asked about opaque tokens, which do not say whose they are.
    #[error("issuers `{0}` and `{1}` are both asked about opaque tokens: expected one at most")]
    OpaqueTokensOfTwo(String, String),
    /// A file of certificate authorities cannot be used.
    #[error("certificate file `{}`: {}", path.display(), .source.with_causes())]
    #[non_exhaustive]
    CertificateFile {
        /// The file.
        path: PathBuf,
        /// The cause: of reading, of parsing, or that it has no certificate.
        source: ErrorCause,
    },
    /// Role definitions cannot be read.
    #[error("role definitions `{}`: {source}", path.display())]
    #[non_exhaustive]
    RoleFile {
        /// The file.
        path: PathBuf,
        /// The cause: of reading, or of parsing.
        source: ErrorCause,
    },
    /// A key set given as a string is malformed, or has no usable key.
    #[error("keys of issuer `{issuer}`: {source}")]
    #[non_exhaustive]
    Keys {
        /// The issuer.
        issuer: String,
        /// The cause.
        source: ErrorCause,
    },
    /// No authorizer decides who may do what, so every request would be refused.
    #[error("no authorizer: expected one, for example `authenticated()` or `require_scope(..)`")]
    NoAuthorizer,
    /// Keys are refreshed by a background task, which needs a tokio runtime.
    #[error("no tokio runtime: build the layer inside one, for example within `#[tokio::main]`")]
    NoRuntime,
    /// The HTTP client cannot be set up.
    #[error("HTTP client: {}", .0.with_causes())]
    HttpClient(#[source] ErrorCause),
}

/// The cause of an error, as [`Error::source`] returns it. Clones share it; two are equal when they
/// read the same.
///
/// ```
/// use tower_fhir_auth::keys::KeyError;
///
/// let broken = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
/// let KeyError::Other(cause) = KeyError::other(broken) else { unreachable!() };
/// assert!(cause.downcast_ref::<std::io::Error>().is_some());
/// ```
#[derive(Clone)]
pub struct ErrorCause(Arc<dyn Error + Send + Sync>);

impl ErrorCause {
    pub(crate) fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(error.into().into())
    }

    /// Describes an error with its own causes, for those that leave them out of their messages.
    pub(crate) fn with_causes(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(inner) = cause {
            text = format!("{text}: {inner}");
            cause = inner.source();
        }
        text
    }
}

impl Deref for ErrorCause {
    type Target = dyn Error + Send + Sync;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl fmt::Display for ErrorCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ErrorCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for ErrorCause {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for ErrorCause {}
