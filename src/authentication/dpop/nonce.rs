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
    context: Box<str>,
}

impl Nonces {
    pub(crate) fn new(mut keys: Vec<SealKey>, context: &str) -> Result<Self, BuildError> {
        let is_key_made = keys.is_empty();
        if is_key_made {
            keys.push(SealKey::random().map_err(|_| BuildError::NoRandomNumbers)?);
        }
        Ok(Self { keys, is_key_made, context: context.into() })
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
        self.keys.first()?.seal(&seconds, Purpose::DpopNonce, &self.context)
    }

    /// Reports whether a nonce is one of this server that still serves.
    pub(super) fn is_good(&self, nonce: &str, now: UnixTime) -> bool {
        let open = |key: &SealKey| key.open(nonce, Purpose::DpopNonce, &self.context);
        let opened = Some(nonce).filter(|nonce| nonce.len() <= LONGEST);
        let opened = opened.and_then(|_| self.keys.iter().find_map(open));
        let seconds: Option<[u8; 8]> = opened.and_then(|plain| plain.try_into().ok());
        seconds.is_some_and(|seconds| {
            let made = UnixTime::from_secs(i64::from_be_bytes(seconds));
            made <= now.saturating_add(SKEW) && now < made.saturating_add(LIFETIME)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn nonces(keys: &[u8]) -> Nonces {
        let keys = keys.iter().map(|byte| SealKey::new(&[*byte; 32]).unwrap()).collect();
        Nonces::new(keys, "https://fhir.example.org").unwrap()
    }

    fn serves(nonces: &Nonces, made_by: &Nonces) -> bool {
        let now = UnixTime::from_secs(NOW);
        nonces.is_good(&made_by.make(now).unwrap(), now)
    }

    #[test]
    fn a_nonce_serves_for_five_minutes_and_where_clocks_differ_by_one() {
        let nonces = nonces(&[1]);
        let nonce = nonces.make(UnixTime::from_secs(NOW)).unwrap();
        for (seconds, is_good) in [(-61, false), (-60, true), (0, true), (299, true), (300, false)]
        {
            let at = UnixTime::from_secs(NOW + seconds);
            assert_eq!(nonces.is_good(&nonce, at), is_good, "{seconds}");
        }
    }

    #[test]
    fn a_key_that_was_made_is_gone_on_with_and_one_that_was_given_is_not() {
        let (made, given) = (nonces(&[]), nonces(&[1]));
        assert!(serves(&nonces(&[]).after(&made), &made));
        assert!(!serves(&nonces(&[2]).after(&made), &made), "a key was given instead");
        assert!(!serves(&nonces(&[]).after(&given), &given), "the key was taken away");
        assert!(!serves(&nonces(&[2]).after(&given), &given), "another key was given");
        assert_eq!(given.keys.len(), 1, "none is made beside one that was given");
    }
}
