//! The rules of forced loads on every schedule of threads that loom finds.

use std::time::Duration;

use loom::sync::{Arc, Condvar, Mutex, Notify};
use loom::thread;
use tokio::time::Instant;

use crate::refresh_gate::{Refresh, RefreshGate};

/// Requests and the refresher of `src/keys/issuer_keys.rs` on threads: the same rules behind a lock, the
/// wake-up, and waiting for the end of a load.
struct Model {
    state: Mutex<State>,
    wake: Notify,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    gate: RefreshGate,
    /// The number of the last load that has ended.
    over: u64,
}

impl Model {
    fn new() -> Arc<Self> {
        let state = Mutex::new(State::default());
        Arc::new(Self { state, wake: Notify::new(), ended: Condvar::new() })
    }

    /// With a refresher for one load, on a thread of its own.
    fn with_refresher() -> (Arc<Self>, thread::JoinHandle<()>) {
        let model = Self::new();
        let refresher = Arc::clone(&model);
        (model, thread::spawn(move || refresher.refresh()))
    }

    /// One request: asks, and waits for the load it was promised. Returns its number.
    fn request(&self, cooldown: Duration, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap();
        let begun_before = state.gate.begun();
        let promised = match state.gate.request_refresh(now, cooldown) {
            Refresh::Denied => return None,
            Refresh::Join(load) => load,
            Refresh::Start(load) => {
                assert!(load > begun_before, "a forced load begins after it was asked for");
                self.wake.notify();
                load
            }
        };
        while state.over < promised {
            state = self.ended.wait(state).unwrap();
        }
        Some(promised)
    }

    /// The refresher, for one forced load.
    fn refresh(&self) {
        while !self.state.lock().unwrap().gate.is_wanted() {
            self.wake.wait();
        }
        self.state.lock().unwrap().gate.begin();
        let mut state = self.state.lock().unwrap();
        state.over = state.gate.end(false);
        drop(state);
        self.ended.notify_all();
    }
}

#[test]
fn no_wake_up_is_lost_and_one_load_is_shared() {
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
        assert_eq!(model.state.lock().unwrap().gate.begun(), 1);
    });
}

#[test]
fn two_windows_are_two_loads_at_most() {
    let now = Instant::now();
    loom::model(move || {
        let (model, refresher) = Model::with_refresher();
        assert_eq!(model.request(Duration::ZERO, now), Some(1));
        refresher.join().unwrap();
        let gate = &mut model.state.lock().unwrap().gate;
        assert_eq!(gate.request_refresh(now, Duration::from_secs(1)), Refresh::Denied);
        let later = now + Duration::from_secs(1);
        assert_eq!(gate.request_refresh(later, Duration::from_secs(1)), Refresh::Start(2));
        assert_eq!(gate.request_refresh(later, Duration::ZERO), Refresh::Join(2));
    });
}
