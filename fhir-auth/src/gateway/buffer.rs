//! The memory of requests and answers that have to be looked into: a pool for all requests, with a quota for callers and one for
//! strangers, and the lease of each request, with what has gone wrong with it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metrics::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tower_fhir_auth::Principal;

use super::gateway_error::GatewayError;
use super::meter;
use super::shares::{Caller, Shares};

/// The most KiB of bodies that are judged at once.
const JUDGED_AT_ONCE: usize = 16 * 1024;

/// The bytes that are held of all requests together: one for a process, whatever configuration serves.
pub(super) struct BufferPool {
    /// Of requests with a token that was verified.
    callers: BufferQuota,
    /// The bytes that each of them holds.
    shares: Shares,
    /// Of all others, who take nothing of what there is for callers.
    strangers: BufferQuota,
    /// Turns at judging, in KiB. What is read out of a body takes more than the body, and so does what is written.
    turns: Arc<Semaphore>,
    /// The bytes held by callers and strangers together, for operators.
    figure: Gauge,
}

/// The bytes that some requests hold together.
#[derive(Default)]
struct BufferQuota {
    held: AtomicUsize,
    limit: AtomicUsize,
    /// The bytes that one request may hold.
    share: AtomicUsize,
}

impl BufferPool {
    /// Without any room yet.
    pub(super) fn new() -> Arc<Self> {
        let turns = Arc::new(Semaphore::new(JUDGED_AT_ONCE));
        let (callers, shares, strangers) = Default::default();
        Arc::new(Self { callers, shares, strangers, turns, figure: meter::buffered() })
    }

    /// Sets the limit in bytes. One request may hold half of it, and so may all requests of one caller together, but
    /// never less than one request and one answer of the largest size that is inspected. Requests without a verified
    /// token have a quota beside it: an eighth of the limit, or one largest body if that is more, up to half the limit.
    pub(super) fn make_room(&self, limit: usize, longest: usize) {
        self.callers.set(limit, (limit / 2).max(longest.saturating_mul(2)).min(limit));
        let of_strangers = (limit / 8).max(longest.min(limit / 2));
        self.strangers.set(of_strangers, of_strangers);
    }

    fn publish(&self) {
        let held = self.callers.held().saturating_add(self.strangers.held());
        let held = u32::try_from(held >> 10).unwrap_or(u32::MAX);
        self.figure.set(f64::from(held) * 1024.0);
    }
}

impl BufferQuota {
    fn set(&self, limit: usize, share: usize) {
        self.limit.store(limit, Ordering::Relaxed);
        self.share.store(share, Ordering::Relaxed);
    }

    fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Takes bytes for a request that holds `own` of them already. One that is alone has all of the room for its
    /// bytes.
    fn take(&self, own: usize, taken: usize) -> Result<(), GatewayError> {
        let before = self.held.fetch_add(taken, Ordering::Relaxed);
        let limit = self.limit.load(Ordering::Relaxed);
        let room = if own == before { limit.saturating_add(limit / 8) } else { limit };
        // Checked first: a 503 would invite the client to repeat a request that can never fit.
        if self.is_over_share(own.saturating_add(taken)) {
            return Err(GatewayError::OverShare);
        }
        if before.saturating_add(taken) <= room { Ok(()) } else { Err(GatewayError::Busy) }
    }

    /// Checks what the requests of one caller hold together: however slowly they take it or send it, there is room
    /// for others.
    fn check_caller(&self, held: usize) -> Result<(), GatewayError> {
        if self.is_over_share(held) { Err(GatewayError::Busy) } else { Ok(()) }
    }

    fn is_over_share(&self, held: usize) -> bool {
        let (limit, share) =
            (self.limit.load(Ordering::Relaxed), self.share.load(Ordering::Relaxed));
        share < limit && held > share.saturating_add(share / 8)
    }
}

/// The lease of one request, in its extensions. What it holds is given back with the last clone of it: when
/// the client has the whole answer.
#[derive(Clone, Debug)]
pub(super) struct BufferLease(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    all: Arc<BufferPool>,
    /// `None` until its token was verified.
    principal: OnceLock<Principal>,
    /// Told of that when something is held: what passes through holds nothing, and 500 of the 4,300 instructions that
    /// a token adds to it would go for this (`.ci/world gateway`).
    caller: OnceLock<Caller>,
    held: AtomicUsize,
    /// The length of the longest line that is held.
    line: AtomicUsize,
    streams: AtomicBool,
    sends: AtomicBool,
    awaits_client: AtomicBool,
    turn: Mutex<Option<OwnedSemaphorePermit>>,
    failure: OnceLock<GatewayError>,
}

impl BufferLease {
    pub(super) fn of_a_request(all: &Arc<BufferPool>) -> Self {
        let all = Arc::clone(all);
        let (principal, caller, held, line) = Default::default();
        let (streams, sends, awaits_client, turn, failure) = Default::default();
        Self(Arc::new(Inner {
            all,
            principal,
            caller,
            held,
            line,
            streams,
            sends,
            awaits_client,
            turn,
            failure,
        }))
    }

    /// Notes whose token was verified, before anything is held of it: until then it is a stranger's.
    pub(super) fn set_principal(&self, principal: &Principal) {
        // Bytes go back to the room they came from: a request that holds some stays a stranger's.
        if !self.holds_something() {
            // Who it is does not change.
            let _ = self.0.principal.set(principal.clone());
        }
    }

    /// A request of a caller of that name.
    #[cfg(test)]
    pub(super) fn of_a_caller(all: &Arc<BufferPool>, name: &str) -> Self {
        let lease = Self::of_a_request(all);
        let _ = lease.0.caller.set(all.shares.named("https://idp.test", Some(name)));
        lease
    }

    /// Notes what has gone wrong. An answer that had to be judged as a whole is then another one.
    pub(super) fn record_failure(&self, what: GatewayError) {
        // The first one is what has happened.
        if self.0.failure.set(what).is_ok() {
            meter::failed(what);
        }
    }

    pub(super) fn failure(&self) -> Option<GatewayError> {
        self.0.failure.get().copied()
    }

    /// Notes that the answer goes to the client as it comes from now on, and is held no more.
    pub(super) fn stop_holding(&self) {
        self.0.streams.store(true, Ordering::Relaxed);
        self.release_turn();
    }

    /// Lets others judge: what asks the upstream server again, whose answer may take its time, judges nothing
    /// meanwhile.
    pub(super) fn release_turn(&self) {
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
        // More permits than the semaphore has would never be granted.
        let turns = (self.0.held.load(Ordering::Relaxed) >> 10).clamp(1, JUDGED_AT_ONCE);
        let turns = u32::try_from(turns).unwrap_or(u32::MAX);
        let turn = Arc::clone(&self.0.all.turns).acquire_many_owned(turns);
        let lease = self.clone();
        Some(async move {
            // The other error is that there are no turns any more, which is never so.
            let Ok(Ok(turn)) = timeout(limit, turn).await else { return false };
            let turn = Some(turn);
            *lease.0.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
            true
        })
    }

    /// Reports whether it is of a caller.
    pub(super) fn has_caller(&self) -> bool {
        self.0.has_caller()
    }

    /// Notes whether the next part of its body is the client's to send.
    pub(super) fn set_awaits_client(&self, awaits: bool) {
        self.0.awaits_client.store(awaits, Ordering::Relaxed);
    }

    /// Returns the error for the side that was too slow.
    pub(super) fn late(&self) -> GatewayError {
        match self.0.awaits_client.load(Ordering::Relaxed) {
            true => GatewayError::Unsent,
            false => GatewayError::TooLate,
        }
    }

    /// Polls a body that is sent on: what it takes from the client in the meantime is not held.
    pub(super) fn while_sending<T>(&self, poll: impl FnOnce() -> T) -> T {
        self.0.sends.store(true, Ordering::Relaxed);
        let polled = poll();
        self.0.sends.store(false, Ordering::Relaxed);
        polled
    }

    /// Holds more bytes of a client, unless they are sent on as they come.
    pub(super) fn hold_of_client(&self, bytes: usize) -> Result<(), GatewayError> {
        if self.0.sends.load(Ordering::Relaxed) { Ok(()) } else { self.take(bytes) }
    }

    /// Holds more bytes of an answer, unless its own or those of all requests would be too many.
    pub(super) fn hold(&self, bytes: usize) -> Result<(), GatewayError> {
        if self.0.streams.load(Ordering::Relaxed) { Ok(()) } else { self.take(bytes) }
    }

    /// Holds a line of an answer that streams by, as long as the longest one so far.
    pub(super) fn hold_line(&self, length: usize) -> Result<(), GatewayError> {
        let longest = self.0.line.fetch_max(length, Ordering::Relaxed);
        if length > longest { self.take(length - longest) } else { Ok(()) }
    }

    pub(super) fn holds_something(&self) -> bool {
        self.0.held.load(Ordering::Relaxed) > 0
    }

    /// Takes an eighth more than there is: what connections read ahead, and what is read out of a body. What is
    /// refused is not held, and does not count.
    fn take(&self, bytes: usize) -> Result<(), GatewayError> {
        if bytes == 0 {
            return Ok(());
        }
        let taken = bytes.saturating_add(bytes / 8);
        let own = self.0.held.fetch_add(taken, Ordering::Relaxed);
        let (all, room) = (&self.0.all, self.0.room());
        let done = room.take(own, taken);
        let of_caller = self.0.caller().map_or(0, |caller| all.shares.take(caller, taken));
        let done = done.and_then(|()| room.check_caller(of_caller));
        if done.is_err() {
            self.0.held.fetch_sub(taken, Ordering::Relaxed);
            self.0.give_back(taken);
        }
        all.publish();
        done
    }
}

impl Inner {
    fn has_caller(&self) -> bool {
        self.principal.get().is_some() || self.caller.get().is_some()
    }

    fn caller(&self) -> Option<Caller> {
        let told = || {
            let principal = self.principal.get()?;
            Some(*self.caller.get_or_init(|| self.all.shares.caller(principal)))
        };
        self.caller.get().copied().or_else(told)
    }

    fn room(&self) -> &BufferQuota {
        if self.has_caller() { &self.all.callers } else { &self.all.strangers }
    }

    fn give_back(&self, held: usize) {
        self.room().held.fetch_sub(held, Ordering::Relaxed);
        if let Some(caller) = self.caller() {
            self.all.shares.give_back(caller, held);
        }
    }
}

impl std::fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BufferPool").finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let held = *self.held.get_mut();
        if held > 0 {
            self.give_back(held);
            self.all.publish();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up_to(limit: usize, longest: usize) -> Arc<BufferPool> {
        let all = BufferPool::new();
        all.make_room(limit, longest);
        all
    }

    /// Another one each time.
    fn caller(all: &Arc<BufferPool>) -> BufferLease {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        BufferLease::of_a_caller(all, &number.to_string())
    }

    #[test]
    fn what_a_request_holds_is_given_back_with_it() {
        let all = up_to(10, 10);
        let (one, other) = (caller(&all), caller(&all));
        let busy = Err(GatewayError::Busy);
        assert_eq!((one.hold(6), other.hold(4), other.hold(1)), (Ok(()), Ok(()), busy));
        let kept = one.clone();
        drop(one);
        assert_eq!(other.hold(1), busy);
        drop(kept);
        assert_eq!(other.hold(3), Ok(()));
        other.stop_holding();
        assert_eq!(other.hold(100), Ok(()), "what streams is not held");
        assert_eq!(other.hold_of_client(100), busy, "what a client sends may be");
        let sent = other.while_sending(|| other.hold_of_client(100));
        assert_eq!(sent, Ok(()), "unless it is sent on");
        drop(other);
        assert_eq!(all.callers.held(), 0);
    }

    #[test]
    fn one_request_holds_a_half_and_leaves_the_rest_to_others() {
        let all = up_to(1000, 100);
        let (one, other) = (caller(&all), caller(&all));
        assert_eq!(one.hold(250), Ok(()));
        assert_eq!(one.hold(250), Ok(()));
        assert_eq!(one.hold(1), Err(GatewayError::OverShare));
        assert_eq!(other.hold(100), Ok(()), "there is room for others");
        // A question and an answer of the longest have room in any case.
        let all = up_to(1000, 400);
        let one = caller(&all);
        assert_eq!((one.hold_of_client(400), one.hold(400)), (Ok(()), Ok(())));
    }

    #[test]
    fn the_requests_of_one_caller_hold_a_half_together() {
        let all = up_to(1000, 100);
        let amara = || BufferLease::of_a_caller(&all, "amara");
        let (first, second, third) = (amara(), amara(), amara());
        assert_eq!((first.hold(300), second.hold(200)), (Ok(()), Ok(())));
        assert_eq!(third.hold(100), Err(GatewayError::Busy));
        assert_eq!(all.callers.held(), 562, "what was refused is not held, by who goes on either");
        assert_eq!((third.hold(0), third.hold_of_client(0)), (Ok(()), Ok(())));
        assert_eq!(
            BufferLease::of_a_caller(&all, "bela").hold(300),
            Ok(()),
            "there is room for others"
        );
        drop(first);
        assert_eq!(amara().hold(100), Ok(()), "and for the same one afterwards");
        drop(second);
        assert_eq!(all.callers.held(), 0);
    }

    #[test]
    fn strangers_take_nothing_of_what_there_is_for_callers() {
        let all = up_to(1000, 50);
        let strangers: Vec<BufferLease> = (0..5).map(|_| BufferLease::of_a_request(&all)).collect();
        let held: Vec<_> = strangers.iter().map(|one| one.hold(50)).collect();
        let busy = Err(GatewayError::Busy);
        assert_eq!(held, [Ok(()), Ok(()), busy, busy, busy], "an eighth");
        assert_eq!((caller(&all).hold(500), caller(&all).hold(380)), (Ok(()), Ok(())));
        drop(strangers);
        assert_eq!((all.strangers.held(), all.callers.held()), (0, 0));
    }

    #[test]
    fn what_requests_hold_counts_also_after_the_room_has_become_another() {
        let all = up_to(1000, 100);
        let one = caller(&all);
        assert_eq!(one.hold(400), Ok(()));
        all.make_room(600, 100);
        assert_eq!(caller(&all).hold(200), Err(GatewayError::Busy));
        drop(one);
        assert_eq!(caller(&all).hold(200), Ok(()));
        assert_eq!(all.callers.held(), 0);
    }
}
