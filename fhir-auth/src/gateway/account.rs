//! The account of one request: the bytes that it holds of answers that have to be looked into, and what has
//! gone wrong with them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use super::unanswered::Unanswered;

/// The bytes that are held of all requests together.
#[derive(Debug)]
pub(super) struct Buffered {
    held: AtomicUsize,
    limit: usize,
}

impl Buffered {
    pub(super) fn up_to(limit: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), limit })
    }
}

/// The account of one request, in its extensions. What it holds is given back with the last clone of it.
#[derive(Clone, Debug)]
pub(super) struct Account(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Arc<Buffered>,
    held: AtomicUsize,
    streams: AtomicBool,
    trouble: OnceLock<Unanswered>,
}

impl Account {
    pub(super) fn of_a_request(all: &Arc<Buffered>) -> Self {
        let (held, streams, trouble) = Default::default();
        Self(Arc::new(Inner { all: Arc::clone(all), held, streams, trouble }))
    }

    /// Notes what has gone wrong. An answer that had to be judged as a whole is then another one.
    pub(super) fn met(&self, what: Unanswered) {
        // The first one is what has happened.
        let _ = self.0.trouble.set(what);
    }

    pub(super) fn trouble(&self) -> Option<Unanswered> {
        self.0.trouble.get().copied()
    }

    /// Notes that the answer goes to the client as it comes from now on, and is held no more.
    pub(super) fn streams(&self) {
        self.0.streams.store(true, Ordering::Relaxed);
    }

    /// Holds more bytes, unless those of all requests would be too many.
    pub(super) fn holds(&self, bytes: usize) -> bool {
        if self.0.streams.load(Ordering::Relaxed) {
            return true;
        }
        self.0.held.fetch_add(bytes, Ordering::Relaxed);
        let before = self.0.all.held.fetch_add(bytes, Ordering::Relaxed);
        before.saturating_add(bytes) <= self.0.all.limit
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.all.held.fetch_sub(*self.held.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_holds_is_given_back_with_it() {
        let all = Buffered::up_to(10);
        let (one, other) = (Account::of_a_request(&all), Account::of_a_request(&all));
        assert!(one.holds(6) && other.holds(4) && !other.holds(1));
        let kept = one.clone();
        drop(one);
        assert!(!other.holds(1));
        drop(kept);
        assert!(other.holds(3));
        other.streams();
        assert!(other.holds(100), "what streams is not held");
        drop(other);
        assert_eq!(all.held.load(Ordering::Relaxed), 0);
    }
}
