//! Reasons: why a check failed, as a type with values.

mod audience;
mod claim;
mod header;
mod introspection;
mod issuer;
mod key;
mod proof;
mod step_up;
mod time;

use std::borrow::Cow;
use std::fmt;

pub use self::audience::AudienceReason;
pub use self::claim::ClaimReason;
pub use self::header::HeaderReason;
pub use self::introspection::IntrospectionReason;
pub use self::issuer::IssuerReason;
pub use self::key::KeyReason;
pub use self::proof::{CertificateReason, ProofReason};
pub use self::step_up::StepUpReason;
pub use self::time::TimeReason;

use super::invalid_request::{InvalidRequest, OtherCredentials};
use super::requirement::Requirement;
use crate::jose::CompactJwsError;

/// The reason for which a check failed. Its `Display` is the summary: one sentence without values
/// of the token.
///
/// ```
/// use tower_fhir_auth::explanation::{AudienceReason, Finding, Reason};
///
/// /// Tells a token for another API from one that has no audience at all.
/// fn is_for_another_api(finding: &Finding) -> bool {
///     matches!(finding.reason(), Reason::Audience(AudienceReason::Mismatch { .. }))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// No bearer token in the `Authorization` header (RFC 6750 section 2.1).
    MissingCredentials,
    /// Credentials that are no bearer token.
    OtherCredentials(OtherCredentials),
    /// A malformed request (RFC 6750 section 3.1).
    MalformedRequest(InvalidRequest),
    /// A token over the largest size.
    TokenTooLarge,
    /// No compact JWS of two JSON objects (RFC 7515 section 7.1).
    MalformedToken(CompactJwsError),
    /// A header that is not accepted.
    Header(HeaderReason),
    /// An `iss` that is not accepted.
    Issuer(IssuerReason),
    /// No key that could verify the token.
    Key(KeyReason),
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
    /// An `aud` that is not accepted.
    Audience(AudienceReason),
    /// An `exp`, `nbf` or `iat` that is not accepted.
    Time(TimeReason),
    /// Another claim that is not accepted.
    Claim(ClaimReason),
    /// An answer of the provider by which the token is not accepted.
    Introspection(IntrospectionReason),
    /// A bound token without the certificate that it is bound to.
    Certificate(CertificateReason),
    /// A bound token without a sound proof of its key.
    Proof(ProofReason),
    /// A user who has to be authenticated anew, or in another way (RFC 9470).
    StepUp(StepUpReason),
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
        if let Self::Denied { summary, .. } = self {
            return Cow::Borrowed(summary);
        }
        self.sentence()
    }

    /// The sentence, moved where it is kept.
    pub(crate) fn into_summary(self) -> Cow<'static, str> {
        if let Self::Denied { summary, .. } = self {
            return summary;
        }
        self.sentence()
    }

    fn sentence(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::MissingCredentials => "no bearer token in the `Authorization` header",
            Self::OtherCredentials(other) => return other.to_string().into(),
            Self::MalformedRequest(fault) => return fault.to_string().into(),
            Self::TokenTooLarge => "the token is too large",
            Self::MalformedToken(error) => return format!("the token {error}").into(),
            Self::Header(reason) => return reason.sentence(),
            Self::Issuer(reason) => reason.sentence(),
            Self::Key(reason) => return reason.sentence(),
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
            Self::Audience(reason) => reason.sentence(),
            Self::Time(reason) => return reason.sentence(),
            Self::Claim(reason) => return reason.sentence(),
            Self::Introspection(reason) => return reason.sentence(),
            Self::Certificate(reason) => return reason.sentence(),
            Self::Proof(reason) => return reason.sentence(),
            Self::StepUp(reason) => reason.sentence(),
            Self::AddressTooLong => "the address is longer than 64 KiB",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_reads_as_one_sentence_borrowed_or_moved() {
        let denied = Reason::Denied { summary: "the ward is closed".into(), requirements: vec![] };
        for (reason, sentence) in [
            (Reason::MissingCredentials, "no bearer token in the `Authorization` header"),
            (
                Reason::OtherCredentials(OtherCredentials::NoScheme),
                "a token without a scheme; this server takes `Bearer` before it",
            ),
            (Reason::MalformedRequest(InvalidRequest::EmptyToken), "the bearer token is empty"),
            (
                Reason::MalformedToken(CompactJwsError::Encrypted),
                "the token is encrypted (five segments): only signed tokens are accepted",
            ),
            (Reason::AddressTooLong, "the address is longer than 64 KiB"),
            (denied, "the ward is closed"),
        ] {
            assert_eq!(reason.to_string(), sentence);
            assert_eq!(reason.into_summary(), sentence);
        }
    }
}
