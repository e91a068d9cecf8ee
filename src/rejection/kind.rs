//! The kinds of refusals, and the table of what each means in HTTP, RFC 6750, FHIR and gRPC.

use std::fmt;

use http::StatusCode;

use crate::fhir::IssueType;

/// The kind of a refusal. Each has one line in one table.
///
/// ```
/// use http::Response;
/// use tower_fhir_auth::{Rejection, RejectionKind};
///
/// /// Reports whether a client should get a new token, and ask again.
/// fn is_worth_a_new_token<B>(response: &Response<B>) -> bool {
///     let kind = response.extensions().get::<Rejection>().map(Rejection::kind);
///     kind == Some(RejectionKind::ExpiredToken)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RejectionKind {
    /// No bearer token: 401, `login`, without an error code.
    MissingCredentials,
    /// A malformed request: 400, `invalid_request`, `invalid`.
    InvalidRequest,
    /// A token that is refused: 401, `invalid_token`, `login`.
    InvalidToken,
    /// A token whose only fault is its age: 401, `invalid_token`, `expired`.
    ExpiredToken,
    /// A proof of DPoP that is not accepted: 401, `invalid_dpop_proof`, `login`.
    InvalidDpopProof,
    /// A proof of DPoP without a nonce of this server: 401, `use_dpop_nonce`, `login`.
    UseDpopNonce,
    /// A valid token that does not grant this: 403, `insufficient_scope`, `forbidden`.
    Forbidden,
    /// A valid token that grants this, whose user has to be authenticated in another way, or anew: 401,
    /// `insufficient_user_authentication`, `login`.
    InsufficientUserAuthentication,
    /// The issuer's keys are not available: 503, `transient`.
    KeysUnavailable,
    /// The issuer cannot be asked about the token: 503, `transient`.
    IntrospectionUnavailable,
    /// There is no room to remember a proof of DPoP: 503, `transient`.
    TooManyProofs,
    /// An address that is too long to be judged: 414, `too-long`.
    UriTooLong,
    /// A requirement stands on a route that no authentication guards: 500, `exception`.
    Unguarded,
}

/// The meaning of a kind of refusal to each of those who read it.
pub(crate) struct StatusRow {
    pub(crate) status: StatusCode,
    /// RFC 6750 section 3.1; `None` where no code must be sent.
    pub(crate) error: Option<&'static str>,
    /// True if there is a `WWW-Authenticate` at all.
    pub(crate) challenge: bool,
    pub(crate) issue_type: IssueType,
    /// <https://grpc.io/docs/guides/status-codes/>
    pub(crate) grpc_status: u16,
}

impl RejectionKind {
    /// The table. One line a kind, and no other place that says so.
    pub(crate) fn row(self) -> StatusRow {
        let row = |status, error, challenge, issue_type, grpc_status| StatusRow {
            status,
            error,
            challenge,
            issue_type,
            grpc_status,
        };
        use StatusCode as S;
        match self {
            Self::MissingCredentials => row(S::UNAUTHORIZED, None, true, IssueType::Login, 16),
            Self::InvalidRequest => {
                row(S::BAD_REQUEST, Some("invalid_request"), true, IssueType::Invalid, 3)
            }
            Self::InvalidToken => {
                row(S::UNAUTHORIZED, Some("invalid_token"), true, IssueType::Login, 16)
            }
            Self::ExpiredToken => {
                row(S::UNAUTHORIZED, Some("invalid_token"), true, IssueType::Expired, 16)
            }
            Self::InvalidDpopProof => {
                row(S::UNAUTHORIZED, Some("invalid_dpop_proof"), true, IssueType::Login, 16)
            }
            Self::UseDpopNonce => {
                row(S::UNAUTHORIZED, Some("use_dpop_nonce"), true, IssueType::Login, 16)
            }
            Self::Forbidden => {
                row(S::FORBIDDEN, Some("insufficient_scope"), true, IssueType::Forbidden, 7)
            }
            Self::InsufficientUserAuthentication => {
                let error = Some("insufficient_user_authentication");
                row(S::UNAUTHORIZED, error, true, IssueType::Login, 16)
            }
            Self::KeysUnavailable | Self::IntrospectionUnavailable | Self::TooManyProofs => {
                row(S::SERVICE_UNAVAILABLE, None, false, IssueType::Transient, 14)
            }
            Self::UriTooLong => row(S::URI_TOO_LONG, None, false, IssueType::TooLong, 3),
            Self::Unguarded => row(S::INTERNAL_SERVER_ERROR, None, false, IssueType::Exception, 13),
        }
    }

    /// The kind in words, which are the same for every refusal of it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::MissingCredentials => "authentication is required",
            Self::InvalidRequest => "the request is malformed",
            Self::InvalidToken | Self::ExpiredToken => "the access token is refused",
            Self::InvalidDpopProof => "the proof of possession is refused",
            Self::UseDpopNonce => "the proof of possession needs a nonce of this server",
            Self::Forbidden => "the access token does not grant this",
            Self::InsufficientUserAuthentication => "the user has to be authenticated anew",
            Self::KeysUnavailable | Self::IntrospectionUnavailable | Self::TooManyProofs => {
                "try again later"
            }
            Self::UriTooLong => "the address is too long",
            Self::Unguarded => "the server is misconfigured",
        }
    }

    /// A stable name in kebab case, for logs and metrics.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingCredentials => "missing-credentials",
            Self::InvalidRequest => "invalid-request",
            Self::InvalidToken => "invalid-token",
            Self::ExpiredToken => "expired-token",
            Self::InvalidDpopProof => "invalid-dpop-proof",
            Self::UseDpopNonce => "use-dpop-nonce",
            Self::Forbidden => "forbidden",
            Self::InsufficientUserAuthentication => "insufficient-user-authentication",
            Self::KeysUnavailable => "keys-unavailable",
            Self::IntrospectionUnavailable => "introspection-unavailable",
            Self::TooManyProofs => "too-many-proofs",
            Self::UriTooLong => "uri-too-long",
            Self::Unguarded => "unguarded",
        }
    }
}

impl fmt::Display for RejectionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use RejectionKind as K;

    use super::*;

    /// With [`Disclosure::Minimal`](crate::Disclosure::Minimal) it is all that a client reads.
    #[test]
    fn the_title_of_a_kind_tells_nothing_of_the_token() {
        for (kind, title) in [
            (K::MissingCredentials, "authentication is required"),
            (K::InvalidRequest, "the request is malformed"),
            (K::InvalidToken, "the access token is refused"),
            (K::ExpiredToken, "the access token is refused"),
            (K::InvalidDpopProof, "the proof of possession is refused"),
            (K::UseDpopNonce, "the proof of possession needs a nonce of this server"),
            (K::Forbidden, "the access token does not grant this"),
            (K::InsufficientUserAuthentication, "the user has to be authenticated anew"),
            (K::KeysUnavailable, "try again later"),
            (K::IntrospectionUnavailable, "try again later"),
            (K::TooManyProofs, "try again later"),
            (K::UriTooLong, "the address is too long"),
            (K::Unguarded, "the server is misconfigured"),
        ] {
            assert_eq!(kind.title(), title, "{kind:?}");
        }
    }
}
