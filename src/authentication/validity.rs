//! How long a verification counts: the dates of the token, and the keys that verified it.

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
    /// The number of the key set that verified it.
    pub(super) key_set: KeySetId,
    /// `[from, until)`: the time in which all time checks pass, leeway included.
    from: UnixTime,
    until: UnixTime,
}

impl Validity {
    pub(super) fn new(
        issuer: IssuerIndex,
        key_set: KeySetId,
        dates: Dates,
        settings: &IssuerSettings,
    ) -> Self {
        let leeway = settings.leeway;
        let start = dates.not_before.max(dates.issued_at).map(|start| start.saturating_sub(leeway));
        let from = start.unwrap_or_else(|| UnixTime::from_secs(i64::MIN));
        let until = dates.expires_at.saturating_add(leeway);
        let oldest = settings.max_token_age.zip(dates.issued_at);
        let too_old = oldest
            .map(|(age, issued_at)| issued_at.saturating_add(age).saturating_add(leeway).next());
        let until = too_old.map_or(until, |too_old| until.min(too_old));
        Self { issuer, key_set, from, until }
    }

    /// Reports whether all time checks pass now.
    pub(super) fn covers(self, now: UnixTime) -> bool {
        self.from <= now && now < self.until
    }
}
