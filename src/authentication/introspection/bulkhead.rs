//! The bounds of questions about one kind of tokens: how many are open, how many of them are put at once, how many requests
//! wait, and how many new ones there are in a second.
//!
//! Tokens that were active before have a bulkhead of their own, so that a flood of unknown ones cannot turn
//! them away, nor those that the provider stumbles over make it look down.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::circuit::CircuitBreaker;

/// The questions that are put to a provider at once, of one bulkhead.
const AT_ONCE: usize = 64;

/// The questions that may be open, of one bulkhead: those that are put, and those that wait for it.
const OPEN: usize = 512;

/// The requests that may wait for answers, of one bulkhead.
const WAITING: usize = 4096;

/// The new questions about unknown tokens, in a second, and how many may come together: a server that
/// was started anew knows none.
const RATE_PER_SECOND: f64 = 500.0;
const BURST: f64 = 1000.0;

/// The bounds for one kind of tokens.
#[derive(Debug)]
pub(super) struct Bulkhead {
    /// Permits to put a question.
    pub(super) at_once: Semaphore,
    /// The pauses of a provider that fails.
    pub(super) circuit: CircuitBreaker,
    open: AtomicUsize,
    waiting: AtomicUsize,
    /// `None` where their number is bounded by what was known before.
    rate: Option<Mutex<Rate>>,
}

#[derive(Debug)]
struct Rate {
    left: f64,
    at: Instant,
}

/// One of a bounded number, until it is dropped.
#[derive(Debug)]
pub(super) struct BulkheadPermit {
    bulkhead: Arc<Bulkhead>,
    of: fn(&Bulkhead) -> &AtomicUsize,
}

impl Bulkhead {
    pub(super) fn of_unknown() -> Arc<Self> {
        let rate = Mutex::new(Rate { left: BURST, at: Instant::now() });
        Arc::new(Self { rate: Some(rate), ..Self::unbounded_rate() })
    }

    pub(super) fn of_known() -> Arc<Self> {
        Arc::new(Self::unbounded_rate())
    }

    fn unbounded_rate() -> Self {
        Self {
            at_once: Semaphore::new(AT_ONCE),
            circuit: CircuitBreaker::default(),
            open: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            rate: None,
        }
    }

    /// Takes one of the permits for open questions.
    pub(super) fn question(self: &Arc<Self>) -> Option<BulkheadPermit> {
        // The permit first: where there is none, nothing of the rate is used up.
        let permit = self.permit(OPEN, |bulkhead| &bulkhead.open)?;
        self.is_within_rate().then_some(permit)
    }

    /// Takes one of the permits for requests that wait.
    pub(super) fn wait(self: &Arc<Self>) -> Option<BulkheadPermit> {
        self.permit(WAITING, |bulkhead| &bulkhead.waiting)
    }

    /// Returns the number of open questions.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    fn permit(
        self: &Arc<Self>,
        most: usize,
        of: fn(&Self) -> &AtomicUsize,
    ) -> Option<BulkheadPermit> {
        let one_more = |taken| (taken < most).then_some(taken + 1);
        // These numbers order no other memory.
        of(self).fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(BulkheadPermit { bulkhead: Arc::clone(self), of })
    }

    fn is_within_rate(&self) -> bool {
        let Some(rate) = &self.rate else { return true };
        let mut rate = rate.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let since = now.saturating_duration_since(rate.at);
        rate.left = (rate.left + since.as_secs_f64() * RATE_PER_SECOND).min(BURST);
        rate.at = now;
        let is_within = rate.left >= 1.0;
        if is_within {
            rate.left -= 1.0;
        }
        is_within
    }
}

impl Drop for BulkheadPermit {
    fn drop(&mut self) {
        (self.of)(&self.bulkhead).fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn unknown_tokens_are_bounded_in_number_and_in_a_second_and_known_ones_in_number() {
        let (unknown, known) = (Bulkhead::of_unknown(), Bulkhead::of_known());
        for bulkhead in [&unknown, &known] {
            let open: Vec<_> = std::iter::from_fn(|| bulkhead.question()).take(OPEN * 2).collect();
            assert_eq!((open.len(), bulkhead.open()), (OPEN, OPEN));
            let waiting: Vec<_> =
                std::iter::from_fn(|| bulkhead.wait()).take(WAITING * 2).collect();
            assert_eq!(waiting.len(), WAITING);
            drop(open);
            assert_eq!(bulkhead.open(), 0);
        }
        let asked =
            |bulkhead: &Arc<Bulkhead>| (0..5000).filter(|_| bulkhead.question().is_some()).count();
        assert_eq!(asked(&known), 5000);
        assert_eq!(asked(&unknown), 1000 - OPEN);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(asked(&unknown), 500);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(asked(&unknown), 1000);
    }
}
