//! Reasons about the times of a token.

use std::borrow::Cow;
use std::time::Duration;

use crate::explanation::side::Advice;

/// The reason for which the times of a token are refused (RFC 7519 sections 4.1.4 to 4.1.6).
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::explanation::{Reason, TimeReason};
///
/// /// Reports whether a token has expired only just, so that clocks may differ.
/// fn only_just(reason: &Reason) -> bool {
///     let Reason::Time(TimeReason::Expired { ago, .. }) = reason else { return false };
///     *ago < Duration::from_secs(5)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeReason {
    /// A date that is not a NumericDate (RFC 7519 section 2).
    NotANumericDate(&'static str),
    /// An `nbf` in the future.
    #[non_exhaustive]
    NotYetValid {
        /// The time from the server's clock to `nbf`.
        ahead: Duration,
    },
    /// An `iat` in the future.
    #[non_exhaustive]
    IssuedInTheFuture {
        /// The time from the server's clock to `iat`.
        ahead: Duration,
    },
    /// An `iat` before the largest age.
    IssuedTooLongAgo,
    /// No `iat`, although a largest age is set.
    IssuedAtMissing,
    /// No `exp` (RFC 9068 section 2.2).
    ExpiryMissing,
    /// An `exp` in the past.
    #[non_exhaustive]
    Expired {
        /// The time from `exp` to the server's clock.
        ago: Duration,
    },
}

/// The most that `leeway` may be set to.
const MAX_LEEWAY: Duration = Duration::from_secs(600);

impl TimeReason {
    pub(super) fn sentence(self) -> Cow<'static, str> {
        let fixed = match self {
            Self::NotANumericDate(name) => {
                return format!("`{name}` is not a valid NumericDate").into();
            }
            Self::NotYetValid { .. } => "`nbf` is in the future",
            Self::IssuedInTheFuture { .. } => "`iat` is in the future",
            Self::IssuedTooLongAgo => "`iat` is too long ago",
            Self::IssuedAtMissing => "`iat` is missing",
            Self::ExpiryMissing => "`exp` is required but missing",
            Self::Expired { .. } => "the token has expired (`exp`)",
        };
        fixed.into()
    }

    pub(in crate::explanation) fn advice(self) -> Vec<Advice> {
        match self {
            Self::NotANumericDate(name) => {
                let text = format!("put a number of seconds since 1970 into `{name}`");
                vec![Advice::provider(text)]
            }
            Self::NotYetValid { ahead } => of_the_future("nbf", ahead),
            Self::IssuedInTheFuture { ahead } => of_the_future("iat", ahead),
            Self::IssuedTooLongAgo => vec![
                Advice::client("ask for a new token"),
                Advice::server("allow for older tokens with `max_token_age`"),
            ],
            Self::IssuedAtMissing => vec![
                Advice::provider("put `iat` into access tokens for this API"),
                Advice::server("leave `max_token_age` out, if the age of tokens does not matter"),
            ],
            Self::ExpiryMissing => {
                vec![Advice::provider(
                    "put `exp` into access tokens: tokens without it are not accepted",
                )]
            }
            Self::Expired { ago } => {
                let mut advice = vec![Advice::client("ask for a new token")];
                advice.extend(of_time_zone("exp", "behind", ago));
                let text = "set the clock, if the token should still be good";
                advice.push(Advice::server(text));
                advice
            }
        }
    }
}

/// Advises on a time that is still to come.
fn of_the_future(name: &str, ahead: Duration) -> Vec<Advice> {
    let server = match ahead <= MAX_LEEWAY {
        true => "set the clock, or allow for more skew with `leeway`",
        false => "set the clock, if it is behind",
    };
    let mut advice = Vec::from_iter(of_time_zone(name, "ahead of", ahead));
    advice.push(Advice::provider("set the clock; it seems to be ahead"));
    advice.push(Advice::server(server));
    advice
}

/// Names a difference of whole hours as what it mostly is.
fn of_time_zone(name: &str, direction: &str, apart: Duration) -> Option<Advice> {
    let hours = whole_hours(apart)?;
    let plural = if hours == 1 { "" } else { "s" };
    Some(Advice::provider(format!(
        "look at the time zone: `{name}` is {hours} hour{plural} {direction} this server's clock, almost \
         to the minute; is the clock of one side in local time?"
    )))
}

/// Returns how many hours two clocks are apart, where that is whole hours but for two minutes. No
/// time zone is further than 14 hours from UTC.
fn whole_hours(apart: Duration) -> Option<u64> {
    let hours = apart.as_secs().saturating_add(HOUR / 2) / HOUR;
    let off = apart.as_secs().abs_diff(hours.saturating_mul(HOUR));
    ((1..=14).contains(&hours) && off <= 120).then_some(hours)
}

const HOUR: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_hours_are_whole_but_for_two_minutes_and_at_most_fourteen() {
        for (seconds, hours) in [
            (0, None),
            (120, None),
            (3479, None),
            (3480, Some(1)),
            (3720, Some(1)),
            (3721, None),
            (5400, None),
            (7200, Some(2)),
            (14 * 3600 + 120, Some(14)),
            (15 * 3600, None),
            (u64::MAX, None),
        ] {
            assert_eq!(whole_hours(Duration::from_secs(seconds)), hours, "{seconds}");
        }
    }
}
