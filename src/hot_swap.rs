//! A value that is replaced whole while others read it. The only file that names `arc_swap`, so
//! that its strategy can be changed in one place.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use arc_swap::{ArcSwap, Guard};

/// Holds a value, or none yet. Readers never wait for a writer; reading an empty one costs next to
/// nothing.
#[derive(Debug)]
pub(crate) struct HotSwap<T>(OnceLock<ArcSwap<T>>);

/// The value of a [`HotSwap`] at one moment, if it had one. Not to be held across an `await`.
pub(crate) struct Snapshot<T>(Option<Guard<Arc<T>>>);

impl<T> HotSwap<T> {
    pub(crate) fn new(first: Option<T>) -> Self {
        Self(first.map(ArcSwap::from_pointee).map_or_else(OnceLock::new, OnceLock::from))
    }

    pub(crate) fn replace(&self, value: T) {
        let value = Arc::new(value);
        self.0.get_or_init(|| ArcSwap::new(Arc::clone(&value))).store(value);
    }

    /// Reports whether there has never been a value.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.get().is_none()
    }

    pub(crate) fn snapshot(&self) -> Snapshot<T> {
        Snapshot(self.0.get().map(ArcSwap::load))
    }
}

impl<T> Snapshot<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        self.shared().map(|value| &**value)
    }

    /// Returns the value to be kept beyond the snapshot, or to be told from one that comes later.
    pub(crate) fn shared(&self) -> Option<&Arc<T>> {
        self.0.as_deref()
    }
}

/// Holds a value that is always there. Readers never wait for a writer.
#[derive(Debug)]
pub(crate) struct Replaceable<T>(ArcSwap<T>);

/// The value of a [`Replaceable`] at one moment. Not to be held across an `await`.
pub(crate) struct Current<T>(Guard<Arc<T>>);

impl<T> Replaceable<T> {
    pub(crate) fn new(first: Arc<T>) -> Self {
        Self(ArcSwap::new(first))
    }

    pub(crate) fn replace(&self, value: Arc<T>) {
        self.0.store(value);
    }

    pub(crate) fn load(&self) -> Current<T> {
        Current(self.0.load())
    }

    /// Returns the value to be kept, which costs more than a look at it.
    pub(crate) fn keep(&self) -> Arc<T> {
        self.0.load_full()
    }
}

impl<T> Deref for Current<T> {
    type Target = Arc<T>;

    fn deref(&self) -> &Arc<T> {
        &self.0
    }
}
