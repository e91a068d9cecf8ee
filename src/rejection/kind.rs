//! The kinds of refusals, and the table of what each means in HTTP, RFC 6750, FHIR and gRPC.

use http::StatusCode;

use crate::fhir::IssueType;

/// The kind of a refusal. Each has one line in one table.
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
    /// A valid token that does not grant this: 403, `insufficient_scope`, `forbidden`.
    Forbidden,
    /// The issuer's keys are not available: 503, `transient`.
    KeysUnavailable,
    /// The issuer cannot be asked about the token: 503, `transient`.
    IntrospectionUnavailable,
    /// An address that is too long to be judged: 414, `too-long`.
    UriTooLong,
    /// A requirement stands on a route that no authentication guards: 500, `exception`.
    Unguarded,
}

/// The meaning of a kind of refusal to each of those who read it.
pub(crate) struct Row {
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
    pub(crate) fn row(self) -> Row {
        let row = |status, error, challenge, issue_type, grpc_status| Row {
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
            Self::Forbidden => {
                row(S::FORBIDDEN, Some("insufficient_scope"), true, IssueType::Forbidden, 7)
            }
            Self::KeysUnavailable | Self::IntrospectionUnavailable => {
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
            Self::Forbidden => "the access token does not grant this",
            Self::KeysUnavailable | Self::IntrospectionUnavailable => "try again later",
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
            Self::Forbidden => "forbidden",
            Self::KeysUnavailable => "keys-unavailable",
            Self::IntrospectionUnavailable => "introspection-unavailable",
            Self::UriTooLong => "uri-too-long",
            Self::Unguarded => "unguarded",
        }
    }
}
