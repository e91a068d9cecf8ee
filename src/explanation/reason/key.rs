//! Reasons about the key of a token.

use crate::explanation::side::Advice;

/// The reason for which no key verifies a token (RFC 7515 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyReason {
    /// No key with the token's `kid`.
    Unknown,
    /// No key for the token's `alg`.
    Unfit,
    /// A key that may not be used with the token's `alg` (RFC 7517 section 4.4).
    ForAnotherAlgorithm,
    /// A key that is said to be another issuer's.
    OfAnotherIssuer,
    /// Too many keys with the token's `kid`.
    SameId,
    /// No `kid`, and too many keys that fit.
    NoId,
}

impl KeyReason {
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Unknown => "no key of the issuer has the token's `kid`",
            Self::Unfit => "no key of the issuer fits the token's `alg`",
            Self::ForAnotherAlgorithm => {
                "the key that `kid` names may not be used with the token's `alg`"
            }
            Self::OfAnotherIssuer => "the key that `kid` names is said to be another issuer's",
            Self::SameId => "too many keys of the issuer have the token's `kid`",
            Self::NoId => "too many keys of the issuer fit the token, which has no `kid`",
        }
    }

    /// Returns the same advice for all: which key was meant, the check cannot know.
    pub(in crate::explanation) fn advice(self) -> Vec<Advice> {
        match self {
            Self::Unknown
            | Self::Unfit
            | Self::ForAnotherAlgorithm
            | Self::OfAnotherIssuer
            | Self::SameId
            | Self::NoId => vec![
                Advice::provider("publish the key that signs in the key set, before it signs"),
                Advice::server(
                    "look at `jwks_uri` or `discovery`: is it the provider that issued the token?",
                ),
                Advice::client("ask for a new token, if the key has been withdrawn"),
            ],
        }
    }
}
