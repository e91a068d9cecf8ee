//! Reasons about the authentication of the user (RFC 9470).

use crate::explanation::side::Advice;

/// The reason for which a user has to be authenticated anew.
///
/// ```
/// use tower_fhir_auth::explanation::{Reason, StepUpReason};
///
/// fn has_to_sign_in_again(reason: &Reason) -> bool {
///     matches!(reason, Reason::StepUp(StepUpReason::Age | StepUpReason::AuthTime))
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StepUpReason {
    /// No `acr` of those that the interaction requires.
    Level,
    /// An `auth_time` that is missing or too long ago.
    Age,
    /// An `auth_time` that is no time, or one in the future.
    AuthTime,
}

impl StepUpReason {
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Level => "`acr` is not one of those that this interaction requires",
            Self::Age => "`auth_time` is missing or too long ago for this interaction",
            Self::AuthTime => "`auth_time` is not a valid time, or is in the future",
        }
    }

    pub(in crate::explanation) fn advice(self) -> Vec<Advice> {
        match self {
            Self::Level | Self::Age => vec![Advice::client(
                "ask for a new token with the `acr_values` and `max_age` of the challenge: the user \
                 has to sign in again",
            )],
            Self::AuthTime => vec![Advice::provider(
                "put the time of the sign-in into `auth_time`, in seconds since 1970",
            )],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another sign-in would not make a time of what is none.
    #[test]
    fn a_time_of_sign_in_that_is_none_is_a_matter_of_the_provider() {
        let provider = "put the time of the sign-in into `auth_time`, in seconds since 1970";
        assert_eq!(StepUpReason::AuthTime.advice(), [Advice::provider(provider)]);
        let client = "ask for a new token with the `acr_values` and `max_age` of the challenge: \
                      the user has to sign in again";
        for reason in [StepUpReason::Level, StepUpReason::Age] {
            assert_eq!(reason.advice(), [Advice::client(client)], "{reason:?}");
        }
    }
}
