//! The account of one request: the bytes that it holds of answers that have to be looked into, and what has
//! gone wrong with them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metrics::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::meter;
use super::unanswered::Unanswered;

/// The most KiB of bodies that are judged at once.
const JUDGED_AT_ONCE: usize = 16 * 1024;

/// The bytes that are held of all requests together.
pub(super) struct Buffered {
    held: AtomicUsize,
    limit: usize,
    /// The bytes that one request may hold.
    share: usize,
    /// Turns at judging, in KiB. What is read out of a body takes more than the body, and so does what is written.
    turns: Arc<Semaphore>,
    /// The same number, for operators: of all configurations together.
    figure: Gauge,
}

impl Buffered {
    /// With room for so many bytes, of which one request may hold a half, and in any case a question and an answer
    /// of the longest that are looked into.
    pub(super) fn up_to(limit: usize, longest: usize) -> Arc<Self> {
        let (held, turns) = (AtomicUsize::new(0), Arc::new(Semaphore::new(JUDGED_AT_ONCE)));
        let share = (limit / 2).max(longest.saturating_mul(2)).min(limit);
        Arc::new(Self { held, limit, share, turns, figure: meter::buffered() })
    }
}

/// The account of one request, in its extensions. What it holds is given back with the last clone of it: when
/// the client has the whole answer.
#[derive(Clone, Debug)]
pub(super) struct Account(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Arc<Buffered>,
    held: AtomicUsize,
    streams: AtomicBool,
    sends: AtomicBool,
    turn: Mutex<Option<OwnedSemaphorePermit>>,
    trouble: OnceLock<Unanswered>,
}

impl Account {
    pub(super) fn of_a_request(all: &Arc<Buffered>) -> Self {
        let (held, streams, sends, turn, trouble) = Default::default();
        Self(Arc::new(Inner { all: Arc::clone(all), held, streams, sends, turn, trouble }))
    }

    /// Notes what has gone wrong. An answer that had to be judged as a whole is then another one.
    pub(super) fn met(&self, what: Unanswered) {
        // The first one is what has happened.
        if self.0.trouble.set(what).is_ok() {
            meter::failed(what);
        }
    }

    pub(super) fn trouble(&self) -> Option<Unanswered> {
        self.0.trouble.get().copied()
    }

    /// Notes that the answer goes to the client as it comes from now on, and is held no more.
    pub(super) fn streams(&self) {
        self.0.streams.store(true, Ordering::Relaxed);
        self.0.turn.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Waits for the turn to judge what has been read, and tells whether it has come within `limit`; `None` if it
    /// needs none, or has one already: who waits for a second one could wait for ever.
    pub(super) fn turn(
        &self,
        limit: Duration,
    ) -> Option<impl Future<Output = bool> + Send + 'static> {
        let has_turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if self.0.streams.load(Ordering::Relaxed) || has_turn {
            return None;
        }
        let turns = (self.0.held.load(Ordering::Relaxed) >> 10).clamp(1, JUDGED_AT_ONCE);
        let turns = u32::try_from(turns).unwrap_or(u32::MAX);
        let turn = Arc::clone(&self.0.all.turns).acquire_many_owned(turns);
        let account = self.clone();
        Some(async move {
            // The other error is that there are no turns any more, which is never so.
            let Ok(Ok(turn)) = timeout(limit, turn).await else { return false };
            let turn = Some(turn);
            *account.0.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
            true
        })
    }

    /// Polls a body that is sent on: what it takes from the client in the meantime is not held.
    pub(super) fn while_sending<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.0.sends.store(true, Ordering::Relaxed);
        let polled = poll();
        self.0.sends.store(false, Ordering::Relaxed);
        polled
    }

    /// Holds more bytes of a client, unless they are sent on as they come.
    pub(super) fn holds_of_client(&self, bytes: usize) -> Result<(), Unanswered> {
        if self.0.sends.load(Ordering::Relaxed) { Ok(()) } else { self.take(bytes) }
    }

    /// Holds more bytes of an answer, unless its own or those of all requests would be too many.
    pub(super) fn holds(&self, bytes: usize) -> Result<(), Unanswered> {
        if self.0.streams.load(Ordering::Relaxed) { Ok(()) } else { self.take(bytes) }
    }

    pub(super) fn holds_something(&self) -> bool {
        self.0.held.load(Ordering::Relaxed) > 0
    }

    /// Takes an eighth more than there is: what connections read ahead, and what is read out of a body. A request
    /// that is alone has all of the room for its bytes.
    fn take(&self, bytes: usize) -> Result<(), Unanswered> {
        let taken = bytes.saturating_add(bytes / 8);
        let own = self.0.held.fetch_add(taken, Ordering::Relaxed);
        let before = self.0.all.held.fetch_add(taken, Ordering::Relaxed);
        self.0.all.tell();
        let Buffered { limit, share, .. } = *self.0.all;
        let room = if own == before { limit.saturating_add(limit / 8) } else { limit };
        if share < limit && own.saturating_add(taken) > share.saturating_add(share / 8) {
            return Err(Unanswered::OverShare);
        }
        if before.saturating_add(taken) <= room { Ok(()) } else { Err(Unanswered::Busy) }
    }
}

impl Buffered {
    fn tell(&self) {
        let held = u32::try_from(self.held.load(Ordering::Relaxed) >> 10).unwrap_or(u32::MAX);
        self.figure.set(f64::from(held) * 1024.0);
    }
}

impl std::fmt::Debug for Buffered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buffered").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let held = *self.held.get_mut();
        if held > 0 {
            self.all.held.fetch_sub(held, Ordering::Relaxed);
            self.all.tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_request_holds_is_given_back_with_it() {
        let all = Buffered::up_to(10, 10);
        let (one, other) = (Account::of_a_request(&all), Account::of_a_request(&all));
        let busy = Err(Unanswered::Busy);
        assert_eq!((one.holds(6), other.holds(4), other.holds(1)), (Ok(()), Ok(()), busy));
        let kept = one.clone();
        drop(one);
        assert_eq!(other.holds(1), busy);
        drop(kept);
        assert_eq!(other.holds(3), Ok(()));
        other.streams();
        assert_eq!(other.holds(100), Ok(()), "what streams is not held");
        assert_eq!(other.holds_of_client(100), busy, "what a client sends may be");
        let sent = other.while_sending(|| other.holds_of_client(100));
        assert_eq!(sent, Ok(()), "unless it is sent on");
        drop(other);
        assert_eq!(all.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn one_request_holds_a_half_and_leaves_the_rest_to_others() {
        let all = Buffered::up_to(1000, 100);
        let (one, other) = (Account::of_a_request(&all), Account::of_a_request(&all));
        assert_eq!(one.holds(250), Ok(()));
        assert_eq!(one.holds(250), Ok(()));
        assert_eq!(one.holds(1), Err(Unanswered::OverShare));
        assert_eq!(other.holds(100), Ok(()), "there is room for others");
        // A question and an answer of the longest have room in any case.
        let all = Buffered::up_to(1000, 400);
        let one = Account::of_a_request(&all);
        assert_eq!((one.holds_of_client(400), one.holds(400)), (Ok(()), Ok(())));
    }
}
