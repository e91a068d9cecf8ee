//! Reasons: why a check failed, as a type with values.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::{InvalidRequest, Requirement};

/// The reason for which a check failed. Its `Display` is the summary: one sentence without values
/// of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// No bearer token in the `Authorization` header (RFC 6750 section 2.1).
    MissingCredentials,
    /// A malformed request (RFC 6750 section 3.1).
    MalformedRequest(InvalidRequest),
    /// A token over the largest size.
    TokenTooLarge,
    /// No compact JWS of two JSON objects, told as a sentence (RFC 7515 section 7.1).
    MalformedToken(String),
    /// A header parameter that is not supported (RFC 7515 section 4.1.11).
    HeaderUnsupported(&'static str),
    /// A header parameter that is not a string.
    HeaderNotAString(&'static str),
    /// A token that wraps another token (RFC 7519 section 5.2).
    NestedToken,
    /// No `alg`.
    AlgorithmMissing,
    /// An `alg` that is no asymmetric signature.
    AlgorithmNotASignature,
    /// No `iss`, with a trusted issuer as an example.
    IssuerMissing {
        /// One of the trusted issuers.
        trusted: Arc<str>,
    },
    /// An `iss` that is not a string, with a trusted issuer as an example.
    IssuerNotAString {
        /// One of the trusted issuers.
        trusted: Arc<str>,
    },
    /// An `iss` that is not trusted.
    #[non_exhaustive]
    IssuerNotTrusted {
        /// The issuer of the token.
        issuer: String,
        /// One of the trusted issuers.
        trusted: Arc<str>,
    },
    /// An `alg` that the issuer may not use (RFC 8725 section 3.1).
    AlgorithmNotAccepted,
    /// A `typ` that is not accepted from the issuer (RFC 9068 section 4).
    TypeNotAccepted,
    /// A `typ` that is that of another kind of token (RFC 8725 section 3.11).
    TypeOfAnotherToken,
    /// No key with the token's `kid`.
    KeyUnknown,
    /// No key for the token's `alg`.
    KeyUnfit,
    /// A key that may not be used with the token's `alg` (RFC 7517 section 4.4).
    KeyForAnotherAlgorithm,
    /// A key that is said to be another issuer's.
    KeyOfAnotherIssuer,
    /// Too many keys with the token's `kid`.
    KeysWithTheSameId,
    /// No `kid`, and too many keys that fit.
    KeysWithoutId,
    /// A signature that does not verify (RFC 7515 section 5.2).
    SignatureInvalid,
    /// A token for another API, whose header has a `nonce`.
    TokenForAnotherApi,
    /// A token of another kind, with the mark that shows it (RFC 8725 section 3.12).
    #[non_exhaustive]
    NotAnAccessToken {
        /// The mark in the token.
        mark: &'static str,
        /// The kind of token that has it, where it tells.
        kind: Option<&'static str>,
    },
    /// Several `tid`, differing in case.
    TenantRepeated,
    /// A `tid` that is not the tenant of the issuer.
    TenantMismatch,
    /// No `tid`.
    TenantMissing,
    /// An `aud` that is neither a string nor an array of strings (RFC 7519 section 4.1.3).
    AudienceMalformed,
    /// No `aud`.
    AudienceMissing {
        /// The first of the accepted audiences.
        accepted: Vec<String>,
    },
    /// An `aud` that does not name this server.
    #[non_exhaustive]
    AudienceMismatch {
        /// The first audiences of the token.
        audiences: Vec<String>,
        /// The first of the accepted audiences.
        accepted: Vec<String>,
    },
    /// A date that is not a NumericDate (RFC 7519 section 2).
    NotANumericDate(&'static str),
    /// An `nbf` in the future (RFC 7519 section 4.1.5).
    NotYetValid,
    /// An `iat` in the future.
    IssuedInTheFuture,
    /// An `iat` before the largest age.
    IssuedTooLongAgo,
    /// No `iat`, although a largest age is set.
    IssuedAtMissing,
    /// A claim that is not a string.
    ClaimNotAString(&'static str),
    /// No such claim, although it is required.
    ClaimMissing(String),
    /// No `exp` (RFC 9068 section 2.2).
    ExpiryMissing,
    /// A claim that names another client than one before it.
    ClientConflict(&'static str),
    /// No claim that names the client.
    ClientMissing,
    /// A client that is not on the issuer's list.
    ClientNotAllowed,
    /// A `cnf` that is `null` (RFC 7800 section 3.1).
    ConfirmationNull,
    /// A token that is bound to its sender (RFC 7800).
    SenderConstrained,
    /// An `exp` in the past (RFC 7519 section 4.1.4).
    Expired,
    /// An address over the largest size.
    AddressTooLong,
    /// A denial by the rules of the server.
    #[non_exhaustive]
    Denied {
        /// The summary of the [`Denial`](crate::Denial).
        summary: Cow<'static, str>,
        /// The requirements that were not met.
        requirements: Vec<Requirement>,
    },
}

impl Reason {
    /// The sentence, borrowed where it is kept.
    pub(crate) fn summary(&self) -> Cow<'_, str> {
        if let Self::MalformedToken(sentence) = self {
            return sentence.into();
        }
        if let Self::Denied { summary, .. } = self {
            return Cow::Borrowed(summary);
        }
        self.sentence()
    }

    /// The sentence, moved where it is kept: a refusal of garbage is the cheapest there is.
    pub(crate) fn into_summary(self) -> Cow<'static, str> {
        if let Self::MalformedToken(sentence) = self {
            return sentence.into();
        }
        if let Self::Denied { summary, .. } = self {
            return summary;
        }
        self.sentence()
    }

    fn sentence(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::MissingCredentials => "no bearer token in the `Authorization` header",
            Self::MalformedRequest(fault) => return fault.to_string().into(),
            Self::MalformedToken(sentence) => return sentence.clone().into(),
            Self::TokenTooLarge => "the token is too large",
            Self::HeaderUnsupported(name) => {
                return format!("`{name}` in the header is not supported").into();
            }
            Self::HeaderNotAString(name) => {
                return format!("`{name}` in the header is not a string").into();
            }
            Self::NestedToken => "`cty` says that the token wraps another token",
            Self::AlgorithmMissing => "the header has no `alg`",
            Self::AlgorithmNotASignature => "`alg` names no asymmetric signature",
            Self::IssuerMissing { .. } => "`iss` is missing",
            Self::IssuerNotAString { .. } => "`iss` is not a string",
            Self::IssuerNotTrusted { .. } => "`iss` is not a trusted issuer",
            Self::AlgorithmNotAccepted => "`alg` is not accepted from this issuer",
            Self::TypeNotAccepted | Self::TypeOfAnotherToken => {
                "`typ` is not that of an access token"
            }
            Self::KeyUnknown => "no key of the issuer has the token's `kid`",
            Self::KeyUnfit => "no key of the issuer fits the token's `alg`",
            Self::KeyForAnotherAlgorithm => {
                "the key that `kid` names may not be used with the token's `alg`"
            }
            Self::KeyOfAnotherIssuer => "the key that `kid` names is said to be another issuer's",
            Self::KeysWithTheSameId => "too many keys of the issuer have the token's `kid`",
            Self::KeysWithoutId => "too many keys of the issuer fit the token, which has no `kid`",
            Self::SignatureInvalid => "the signature does not verify",
            Self::TokenForAnotherApi => {
                "the header has `nonce`: this is a token for Microsoft Graph or another API of \
                 Microsoft, which nobody else can verify"
            }
            Self::NotAnAccessToken { mark, kind: Some(kind) } => {
                return format!("{mark}: this is {kind}, not an access token").into();
            }
            Self::NotAnAccessToken { mark, kind: None } => {
                return format!("{mark}: this is not an access token").into();
            }
            Self::TenantRepeated => "`tid` appears more than once, differing in case",
            Self::TenantMismatch => "`tid` is not the tenant that `iss` names",
            Self::TenantMissing => "`tid` is required and missing",
            Self::AudienceMalformed => "`aud` is neither a string nor an array of strings",
            Self::AudienceMissing { .. } => "`aud` is missing",
            Self::AudienceMismatch { .. } => "`aud` does not name this server",
            Self::NotANumericDate(name) => {
                return format!("`{name}` is not a valid NumericDate").into();
            }
            Self::NotYetValid => "`nbf` is in the future",
            Self::IssuedInTheFuture => "`iat` is in the future",
            Self::IssuedTooLongAgo => "`iat` is too long ago",
            Self::IssuedAtMissing => "`iat` is missing",
            Self::ClaimNotAString(name) => return format!("`{name}` is not a string").into(),
            Self::ClaimMissing(name) => return format!("`{name}` is required and missing").into(),
            Self::ExpiryMissing => "`exp` is required and missing",
            Self::ClientConflict(name) => {
                return format!("`{name}` names another client than a claim before it").into();
            }
            Self::ClientMissing => {
                "the token names no client (`client_id`, `azp`, `appid` or `cid`)"
            }
            Self::ClientNotAllowed => {
                "the client (`client_id`, `azp`, `appid` or `cid`) is not allowed"
            }
            Self::ConfirmationNull => "`cnf` is null: it does not say to whom the token is bound",
            Self::SenderConstrained => {
                "`cnf` binds the token to its sender: it was presented as a bearer token"
            }
            Self::Expired => "the token has expired (`exp`)",
            Self::AddressTooLong => "the address has more than 64 KiB, which is refused with 414",
            Self::Denied { summary, .. } => return summary.clone(),
        };
        fixed.into()
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())
    }
}
