//! The present keys of one issuer, replaced as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::jose::jwk_set::{Candidates, NoKey};
use crate::jose::{Algorithm, ExpectedKeyIssuer, JwkSet};
use crate::swap::{self, Swap};

/// Holds the last good keys.
#[derive(Debug)]
pub(crate) struct KeyStore {
    keys: Swap<GoodKeys>,
    max_stale: Option<Duration>,
    /// The number of different sets there have been.
    sets: AtomicU64,
}

/// A number that tells the key sets of one issuer apart: a signature verified under one set counts
/// for nothing under the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeySetNumber(u64);

/// Keys that were loaded, and when.
#[derive(Debug)]
pub(crate) struct GoodKeys {
    pub(crate) set: Arc<JwkSet>,
    pub(crate) number: KeySetNumber,
    pub(crate) loaded_at: Instant,
}

/// The keys as they were at one moment, for the decision on one request.
pub(crate) struct Snapshot {
    keys: swap::Snapshot<GoodKeys>,
    max_stale: Option<Duration>,
}

/// The usable keys that match a token.
pub(crate) struct Selected<'a> {
    pub(crate) candidates: Result<Candidates<'a>, NoKey>,
    pub(crate) set: &'a JwkSet,
    pub(crate) number: KeySetNumber,
}

impl GoodKeys {
    fn now(set: Arc<JwkSet>, number: KeySetNumber) -> Self {
        Self { set, number, loaded_at: Instant::now() }
    }
}

impl Selected<'_> {
    /// Reports whether the token's key is unknown, so that a load may bring it.
    pub(crate) fn lacks_the_key(&self) -> bool {
        self.candidates.as_ref().is_err_and(|why| why.is_unknown())
    }
}

impl KeyStore {
    pub(crate) fn new(first: Option<JwkSet>, max_stale: Option<Duration>) -> Self {
        let first = first.map(|set| GoodKeys::now(Arc::new(set), KeySetNumber(0)));
        Self { keys: Swap::new(first), max_stale, sets: AtomicU64::new(0) }
    }

    /// Replaces all keys: one that a provider has withdrawn is gone. Mostly a provider sends the
    /// present keys again, and tokens verified under them stay verified.
    pub(crate) fn replace(&self, set: JwkSet) {
        let present = self.keys.snapshot();
        let same = present.get().filter(|good| good.set.has_the_keys_of(&set));
        let number = match same {
            Some(good) => good.number,
            // The number only has to be unique; it orders no other memory.
            None => KeySetNumber(self.sets.fetch_add(1, Ordering::Relaxed) + 1),
        };
        self.keys.replace(GoodKeys::now(Arc::new(set), number));
    }

    /// Records that the keys were confirmed to be the present ones.
    pub(crate) fn confirm(&self) {
        let present = self.keys.snapshot().get().map(|good| (Arc::clone(&good.set), good.number));
        if let Some((set, number)) = present {
            self.keys.replace(GoodKeys::now(set, number));
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { keys: self.keys.snapshot(), max_stale: self.max_stale }
    }
}

impl Snapshot {
    /// Returns the keys that a token means, see [`JwkSet::select`], where there are usable keys.
    pub(crate) fn select(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        expected: Option<&ExpectedKeyIssuer>,
    ) -> Option<Selected<'_>> {
        let GoodKeys { set, number, .. } = self.usable()?;
        let candidates = set.select(kid, algorithm, expected);
        Some(Selected { candidates, set, number: *number })
    }

    /// Returns the keys, unless there are none or they are too old to be trusted. Reads a clock.
    pub(crate) fn usable(&self) -> Option<&GoodKeys> {
        let is_stale =
            |good: &&GoodKeys| self.max_stale.is_some_and(|bound| good.loaded_at.elapsed() > bound);
        self.last_good().filter(|good| !is_stale(good))
    }

    /// Returns the last good keys, however old.
    pub(crate) fn last_good(&self) -> Option<&GoodKeys> {
        self.keys.get()
    }
}
