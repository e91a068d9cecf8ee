//! Reasons about what a provider says of a token.

use std::borrow::Cow;

use crate::explanation::side::Advice;

/// The reason for which a token is refused by what its provider says of it (RFC 7662 section 2.2).
///
/// ```
/// use tower_fhir_auth::explanation::{IntrospectionReason, Reason};
///
/// fn was_revoked(reason: &Reason) -> bool {
///     matches!(reason, Reason::Introspection(IntrospectionReason::Inactive))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IntrospectionReason {
    /// An `active` that is not the Boolean `true`.
    Inactive,
    /// An `iss` that is not the issuer that was asked.
    OtherIssuer,
    /// No `aud`, although the provider answers about tokens for any API.
    AudienceMissing,
    /// A member that contradicts the JWT.
    Contradiction(&'static str),
}

impl IntrospectionReason {
    pub(super) fn sentence(self) -> Cow<'static, str> {
        let fixed = match self {
            Self::Inactive => "the provider says that the token is not active",
            Self::OtherIssuer => {
                "`iss` of the provider's answer is not the issuer that was asked about the token"
            }
            Self::AudienceMissing => {
                "`aud` is missing from the provider's answer: the token may be meant for another API"
            }
            Self::Contradiction(name) => {
                return format!("`{name}` of the provider's answer contradicts the token").into();
            }
        };
        fixed.into()
    }

    pub(in crate::explanation) fn advice(self) -> Vec<Advice> {
        match self {
            Self::Inactive => vec![
                Advice::client("ask for a new token: this one has expired or was withdrawn"),
                Advice::provider(
                    "let this server's client introspect tokens for this API, if the token should be \
                     good",
                ),
            ],
            Self::OtherIssuer => vec![Advice::client("send a token of an issuer that is trusted")],
            Self::AudienceMissing => vec![
                Advice::provider("put `aud` into the answer to an introspection"),
                Advice::server(
                    "say `audience = \"provider\"` in `introspection`, if the provider answers this \
                     client only about tokens for this API",
                ),
            ],
            Self::Contradiction(_) => {
                vec![Advice::provider("say in the answer to an introspection what the token says")]
            }
        }
    }
}
