//! Single flight and cooldown for forced loads, as a pure state machine: no I/O, no waiting. Every
//! transition happens under one lock.

use std::time::Duration;

use tokio::time::Instant;

/// The loads so far, numbered from 1.
#[derive(Debug, Default)]
pub(crate) struct Loads {
    /// The number of loads that were begun, which is the number of the one under way, if any.
    begun: u64,
    /// The number of the last load that has ended.
    over: u64,
    /// The number of the load that was last forced, begun or not.
    forced: u64,
    forced_at: Option<Instant>,
    /// `true` when the last load that has ended failed.
    failing: bool,
}

/// The answer to a request that asks for a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// The request may wait for this load, which will begin or end without it.
    Share(u64),
    /// The request may wait for this load, and has to wake the refresher.
    Force(u64),
    /// The request must do without.
    Denied,
}

impl Loads {
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
        self.over = self.begun;
        self.over
    }

    /// Asks for a load on behalf of a request whose key is unknown.
    ///
    /// A forced load that has not begun is joined; otherwise a new one is forced where the cooldown
    /// allows; otherwise a forced load under way is joined, or any other unless the provider is
    /// failing. The cooldown starts here, before the attempt, so failures count like successes.
    pub(crate) fn demand(&mut self, now: Instant, cooldown: Duration) -> Demand {
        if self.is_wanted() {
            return Demand::Share(self.forced);
        }
        if self.forced_at.is_none_or(|at| now.duration_since(at) >= cooldown) {
            self.forced_at = Some(now);
            // The load under way may have begun before the key was published.
            self.forced = self.begun + 1;
            return Demand::Force(self.forced);
        }
        if self.forced > self.over {
            return Demand::Share(self.forced);
        }
        if self.begun > self.over && !self.failing {
            return Demand::Share(self.begun);
        }
        Demand::Denied
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loom::sync::{Arc, Condvar, Mutex, Notify};
    use loom::thread;

    /// Requests and the refresher of `board.rs` on threads: the same rules behind a lock, the
    /// wake-up, and waiting for the end of a load.
    struct Model {
        loads: Mutex<Loads>,
        nudge: Notify,
        over: Condvar,
    }

    impl Model {
        fn new() -> Arc<Self> {
            let loads = Mutex::new(Loads::default());
            Arc::new(Self { loads, nudge: Notify::new(), over: Condvar::new() })
        }

        /// With a refresher for one load, on a thread of its own.
        fn with_refresher() -> (Arc<Self>, thread::JoinHandle<()>) {
            let model = Self::new();
            let refresher = Arc::clone(&model);
            (model, thread::spawn(move || refresher.refresh(1)))
        }

        /// One request: asks, and waits for the load it was promised. Returns its number.
        fn request(&self, cooldown: Duration, now: Instant) -> Option<u64> {
            let mut loads = self.loads.lock().unwrap();
            let begun_before = loads.begun();
            let promised = match loads.demand(now, cooldown) {
                Demand::Denied => return None,
                Demand::Share(load) => load,
                Demand::Force(load) => {
                    assert!(load > begun_before, "a forced load begins after it was asked for");
                    self.nudge.notify();
                    load
                }
            };
            while loads.over < promised {
                loads = self.over.wait(loads).unwrap();
            }
            Some(promised)
        }

        /// The refresher, for as many forced loads.
        fn refresh(&self, loads: usize) {
            for _ in 0..loads {
                while !self.loads.lock().unwrap().is_wanted() {
                    self.nudge.wait();
                }
                self.loads.lock().unwrap().begin();
                self.loads.lock().unwrap().end(false);
                self.over.notify_all();
            }
        }
    }

    #[test]
    fn a_load_that_began_before_the_request_is_shared_only_in_its_own_window() {
        let (now, cooldown) = (Instant::now(), Duration::from_secs(1));
        let mut loads = Loads::default();
        assert_eq!(loads.demand(now, cooldown), Demand::Force(1));
        assert_eq!(loads.demand(now, cooldown), Demand::Share(1));
        loads.begin();
        assert_eq!(loads.demand(now, cooldown), Demand::Share(1));
        // The load may have been answered before the key of this request was published.
        assert_eq!(loads.demand(now + cooldown, cooldown), Demand::Force(2));
        assert_eq!(loads.demand(now + cooldown, cooldown), Demand::Share(2));
        loads.end(true);
        loads.begin();
        assert_eq!(loads.demand(now + cooldown, cooldown), Demand::Share(2));
    }

    #[test]
    fn on_all_schedules_of_threads_no_wake_up_is_lost_and_one_load_is_shared() {
        let now = Instant::now();
        loom::model(move || {
            let (model, refresher) = Model::with_refresher();
            let other = {
                let model = Arc::clone(&model);
                thread::spawn(move || model.request(Duration::from_secs(30), now))
            };
            let mine = model.request(Duration::from_secs(30), now);
            let theirs = other.join().unwrap();
            refresher.join().unwrap();
            // Who asks after the load is over has missed the window; who asks before shares it.
            assert!(mine == Some(1) || theirs == Some(1));
            assert!(mine.is_none_or(|load| load == 1) && theirs.is_none_or(|load| load == 1));
            assert_eq!(model.loads.lock().unwrap().begun(), 1);
        });
    }

    #[test]
    fn on_all_schedules_of_threads_two_windows_are_two_loads_at_most() {
        let now = Instant::now();
        loom::model(move || {
            let (model, refresher) = Model::with_refresher();
            assert_eq!(model.request(Duration::ZERO, now), Some(1));
            refresher.join().unwrap();
            let mut loads = model.loads.lock().unwrap();
            assert_eq!(loads.demand(now, Duration::from_secs(1)), Demand::Denied);
            let later = now + Duration::from_secs(1);
            assert_eq!(loads.demand(later, Duration::from_secs(1)), Demand::Force(2));
            assert_eq!(loads.demand(later, Duration::ZERO), Demand::Share(2));
        });
    }
}
