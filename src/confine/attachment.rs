//! The address of an attached Binary, sealed for the caller that it was shown to.

use serde::{Deserialize, Serialize};

use super::caller::CallerDigest;
use crate::authentication::UnixTime;
use crate::seal::{Purpose, SealKey};

/// A Binary that a caller has seen the address of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attachment {
    /// The address, relative to the base of the upstream server.
    pub(super) link: String,
    caller: CallerDigest,
    /// The second from which on it serves no more.
    expires: i64,
}

impl Attachment {
    pub(super) fn new(link: String, caller: CallerDigest, expires: UnixTime) -> Self {
        Self { link, caller, expires: expires.as_secs() }
    }

    /// Seals it, as the last segment of its address.
    pub(super) fn seal(&self, key: &SealKey, context: &str) -> Option<String> {
        key.seal(&serde_json::to_vec(self).ok()?, Purpose::Attachment, context)
    }

    /// Opens an address that one of the keys has sealed for this caller, even if it has expired.
    pub(super) fn open(
        sealed: &str,
        keys: &[SealKey],
        context: &str,
        caller: &CallerDigest,
    ) -> Option<Self> {
        let plain = keys.iter().find_map(|key| key.open(sealed, Purpose::Attachment, context))?;
        let attachment: Self = serde_json::from_slice(&plain).ok()?;
        (*caller == attachment.caller).then_some(attachment)
    }

    /// Reports whether it still serves.
    pub(super) fn serves(&self, now: UnixTime) -> bool {
        now.as_secs() < self.expires
    }
}
