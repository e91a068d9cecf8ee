//! A value that is replaced whole while others read it. The only file that names `arc_swap`, so
//! that its strategy can be changed in one place.

use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};

/// Holds a value, or none yet. Readers never wait for a writer; reading an empty one costs next to
/// nothing.
#[derive(Debug)]
pub(crate) struct HotSwap<T>(OnceLock<ArcSwap<T>>);

/// The value as it was at one moment. Not to be held across an `await`.
pub(crate) struct Snapshot<T>(Option<Guard<Arc<T>>>);

impl<T> HotSwap<T> {
    pub(crate) fn new(first: Option<T>) -> Self {
        Self(first.map(ArcSwap::from_pointee).map_or_else(OnceLock::new, OnceLock::from))
    }

    pub(crate) fn replace(&self, value: T) {
        let value = Arc::new(value);
        self.0.get_or_init(|| ArcSwap::new(Arc::clone(&value))).store(value);
    }

    pub(crate) fn snapshot(&self) -> Snapshot<T> {
        Snapshot(self.0.get().map(ArcSwap::load))
    }
}

impl<T> Snapshot<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref().map(|value| &**value)
    }
}
