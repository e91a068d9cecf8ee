//! The time for which a verification counts: the dates of the token, and the keys that verified it.

use tokio::time::Instant;

use super::issuer::{IssuerIndex, IssuerSettings};
use crate::keys::KeySetId;
use crate::time::UnixTime;

/// The three dates of a token that passed their checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dates {
    pub(crate) not_before: Option<UnixTime>,
    pub(crate) issued_at: Option<UnixTime>,
    pub(crate) expires_at: UnixTime,
}

/// The circumstances under which a token was verified. When one changes it is verified anew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Validity {
    /// The issuer whose keys verified it.
    pub(super) issuer: IssuerIndex,
    /// The number of the key set that verified it; `None` where only its provider vouches for it.
    pub(super) key_set: Option<KeySetId>,
    /// `[from, until)`: the time in which all time checks pass, leeway included.
    from: UnixTime,
    until: UnixTime,
    /// The moment from which the provider has to be asked again, where it was asked.
    answered_until: Option<Instant>,
}

impl Validity {
    pub(super) fn new(
        issuer: IssuerIndex,
        key_set: Option<KeySetId>,
        dates: Dates,
        settings: &IssuerSettings,
    ) -> Self {
        let leeway = settings.leeway;
        let start = dates.not_before.max(dates.issued_at).map(|start| start.saturating_sub(leeway));
        let from = start.unwrap_or_else(|| UnixTime::from_secs(i64::MIN));
        let until = dates.expires_at.saturating_add(leeway);
        let oldest = settings.max_token_age.zip(dates.issued_at);
        let too_old = oldest
            // A token of exactly the largest age passes its check, and `until` is excluded.
            .map(|(age, issued_at)| issued_at.saturating_add(age).saturating_add(leeway).next());
        let until = too_old.map_or(until, |too_old| until.min(too_old));
        Self { issuer, key_set, from, until, answered_until: None }
    }

    /// Ends the validity with that of an answer, and never after `exp` of token or answer: then the
    /// provider is asked again, which knows better than a leeway.
    #[cfg(feature = "client")]
    pub(super) fn while_answered(
        self,
        until: Instant,
        expires_at: UnixTime,
        of_answer: Option<UnixTime>,
    ) -> Self {
        let expires_at = of_answer.map_or(expires_at, |of_answer| expires_at.min(of_answer));
        let answered_until = Some(until);
        Self { until: self.until.min(expires_at), answered_until, ..self }
    }

    /// Reports whether all time checks pass now, and an answer counts where one was needed.
    pub(super) fn covers(self, now: UnixTime) -> bool {
        self.from <= now
            && now < self.until
            && self.answered_until.is_none_or(|until| Instant::now() < until)
    }
}
