//! Reasons about the times of a token.

use std::borrow::Cow;

use crate::explanation::side::Advice;

/// The reason for which the times of a token are refused (RFC 7519 sections 4.1.4 to 4.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeReason {
    /// A date that is not a NumericDate (RFC 7519 section 2).
    NotANumericDate(&'static str),
    /// An `nbf` in the future.
    NotYetValid,
    /// An `iat` in the future.
    IssuedInTheFuture,
    /// An `iat` before the largest age.
    IssuedTooLongAgo,
    /// No `iat`, although a largest age is set.
    IssuedAtMissing,
    /// No `exp` (RFC 9068 section 2.2).
    ExpiryMissing,
    /// An `exp` in the past.
    Expired,
}

impl TimeReason {
    pub(super) fn sentence(self) -> Cow<'static, str> {
        let fixed = match self {
            Self::NotANumericDate(name) => {
                return format!("`{name}` is not a valid NumericDate").into();
            }
            Self::NotYetValid => "`nbf` is in the future",
            Self::IssuedInTheFuture => "`iat` is in the future",
            Self::IssuedTooLongAgo => "`iat` is too long ago",
            Self::IssuedAtMissing => "`iat` is missing",
            Self::ExpiryMissing => "`exp` is required and missing",
            Self::Expired => "the token has expired (`exp`)",
        };
        fixed.into()
    }

    pub(in crate::explanation) fn advice(self) -> Vec<Advice> {
        match self {
            Self::NotANumericDate(name) => {
                let text = format!("put a number of seconds since 1970 into `{name}`");
                vec![Advice::provider(text)]
            }
            Self::NotYetValid | Self::IssuedInTheFuture => vec![
                Advice::provider("set the clock; it seems to be ahead"),
                Advice::server("set the clock, or allow for more skew with `leeway`"),
            ],
            Self::IssuedTooLongAgo => vec![
                Advice::client("ask for a new token"),
                Advice::server("allow for older tokens with `max_token_age`"),
            ],
            Self::IssuedAtMissing => vec![
                Advice::provider("put `iat` into access tokens for this API"),
                Advice::server("leave `max_token_age` out, if the age of tokens does not matter"),
            ],
            Self::ExpiryMissing => {
                vec![Advice::provider("put `exp` into access tokens: without it none is accepted")]
            }
            Self::Expired => vec![
                Advice::client("ask for a new token"),
                Advice::server("set the clock, if the token should still be good"),
            ],
        }
    }
}
