//! Nonces of this server (RFC 9449 section 9), of which it remembers none: each says when it was made,
//! sealed.

use std::time::Duration;

use crate::error::BuildError;
use crate::seal::{Purpose, SealKey};
use crate::time::UnixTime;

/// The time for which a nonce serves.
const LIFETIME: Duration = Duration::from_secs(300);

/// The clocks of two instances may differ by this.
const SKEW: Duration = Duration::from_secs(60);

/// The longest nonce that is opened, in bytes; those of this server have 48.
const LONGEST: usize = 128;

/// The maker and judge of nonces.
#[derive(Debug)]
pub(crate) struct Nonces {
    /// The first one seals, and all of them open.
    keys: Vec<SealKey>,
    /// `true` where no key was given, so that one was made.
    is_key_made: bool,
    /// The name of the server: a nonce of another one with the same keys is none of its.
    place: Box<str>,
}

impl Nonces {
    pub(crate) fn new(mut keys: Vec<SealKey>, place: &str) -> Result<Self, BuildError> {
        let is_key_made = keys.is_empty();
        if is_key_made {
            keys.push(SealKey::random().map_err(|_| BuildError::NoRandomNumbers)?);
        }
        Ok(Self { keys, is_key_made, place: place.into() })
    }

    /// Goes on with the key of the configuration that is replaced, where both made one.
    pub(crate) fn after(mut self, before: &Self) -> Self {
        if self.is_key_made && before.is_key_made {
            self.keys.clone_from(&before.keys);
        }
        self
    }

    pub(crate) fn make(&self, now: UnixTime) -> Option<String> {
        let seconds = now.as_secs().to_be_bytes();
        self.keys.first()?.seal(&seconds, Purpose::DpopNonce, &self.place)
    }

    /// Reports whether a nonce is one of this server that still serves.
    pub(super) fn is_good(&self, nonce: &str, now: UnixTime) -> bool {
        let open = |key: &SealKey| key.open(nonce, Purpose::DpopNonce, &self.place);
        let opened = Some(nonce).filter(|nonce| nonce.len() <= LONGEST);
        let opened = opened.and_then(|_| self.keys.iter().find_map(open));
        let seconds: Option<[u8; 8]> = opened.and_then(|plain| plain.try_into().ok());
        seconds.is_some_and(|seconds| {
            let made = UnixTime::from_secs(i64::from_be_bytes(seconds));
            made <= now.saturating_add(SKEW) && now < made.saturating_add(LIFETIME)
        })
    }
}
