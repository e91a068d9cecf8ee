//! The ways in which a request with a bearer token is malformed.

/// A fault of the request itself, whatever its token (RFC 6750 section 3.1, `invalid_request`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRequest {
    /// More than one `Authorization` header.
    #[error("more than one `Authorization` header")]
    RepeatedHeader,
    /// A token is sent as `access_token` in the query, which ends up in logs and histories.
    #[error(
        "`access_token` in the query is not accepted: send the token in the `Authorization` header"
    )]
    TokenInQuery,
    /// Nothing follows `Bearer`.
    #[error("the bearer token is empty")]
    EmptyToken,
    /// The token has bytes that RFC 6750 section 2.1 does not allow, such as the comma before a
    /// second token.
    #[error("the bearer token has characters that RFC 6750 section 2.1 does not allow")]
    Alphabet,
}
