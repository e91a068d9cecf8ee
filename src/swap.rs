//! A value that is replaced whole while others read it. The only file that names `arc_swap`, so
//! that its strategy can be changed in one place.

use std::sync::Arc;

use arc_swap::{ArcSwapOption, Guard};

/// Holds a value, or none yet. Readers never wait for a writer.
#[derive(Debug)]
pub(crate) struct Swap<T>(ArcSwapOption<T>);

/// The value as it was at one moment. Not to be held across an `await`.
pub(crate) struct Snapshot<T>(Guard<Option<Arc<T>>>);

impl<T> Swap<T> {
    pub(crate) fn new(first: Option<T>) -> Self {
        Self(ArcSwapOption::from(first.map(Arc::new)))
    }

    pub(crate) fn replace(&self, value: T) {
        self.0.store(Some(Arc::new(value)));
    }

    pub(crate) fn snapshot(&self) -> Snapshot<T> {
        Snapshot(self.0.load())
    }
}

impl<T> Snapshot<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }
}
