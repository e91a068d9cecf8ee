//! The present keys of one issuer, swapped whole.

use std::sync::Arc;
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
}

/// Keys that were loaded, and when.
#[derive(Debug)]
pub(crate) struct GoodKeys {
    pub(crate) set: Arc<JwkSet>,
    pub(crate) loaded_at: Instant,
}

/// The keys as they were at one moment, for the decision on one request.
pub(crate) struct Snapshot {
    keys: swap::Snapshot<GoodKeys>,
    max_stale: Option<Duration>,
}

impl GoodKeys {
    fn now(set: Arc<JwkSet>) -> Self {
        Self { set, loaded_at: Instant::now() }
    }
}

impl KeyStore {
    pub(crate) fn new(first: Option<JwkSet>, max_stale: Option<Duration>) -> Self {
        let first = first.map(|set| GoodKeys::now(Arc::new(set)));
        Self { keys: Swap::new(first), max_stale }
    }

    /// Replaces all keys: one that a provider has withdrawn is gone.
    pub(crate) fn replace(&self, set: JwkSet) {
        self.keys.replace(GoodKeys::now(Arc::new(set)));
    }

    /// The keys were confirmed to be the present ones.
    pub(crate) fn confirm(&self) {
        let present = self.keys.snapshot().get().map(|good| Arc::clone(&good.set));
        if let Some(set) = present {
            self.keys.replace(GoodKeys::now(set));
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { keys: self.keys.snapshot(), max_stale: self.max_stale }
    }
}

impl Snapshot {
    /// The keys, unless there are none or they are too old to be trusted.
    pub(crate) fn usable(&self) -> Option<&JwkSet> {
        let keys = self.last_good()?;
        match self.max_stale {
            Some(bound) if keys.loaded_at.elapsed() > bound => None,
            Some(_) | None => Some(&keys.set),
        }
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
