//! The state that the refresher and the requests of one issuer share: the keys, the load under way,
//! and the requests that wait for it. The refresher writes here; requests read and ask.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::health::KeyHealth;
use super::refresh_gate::{Refresh, RefreshGate};
use super::settings::KeySettings;
use super::source::KeyError;
use super::store::{KeyStore, Snapshot};
use crate::display_safe::sanitize;
use crate::jose::{JwkSet, LeftOut};
use crate::telemetry::log;
use crate::telemetry::meter;
use crate::time::{Clock, SystemClock, UnixTime};

/// The number of requests of one issuer that may wait for a load. One more is rejected at once.
const MAX_WAITING: usize = 1024;

/// State shared by the refresher and by requests.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) issuer: Arc<str>,
    pub(crate) settings: KeySettings,
    pub(crate) poll_every: Option<Duration>,
    /// Wakes the refresher for a forced load.
    nudge: Notify,
    store: KeyStore,
    status: Mutex<LoadStatus>,
    /// The number of the last load that has ended.
    over: watch::Sender<u64>,
}

/// The gate for loads, and the outcome of the last one.
#[derive(Debug, Default)]
struct LoadStatus {
    gate: RefreshGate,
    next_at: Option<Instant>,
    last_success: Option<UnixTime>,
    last_error: Option<String>,
}

/// The wait of one request for one load.
#[derive(Debug)]
pub(crate) struct KeyWait {
    over: watch::Receiver<u64>,
    load: u64,
    bound: Duration,
}

impl KeyWait {
    /// Resolves when the load has ended, successfully or not, or when the time bound is reached.
    pub(crate) async fn over(mut self) {
        let load = self.load;
        let over = self.over.wait_for(|over| *over >= load);
        let _ = tokio::time::timeout(self.bound, over).await;
    }
}

impl Shared {
    pub(crate) fn new(
        issuer: Arc<str>,
        settings: KeySettings,
        poll_every: Option<Duration>,
        first: Option<JwkSet>,
        max_stale: Option<Duration>,
    ) -> Self {
        let last_success = first.as_ref().map(|_| SystemClock.now());
        Self {
            issuer,
            settings,
            poll_every,
            nudge: Notify::new(),
            store: KeyStore::new(first, max_stale),
            status: Mutex::new(LoadStatus { last_success, ..LoadStatus::default() }),
            over: watch::Sender::new(0),
        }
    }

    /// Returns the keys as they are now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.store.snapshot()
    }

    #[cfg(feature = "test-util")]
    pub(crate) fn replace(&self, set: JwkSet) {
        self.store.replace(set);
    }

    /// Records that the refresher begins a load.
    pub(crate) fn begin(&self) {
        let mut status = self.status();
        status.gate.begin();
        status.next_at = None;
    }

    /// Resolves when a forced load is pending.
    pub(crate) async fn forced(&self) {
        // A wake-up may be left over from a load that was forced just as another one began.
        while !self.status().gate.is_wanted() {
            self.nudge.notified().await;
        }
    }

    /// Records that a load has ended: its keys replace the old ones, or the old ones stay.
    pub(crate) fn end(&self, result: Result<Option<JwkSet>, KeyError>, next_at: Instant) {
        meter::load(&self.issuer, result.is_ok());
        let result = result.map(|set| self.keep(set));
        let mut status = self.status();
        let over = status.gate.end(result.is_err());
        match result {
            Ok(()) => {
                if status.last_error.is_some() {
                    log::info!(issuer = &*self.issuer, "keys could be loaded again");
                }
                status.last_success = Some(SystemClock.now());
                status.last_error = None;
            }
            Err(error) => {
                let error = sanitize(&error.to_string());
                if status.last_error.as_ref() != Some(&error) {
                    log::warn!(issuer = &*self.issuer, error, "keys could not be loaded");
                }
                status.last_error = Some(error);
            }
        }
        status.next_at = Some(next_at);
        self.over.send_replace(over);
    }

    fn keep(&self, set: Option<JwkSet>) {
        match set {
            Some(set) => {
                let now = SystemClock.now();
                meter::keys(&self.issuer, set.len(), set.left_out().len(), now);
                self.report(set.left_out());
                self.store.replace(set);
            }
            None => self.store.confirm(),
        }
    }

    fn report(&self, left_out: &[LeftOut]) {
        for entry in left_out {
            log::warn!(
                issuer = &*self.issuer,
                index = entry.index,
                kid = entry.kid.as_deref().unwrap_or_default(),
                reason = %entry.reason,
                "key left out of the set"
            );
            let _ = entry;
        }
    }

    /// Asks for keys on behalf of a request whose key is unknown, see
    /// [`RefreshGate::request_refresh`]. Returns `None` when the request must do without.
    pub(crate) fn demand(&self) -> Option<KeyWait> {
        if self.over.receiver_count() >= MAX_WAITING {
            return None;
        }
        let refresh = self.status().gate.request_refresh(Instant::now(), self.settings.cooldown);
        match refresh {
            Refresh::Join(load) => Some(self.wait_for(load)),
            Refresh::Start(load) => {
                self.nudge.notify_one();
                log::debug!(issuer = &*self.issuer, "unknown key: load forced");
                Some(self.wait_for(load))
            }
            Refresh::Denied => None,
        }
    }

    /// Returns a wait for the very first load, until that has ended.
    pub(crate) fn first_load(&self) -> Option<KeyWait> {
        let first_is_over = *self.over.borrow() > 0;
        let crowded = self.over.receiver_count() >= MAX_WAITING;
        (!first_is_over && !crowded).then(|| self.wait_for(1))
    }

    /// Resolves when there are keys.
    pub(crate) async fn ready(&self) {
        let mut over = self.over.subscribe();
        while self.snapshot().last_good().is_none() {
            if over.changed().await.is_err() {
                return;
            }
        }
    }

    /// Returns the time that a client should wait before it tries again.
    pub(crate) fn retry_after(&self) -> Duration {
        let next_at = self.status().next_at;
        let pause = next_at.map(|at| at.saturating_duration_since(Instant::now()));
        // `Retry-After: 0` would invite every client back at once.
        pause.unwrap_or_default().max(Duration::from_secs(1))
    }

    pub(crate) fn health(&self) -> KeyHealth {
        let snapshot = self.snapshot();
        let good = snapshot.last_good();
        let status = self.status();
        KeyHealth {
            issuer: self.issuer.to_string(),
            usable: snapshot.usable().is_some(),
            keys: good.map_or(0, |good| good.set.len()),
            age: good.map(|good| good.loaded_at.elapsed()),
            last_success: status.last_success,
            last_error: status.last_error.clone(),
            next_refresh: status.next_at.map(|at| at.saturating_duration_since(Instant::now())),
            loads: status.gate.begun(),
            left_out: good.map_or_else(Vec::new, |good| good.set.left_out().to_vec()),
        }
    }

    fn wait_for(&self, load: u64) -> KeyWait {
        KeyWait { over: self.over.subscribe(), load, bound: self.settings.timeout }
    }

    fn status(&self) -> MutexGuard<'_, LoadStatus> {
        // Nothing panics while the lock is held; if something did, its numbers would still be
        // consistent.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
