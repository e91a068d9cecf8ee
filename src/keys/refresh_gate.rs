//! Single flight and cooldown for forced loads, as a pure state machine: no I/O, no waiting. Every
//! transition happens under one lock.

use std::time::Duration;

use tokio::time::Instant;

/// The state of loads, which are numbered from 1, and the rules for forcing one.
#[derive(Debug, Default)]
pub(crate) struct RefreshGate {
    /// The number of loads that were begun, which is the number of the one under way, if any.
    begun: u64,
    /// The number of the last load that has ended.
    ended: u64,
    /// The number of the load that was last forced, begun or not.
    forced: u64,
    forced_at: Option<Instant>,
    /// `true` when the last load that has ended failed.
    failing: bool,
}

/// The answer to a request that asks for a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresh {
    /// The request may wait for this load, which will begin or end without it.
    Join(u64),
    /// The request may wait for this load, and has to wake the refresher.
    Start(u64),
    /// The request must do without.
    Denied,
}

impl RefreshGate {
    /// Returns the number of loads that were begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun
    }

    /// Reports whether a forced load is pending.
    pub(crate) fn is_wanted(&self) -> bool {
        self.forced > self.begun
    }

    /// Records that the refresher begins a load.
    pub(crate) fn begin(&mut self) {
        self.begun += 1;
    }

    /// Records that the load under way has ended. Returns its number.
    pub(crate) fn end(&mut self, failed: bool) -> u64 {
        self.failing = failed;
        self.ended = self.begun;
        self.ended
    }

    /// Asks for a load on behalf of a request whose key is unknown.
    ///
    /// A forced load that has not begun is joined; otherwise a new one is forced where the cooldown
    /// allows; otherwise a forced load under way is joined, or any other unless the provider is
    /// failing. The cooldown starts here, before the attempt, so failures count like successes.
    pub(crate) fn request_refresh(&mut self, now: Instant, cooldown: Duration) -> Refresh {
        if self.is_wanted() {
            return Refresh::Join(self.forced);
        }
        if self.forced_at.is_none_or(|at| now.duration_since(at) >= cooldown) {
            self.forced_at = Some(now);
            // The load under way may have begun before the key was published.
            self.forced = self.begun + 1;
            return Refresh::Start(self.forced);
        }
        if self.forced > self.ended {
            return Refresh::Join(self.forced);
        }
        // While the provider fails, waiting for a scheduled load would mostly be in vain.
        if self.begun > self.ended && !self.failing {
            return Refresh::Join(self.begun);
        }
        Refresh::Denied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_began_before_the_request_is_shared_only_in_its_own_window() {
        let (now, cooldown) = (Instant::now(), Duration::from_secs(1));
        let mut gate = RefreshGate::default();
        assert_eq!(gate.request_refresh(now, cooldown), Refresh::Start(1));
        assert_eq!(gate.request_refresh(now, cooldown), Refresh::Join(1));
        gate.begin();
        assert_eq!(gate.request_refresh(now, cooldown), Refresh::Join(1));
        // The load may have been answered before the key of this request was published.
        assert_eq!(gate.request_refresh(now + cooldown, cooldown), Refresh::Start(2));
        assert_eq!(gate.request_refresh(now + cooldown, cooldown), Refresh::Join(2));
        gate.end(true);
        gate.begin();
        assert_eq!(gate.request_refresh(now + cooldown, cooldown), Refresh::Join(2));
    }

    #[test]
    fn a_request_waits_for_a_load_that_is_to_come_or_under_way_and_for_no_other() {
        let (now, cooldown) = (Instant::now(), Duration::from_secs(1));
        let mut gate = RefreshGate::default();
        assert_eq!(gate.request_refresh(now, cooldown), Refresh::Start(1));
        // The refresher was woken, however long it takes to begin.
        assert_eq!(gate.request_refresh(now + cooldown, cooldown), Refresh::Join(1));
        gate.begin();
        assert_eq!(gate.end(false), 1);
        let later = now + cooldown / 2;
        assert_eq!(gate.request_refresh(later, cooldown), Refresh::Denied);
        // A load on schedule, which may bring the key as well.
        gate.begin();
        assert_eq!(gate.request_refresh(later, cooldown), Refresh::Join(2));
        assert_eq!(gate.end(true), 2);
        assert_eq!(gate.request_refresh(later, cooldown), Refresh::Denied);
        gate.begin();
        assert_eq!(gate.request_refresh(later, cooldown), Refresh::Denied, "it fails");
    }
}
