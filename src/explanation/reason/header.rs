//! Reasons in the header of a token.

use std::borrow::Cow;

use crate::explanation::side::Advice;

/// The reason for which the header of a token is refused (RFC 7515 section 4.1).
///
/// ```
/// use tower_fhir_auth::explanation::{HeaderReason, Reason};
///
/// /// Reports whether an ID token, or another that is none for APIs, was sent by its `typ`.
/// fn is_of_another_kind(reason: &Reason) -> bool {
///     matches!(reason, Reason::Header(HeaderReason::TypeOfAnotherToken))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderReason {
    /// A parameter that is not supported (RFC 7515 section 4.1.11).
    Unsupported(&'static str),
    /// A parameter that is not a string.
    NotAString(&'static str),
    /// A token that wraps another token (RFC 7519 section 5.2).
    NestedToken,
    /// No `alg`.
    AlgorithmMissing,
    /// An `alg` that is no asymmetric signature.
    AlgorithmNotASignature,
    /// An `alg` that this server does not know.
    AlgorithmUnknown,
    /// An `alg` that the issuer may not use (RFC 8725 section 3.1).
    AlgorithmNotAccepted,
    /// A `typ` that is not accepted from the issuer (RFC 9068 section 4).
    TypeNotAccepted,
    /// A `typ` that is that of another kind of token (RFC 8725 section 3.11).
    TypeOfAnotherToken,
}

impl HeaderReason {
    pub(super) fn sentence(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::Unsupported(name) => {
                return format!("`{name}` in the header is not supported").into();
            }
            Self::NotAString(name) => {
                return format!("`{name}` in the header is not a string").into();
            }
            Self::NestedToken => "`cty` says that the token wraps another token",
            Self::AlgorithmMissing => "the header has no `alg`",
            Self::AlgorithmNotASignature => "`alg` is not an asymmetric signature algorithm",
            Self::AlgorithmUnknown => "`alg` is not an algorithm that this server supports",
            Self::AlgorithmNotAccepted => "`alg` is not accepted from this issuer",
            Self::TypeNotAccepted | Self::TypeOfAnotherToken => {
                "`typ` is not that of an access token"
            }
        };
        fixed.into()
    }

    pub(in crate::explanation) fn advice(&self) -> Vec<Advice> {
        match self {
            Self::Unsupported(_)
            | Self::NotAString(_)
            | Self::NestedToken
            | Self::AlgorithmMissing
            | Self::AlgorithmNotASignature => vec![Advice::provider(
                "sign access tokens with an asymmetric algorithm, without `crit`, `b64`, `zip` or a \
                 nested token (`cty`)",
            )],
            // No setting would make it one.
            Self::AlgorithmUnknown => {
                vec![Advice::provider("sign access tokens with an accepted algorithm")]
            }
            Self::AlgorithmNotAccepted => vec![
                Advice::server("add the algorithm to `algorithms`, if the provider is to use it"),
                Advice::provider("sign access tokens with an accepted algorithm"),
            ],
            Self::TypeNotAccepted => vec![
                Advice::of_another_token(),
                Advice::server(
                    "add the type to `token_types`, if the provider's access tokens have it; where \
                     that is not set, beside `at+jwt`, `JWT` and the empty string",
                ),
            ],
            Self::TypeOfAnotherToken => vec![Advice::of_another_token()],
        }
    }
}
