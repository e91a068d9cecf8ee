//! The ways in which a request presents no bearer token, or a malformed one.

use std::fmt;

/// A fault of the request itself, whatever its token (RFC 6750 section 3.1, `invalid_request`).
///
/// ```
/// use tower_fhir_auth::explanation::{InvalidRequest, Reason};
///
/// fn was_quoted(reason: &Reason) -> bool {
///     matches!(reason, Reason::MalformedRequest(InvalidRequest::Quoted))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// More than one `Authorization` header.
    #[error("more than one `Authorization` header")]
    RepeatedHeader,
    /// Several credentials in one `Authorization` header, joined by commas.
    #[error("several credentials in one `Authorization` header, joined by a comma")]
    JoinedCredentials,
    /// A token is sent as `access_token` in the query, which ends up in logs and histories.
    #[error(
        "`access_token` in the query is not accepted: send the token in the `Authorization` header"
    )]
    TokenInQuery,
    /// Nothing follows `Bearer`.
    #[error("the bearer token is empty")]
    EmptyToken,
    /// `Bearer Bearer`, and then the token.
    #[error("the scheme `Bearer` appears twice")]
    SchemeTwice,
    /// A token between quotation marks.
    #[error("the bearer token is in quotes")]
    Quoted,
    /// `=` before the end of the token, or nothing but that.
    #[error("the bearer token has `=` at position {0}: it may only pad the end of a token")]
    Padding(usize),
    /// A character that no bearer token has (RFC 6750 section 2.1), and its position from 1; `None`
    /// for a byte that is not UTF-8.
    #[error(
        "the bearer token has {} at position {position}, which RFC 6750 section 2.1 does not allow",
        Named(*character)
    )]
    #[non_exhaustive]
    Character {
        /// The character.
        character: Option<char>,
        /// Its position in the token, from 1.
        position: usize,
    },
}

/// Credentials that are no bearer token. They count as none.
///
/// ```
/// use tower_fhir_auth::explanation::{OtherCredentials, Reason};
///
/// fn forgot_the_scheme(reason: &Reason) -> bool {
///     matches!(reason, Reason::OtherCredentials(OtherCredentials::NoScheme))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OtherCredentials {
    /// A scheme that is known by this name, such as `Basic`.
    Scheme(&'static str),
    /// A scheme that is not known, and may be a secret in the place of one.
    Unknown,
    /// A token without a scheme before it.
    NoScheme,
}

/// The IANA registry of HTTP authentication schemes but for `Bearer` and `DPoP`, and four that are in use
/// without it.
const SCHEMES: [&str; 17] = [
    "Basic",
    "Concealed",
    "Digest",
    "GNAP",
    "HOBA",
    "Mutual",
    "Negotiate",
    "OAuth",
    "PrivateToken",
    "SCRAM-SHA-1",
    "SCRAM-SHA-256",
    "vapid",
    "ApiKey",
    "AWS4-HMAC-SHA256",
    "JWT",
    "NTLM",
    "Token",
];

impl OtherCredentials {
    /// Names a scheme, if it is known: nothing that a client sent is repeated.
    pub(crate) fn of_scheme(scheme: &[u8]) -> Self {
        let known = |name: &&str| scheme.eq_ignore_ascii_case(name.as_bytes());
        SCHEMES.into_iter().find(known).map_or(Self::Unknown, Self::Scheme)
    }
}

impl fmt::Display for OtherCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme(scheme) => {
                write!(f, "credentials of the scheme `{scheme}`; this server takes `Bearer`")
            }
            Self::Unknown => f.write_str(
                "credentials of a scheme that is unknown; this server takes `Bearer`, a space and \
                 the token",
            ),
            Self::NoScheme => {
                f.write_str("a token without a scheme; this server takes `Bearer` before it")
            }
        }
    }
}

/// A character as a refusal names it, in those that RFC 6750 section 3 allows there.
struct Named(Option<char>);

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(character) = self.0 else { return f.write_str("a byte that is not UTF-8") };
        match character {
            ' ' => f.write_str("a space")?,
            '\t' => f.write_str("a tab")?,
            ',' => f.write_str("a comma")?,
            '"' => f.write_str("a quotation mark")?,
            '\\' => f.write_str("a backslash")?,
            '`' => f.write_str("a grave accent")?,
            '!'..='~' => write!(f, "`{character}`")?,
            _ => f.write_str("a character outside ASCII")?,
        }
        write!(f, " (U+{:04X})", u32::from(character))
    }
}
