//! The present keys of one issuer, swapped whole. The only file that names `arc_swap`.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use tokio::time::Instant;

use crate::jose::JwkSet;

/// Holds the last good keys. Readers never wait for a writer.
#[derive(Debug)]
pub(crate) struct KeyStore {
    keys: ArcSwapOption<GoodKeys>,
    max_stale: Option<Duration>,
}

/// Keys that were loaded, and when.
#[derive(Debug)]
pub(crate) struct GoodKeys {
    pub(crate) set: Arc<JwkSet>,
    pub(crate) loaded_at: Instant,
}

/// The keys as they were at one moment, for the decision on one request. Not to be held across
/// an `await`.
pub(crate) struct Snapshot {
    keys: Guard<Option<Arc<GoodKeys>>>,
    max_stale: Option<Duration>,
}

impl KeyStore {
    pub(crate) fn new(first: Option<JwkSet>, max_stale: Option<Duration>) -> Self {
        let store = Self { keys: ArcSwapOption::empty(), max_stale };
        if let Some(set) = first {
            store.replace(set);
        }
        store
    }

    /// Replaces all keys: one that a provider has withdrawn is gone.
    pub(crate) fn replace(&self, set: JwkSet) {
        self.put(Arc::new(set));
    }

    /// The keys were confirmed to be the present ones.
    pub(crate) fn confirm(&self) {
        let present = self.keys.load().as_deref().map(|good| Arc::clone(&good.set));
        if let Some(set) = present {
            self.put(set);
        }
    }

    fn put(&self, set: Arc<JwkSet>) {
        let loaded_at = Instant::now();
        self.keys.store(Some(Arc::new(GoodKeys { set, loaded_at })));
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot { keys: self.keys.load(), max_stale: self.max_stale }
    }
}

impl Snapshot {
    /// The keys, unless there are none or they are too old to be trusted.
    pub(crate) fn usable(&self) -> Option<&JwkSet> {
        let keys = self.keys.as_deref()?;
        match self.max_stale {
            Some(bound) if keys.loaded_at.elapsed() > bound => None,
            Some(_) | None => Some(&keys.set),
        }
    }

    /// The last good keys, however old.
    pub(crate) fn last_good(&self) -> Option<&GoodKeys> {
        self.keys.as_deref()
    }
}
