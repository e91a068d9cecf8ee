//! Links to further pages: the server's own, sealed together with whom they serve and what is judged again.

use serde::{Deserialize, Serialize};

use super::caller::Caller;
use crate::authentication::{Principal, UnixTime};
use crate::seal::{Purpose, SealKey};

/// A further page.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Page {
    /// The address of the page at the upstream server, relative to its base.
    pub(super) link: String,
    /// The search or history that it is of, relative to the base, with the parameters of its body.
    pub(super) of: String,
    /// The number of pages before it.
    pub(super) number: u32,
    /// The second from which on it serves no more.
    expires: i64,
    caller: Caller,
}

impl Page {
    /// Makes the page of a search that has so many before it, for a caller.
    pub(super) fn new(
        link: String,
        of: &str,
        number: u32,
        principal: &Principal,
        expires: UnixTime,
    ) -> Option<Self> {
        let of = of.to_owned();
        let caller = Caller::of(principal)?;
        let expires = expires.as_secs();
        Some(Self { link, of, number, expires, caller })
    }

    /// Seals it, as the last segment of its address.
    pub(super) fn seal(&self, key: &SealKey, context: &str) -> Option<String> {
        key.seal(&serde_json::to_vec(self).ok()?, Purpose::Page, context)
    }

    /// Opens a page that one of the keys has sealed for this caller, and that still serves.
    pub(super) fn open(
        sealed: &str,
        keys: &[SealKey],
        context: &str,
        principal: &Principal,
        now: UnixTime,
    ) -> Option<Self> {
        let plain = keys.iter().find_map(|key| key.open(sealed, Purpose::Page, context))?;
        let page: Self = serde_json::from_slice(&plain).ok()?;
        let is_callers = Caller::of(principal).is_some_and(|caller| caller == page.caller);
        (is_callers && now.as_secs() < page.expires).then_some(page)
    }
}
