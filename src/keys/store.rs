//! The present keys of one issuer, swapped whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::jose::jwk_set::NoKey;
use crate::jose::{Algorithm, JwkSet};
use crate::swap::{self, Swap};

/// Holds the last good keys.
#[derive(Debug)]
pub(crate) struct KeyStore {
    keys: Swap<GoodKeys>,
    max_stale: Option<Duration>,
    /// How many different sets there have been.
    sets: AtomicU64,
}

/// Tells the key sets of one issuer apart: what one set has verified says nothing under the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeySetNumber(u64);

/// Keys that were loaded, and when.
#[derive(Debug)]
pub(crate) struct GoodKeys {
    pub(crate) set: Arc<JwkSet>,
    number: KeySetNumber,
    pub(crate) loaded_at: Instant,
}

/// The keys as they were at one moment, for the decision on one request.
pub(crate) struct Snapshot {
    keys: swap::Snapshot<GoodKeys>,
    max_stale: Option<Duration>,
}

impl GoodKeys {
    fn now(set: Arc<JwkSet>, number: KeySetNumber) -> Self {
        Self { set, number, loaded_at: Instant::now() }
    }
}

impl KeyStore {
    pub(crate) fn new(first: Option<JwkSet>, max_stale: Option<Duration>) -> Self {
        let first = first.map(|set| GoodKeys::now(Arc::new(set), KeySetNumber(0)));
        Self { keys: Swap::new(first), max_stale, sets: AtomicU64::new(0) }
    }

    /// Replaces all keys: one that a provider has withdrawn is gone. Mostly a provider sends the
    /// same keys again, and what they have verified stays verified.
    pub(crate) fn replace(&self, set: JwkSet) {
        let present = self.keys.snapshot();
        let same = present.get().filter(|good| good.set.has_the_keys_of(&set));
        let number = match same {
            Some(good) => good.number,
            None => KeySetNumber(self.sets.fetch_add(1, Ordering::Relaxed) + 1),
        };
        self.keys.replace(GoodKeys::now(Arc::new(set), number));
    }

    /// The keys were confirmed to be the present ones.
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
    /// The keys, unless there are none or they are too old to be trusted.
    pub(crate) fn usable(&self) -> Option<&JwkSet> {
        self.fresh().map(|good| &*good.set)
    }

    /// Which set the usable keys are.
    pub(crate) fn usable_number(&self) -> Option<KeySetNumber> {
        self.fresh().map(|good| good.number)
    }

    fn fresh(&self) -> Option<&GoodKeys> {
        let is_stale =
            |good: &&GoodKeys| self.max_stale.is_some_and(|bound| good.loaded_at.elapsed() > bound);
        self.last_good().filter(|good| !is_stale(good))
    }

    /// Whether there are keys, and none is the one that a token means.
    pub(crate) fn lacks(&self, kid: Option<&str>, algorithm: Algorithm) -> bool {
        self.usable()
            .is_some_and(|set| set.select(kid, algorithm, None).is_err_and(NoKey::is_unknown))
    }

    /// The last good keys, however old.
    pub(crate) fn last_good(&self) -> Option<&GoodKeys> {
        self.keys.get()
    }
}
