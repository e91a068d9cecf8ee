//! The keys of one issuer: what requests read, ask for and wait for, and what the refresher writes.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::error::KeyError;
use super::health::KeyHealth;
use super::refresh_gate::{Refresh, RefreshGate};
use super::settings::KeySettings;
use super::snapshot::{GoodKeys, KeySetId, KeySnapshot};
use crate::background_task::BackgroundTask;
use crate::display_safe::sanitize;
use crate::hot_swap::HotSwap;
use crate::jose::{JwkSet, LeftOut};
use crate::telemetry::{log, meter};
use crate::time::{Clock, UnixTime};

/// The number of requests of one issuer that may wait for a load. One more is rejected at once.
const MAX_WAITING: usize = 1024;

/// A handle to the keys of one issuer. Clones share them; their refresh ends with the last clone.
#[derive(Clone)]
pub(crate) struct IssuerKeys {
    shared: Arc<Shared>,
    /// The task that loads the keys; `None` where they never change.
    refresher: Option<Arc<BackgroundTask>>,
}

/// A handle that does not keep the refresh of the keys going.
pub(super) struct WeakIssuerKeys {
    shared: Weak<Shared>,
    refresher: Weak<BackgroundTask>,
}

impl WeakIssuerKeys {
    /// Returns the keys, unless nobody has used them any more, or the runtime that kept them fresh has
    /// ended.
    pub(super) fn upgrade(&self) -> Option<IssuerKeys> {
        let refresher = self.refresher.upgrade().filter(|refresher| !refresher.has_ended())?;
        Some(IssuerKeys { shared: self.shared.upgrade()?, refresher: Some(refresher) })
    }
}

/// State shared by requests, through [`IssuerKeys`], and by the refresher.
pub(super) struct Shared {
    issuer: Arc<str>,
    keys: HotSwap<GoodKeys>,
    /// The age at which keys must not be used any more; `None` where they do not age.
    max_stale: Option<Duration>,
    /// The number of different sets there have been.
    sets: AtomicU64,
    pub(super) settings: KeySettings,
    status: Mutex<LoadStatus>,
    /// Wakes the refresher for a forced load.
    nudge: Notify,
    /// The number of the last load that has ended.
    ended: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
}

/// The gate for loads, and the outcome of the last one.
#[derive(Default)]
struct LoadStatus {
    gate: RefreshGate,
    next_at: Option<Instant>,
    last_success: Option<UnixTime>,
    last_error: Option<KeyError>,
}

/// The wait of one request for one load.
#[derive(Debug)]
pub(crate) struct KeyWait {
    ended: watch::Receiver<u64>,
    load: u64,
    bound: Duration,
}

impl KeyWait {
    /// Resolves when the load has ended, successfully or not, or when the time bound is reached.
    pub(crate) async fn finished(mut self) {
        let load = self.load;
        // Not `==`: a `watch` keeps only the last number, and a later load may have ended by now.
        let ended = self.ended.wait_for(|ended| *ended >= load);
        let _ = tokio::time::timeout(self.bound, ended).await;
    }
}

/// For requests.
impl IssuerKeys {
    /// Holds keys that are never loaded again; none at all without `set`.
    pub(super) fn fixed(issuer: Arc<str>, set: Option<Arc<JwkSet>>, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared::new(issuer, KeySettings::default(), None, set, clock);
        Self { shared: Arc::new(shared), refresher: None }
    }

    /// Holds keys that a task loads into `shared`.
    pub(super) fn refreshed(shared: Arc<Shared>, refresher: BackgroundTask) -> Self {
        Self { shared, refresher: Some(Arc::new(refresher)) }
    }

    /// Returns a handle that does not keep the refresh going; `None` where there is none.
    pub(super) fn downgrade(&self) -> Option<WeakIssuerKeys> {
        let refresher = self.refresher.as_ref().map(Arc::downgrade)?;
        Some(WeakIssuerKeys { shared: Arc::downgrade(&self.shared), refresher })
    }

    /// Returns `before` if both handles hold the same fixed keys, else this one.
    pub(crate) fn or_those_of(self, before: &Self) -> Self {
        let are_fixed = self.refresher.is_none() && before.refresher.is_none();
        let (snapshot, known) = (self.snapshot(), before.snapshot());
        let are_same = match (snapshot.last_good(), known.last_good()) {
            (Some(keys), Some(known)) => {
                keys.set.has_the_keys_of(&known.set) && keys.set.left_out() == known.set.left_out()
            }
            (None, _) | (_, None) => false,
        };
        let is_same_clock = Arc::ptr_eq(&self.shared.clock, &before.shared.clock);
        if are_fixed && are_same && is_same_clock { before.clone() } else { self }
    }

    /// Reports whether another handle is one to the same keys.
    #[cfg(feature = "client")]
    pub(crate) fn are_those_of(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// Returns the keys as they are now.
    pub(crate) fn snapshot(&self) -> KeySnapshot {
        let Shared { keys, max_stale, .. } = &*self.shared;
        KeySnapshot { keys: keys.snapshot(), max_stale: *max_stale }
    }

    /// Returns the number of the key set in use, if it may be used.
    pub(crate) fn usable_set_id(&self) -> Option<KeySetId> {
        self.snapshot().usable().map(|keys| keys.set_id)
    }

    /// Asks for a load on behalf of a request whose key is unknown, see
    /// [`RefreshGate::request_refresh`]. Returns `None` when the request must do without.
    pub(crate) fn request_refresh(&self) -> Option<KeyWait> {
        let shared = &self.shared;
        if self.refresher.is_none() || shared.is_crowded() {
            return None;
        }
        let cooldown = shared.settings.cooldown;
        let refresh = shared.status().gate.request_refresh(Instant::now(), cooldown);
        match refresh {
            Refresh::Join(load) => Some(shared.wait_for(load)),
            Refresh::Start(load) => {
                shared.nudge.notify_one();
                log::debug!(issuer = &*shared.issuer, "unknown key: load forced");
                Some(shared.wait_for(load))
            }
            Refresh::Denied => None,
        }
    }

    /// Returns a wait for the very first load, until that has ended.
    pub(crate) fn wait_for_first_load(&self) -> Option<KeyWait> {
        self.refresher.as_ref()?;
        let has_ended = *self.shared.ended.borrow() > 0;
        (!has_ended && !self.shared.is_crowded()).then(|| self.shared.wait_for(1))
    }

    /// Resolves when there are keys.
    pub(crate) async fn ready(&self) {
        let mut ended = self.shared.ended.subscribe();
        while self.snapshot().last_good().is_none() {
            if ended.changed().await.is_err() {
                return;
            }
        }
    }

    /// Returns the time that a client should wait before it tries again.
    pub(crate) fn retry_after(&self) -> Duration {
        let next_at = self.shared.status().next_at;
        let pause = next_at.map(|at| at.saturating_duration_since(Instant::now()));
        // `Retry-After: 0` would invite every client back at once.
        pause.unwrap_or_default().max(Duration::from_secs(1))
    }

    pub(crate) fn health(&self) -> KeyHealth {
        let snapshot = self.snapshot();
        let good = snapshot.last_good();
        let status = self.shared.status();
        KeyHealth {
            issuer: self.shared.issuer.to_string(),
            usable: snapshot.usable().is_some(),
            keys: good.map_or(0, |good| good.set.len()),
            age: good.map(|good| good.loaded_at.elapsed()),
            last_success: status.last_success,
            last_error: status.last_error.clone(),
            next_refresh: status.next_at.map(|at| at.saturating_duration_since(Instant::now())),
            loads: status.gate.begun(),
            left_out: good.map_or_else(Vec::new, |good| good.set.left_out().to_vec()),
            introspection: None,
        }
    }

    /// Puts other keys into use as if they had just been loaded.
    #[cfg(feature = "test-util")]
    pub(crate) fn replace(&self, set: JwkSet) {
        self.shared.replace(set);
    }
}

/// For the refresher.
impl Shared {
    pub(super) fn new(
        issuer: Arc<str>,
        settings: KeySettings,
        max_stale: Option<Duration>,
        first: Option<Arc<JwkSet>>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let last_success = first.as_ref().map(|_| clock.now());
        let first = first.map(|set| GoodKeys::loaded_now(set, KeySetId(0)));
        Self {
            issuer,
            keys: HotSwap::new(first),
            max_stale,
            sets: AtomicU64::new(0),
            settings,
            status: Mutex::new(LoadStatus { last_success, ..LoadStatus::default() }),
            nudge: Notify::new(),
            ended: watch::Sender::new(0),
            clock,
        }
    }

    /// Resolves when a forced load is pending.
    pub(super) async fn forced(&self) {
        // A wake-up may be left over from a load that was forced just as another one began.
        while !self.status().gate.is_wanted() {
            self.nudge.notified().await;
        }
    }

    /// Records that a load begins.
    pub(super) fn begin(&self) {
        let mut status = self.status();
        status.gate.begin();
        status.next_at = None;
    }

    /// Records that a load has ended: its keys replace the old ones, or the old ones stay.
    pub(super) fn end(&self, result: Result<Option<JwkSet>, KeyError>, next_at: Instant) {
        meter::load(&self.issuer, result.is_ok());
        let now = self.clock.now();
        let result = result.map(|set| match set {
            Some(set) => self.install(set),
            None => self.confirm(),
        });
        if result.is_ok() {
            meter::keys_loaded(&self.issuer, now);
        }
        let mut status = self.status();
        let ended = status.gate.end(result.is_err());
        match result {
            Ok(()) => {
                if status.last_error.is_some() {
                    log::info!(issuer = &*self.issuer, "keys could be loaded again");
                }
                status.last_success = Some(now);
                status.last_error = None;
            }
            Err(error) => {
                if status.last_error.as_ref() != Some(&error) {
                    let error = sanitize(&error.to_string());
                    log::warn!(issuer = &*self.issuer, error, "keys could not be loaded");
                    let _ = error;
                }
                status.last_error = Some(error);
            }
        }
        status.next_at = Some(next_at);
        // Last, when the keys are in place. `send` would lose the number while nobody waits.
        self.ended.send_replace(ended);
    }

    fn install(&self, set: JwkSet) {
        meter::keys(&self.issuer, set.len(), set.left_out().len());
        // Whoever sends unknown ids forces loads: what is known is not told again.
        let present = self.keys.snapshot();
        if present.get().is_none_or(|good| good.set.left_out() != set.left_out()) {
            self.report(set.left_out());
        }
        self.replace(set);
    }

    /// Replaces all keys: one that a provider has withdrawn is gone. Mostly a provider sends the
    /// present keys again, and tokens verified under them stay verified.
    fn replace(&self, set: JwkSet) {
        let present = self.keys.snapshot();
        let same = present.get().filter(|good| good.set.has_the_keys_of(&set));
        let number = match same {
            Some(good) => good.set_id,
            // The number only has to be unique; it orders no other memory.
            None => KeySetId(self.sets.fetch_add(1, Ordering::Relaxed) + 1),
        };
        self.keys.replace(GoodKeys::loaded_now(Arc::new(set), number));
    }

    /// Records that the keys were confirmed to be the present ones.
    fn confirm(&self) {
        let present = self.keys.snapshot().get().map(|good| (Arc::clone(&good.set), good.set_id));
        if let Some((set, number)) = present {
            // Their age begins anew: keys that a provider never changes would become too old otherwise.
            self.keys.replace(GoodKeys::loaded_now(set, number));
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

    fn is_crowded(&self) -> bool {
        self.ended.receiver_count() >= MAX_WAITING
    }

    fn wait_for(&self, load: u64) -> KeyWait {
        KeyWait { ended: self.ended.subscribe(), load, bound: self.settings.timeout }
    }

    fn status(&self) -> MutexGuard<'_, LoadStatus> {
        // Nothing panics while the lock is held; if something did, its numbers would still be
        // consistent.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for IssuerKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuerKeys").field("issuer", &self.issuer()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SystemClock;
    use std::task::{Context, Waker};
    use tokio::runtime::Handle;

    const KEY: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn clock() -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    /// A key, and what else is in the set.
    fn set(further: &str) -> JwkSet {
        JwkSet::parse(format!("{{\"keys\":[{KEY}{further}]}}").as_bytes()).unwrap()
    }

    fn fixed(set: Option<JwkSet>, clock: &Arc<dyn Clock>) -> IssuerKeys {
        IssuerKeys::fixed("https://a".into(), set.map(Arc::new), Arc::clone(clock))
    }

    /// Keys that a task would load, and that are loaded by hand.
    fn refreshed(set: Option<JwkSet>, clock: &Arc<dyn Clock>) -> IssuerKeys {
        let (settings, first) = (KeySettings::default(), set.map(Arc::new));
        let shared = Shared::new("https://a".into(), settings, None, first, Arc::clone(clock));
        let idle = BackgroundTask::spawn(&Handle::current(), std::future::pending::<()>());
        IssuerKeys::refreshed(Arc::new(shared), idle)
    }

    fn load(keys: &IssuerKeys, result: Result<Option<JwkSet>, KeyError>) {
        keys.shared.begin();
        keys.shared.end(result, Instant::now());
    }

    #[tokio::test]
    async fn keys_of_before_are_kept_where_nothing_loads_them_and_nothing_of_them_differs() {
        let (own, other) = (clock(), clock());
        let one = || Some(set(""));
        let with_another = || Some(set(r#",{"kty":"oct","k":"eA"}"#));
        for (case, keys, before, is_kept) in [
            ("the same", fixed(one(), &own), fixed(one(), &own), true),
            ("loaded from now on", refreshed(one(), &own), fixed(one(), &own), false),
            ("loaded until now", fixed(one(), &own), refreshed(one(), &own), false),
            ("loaded in another way", refreshed(one(), &own), refreshed(one(), &own), false),
            ("another entry left out", fixed(with_another(), &own), fixed(one(), &own), false),
            ("by another clock", fixed(one(), &other), fixed(one(), &own), false),
            ("no keys", fixed(None, &own), fixed(None, &own), false),
        ] {
            let kept = keys.or_those_of(&before);
            assert_eq!(Arc::ptr_eq(&kept.shared, &before.shared), is_kept, "{case}");
        }
    }

    #[tokio::test]
    async fn the_first_load_is_waited_for_until_it_has_ended_and_by_no_more_than_may_wait() {
        assert!(fixed(None, &clock()).wait_for_first_load().is_none(), "nothing loads them");
        let keys = refreshed(None, &clock());
        let waits = (0..MAX_WAITING).map(|_| keys.wait_for_first_load().unwrap());
        let waits: Vec<KeyWait> = waits.collect();
        assert!(keys.wait_for_first_load().is_none() && keys.request_refresh().is_none());
        drop(waits);
        assert!(keys.wait_for_first_load().is_some());
        load(&keys, Err(KeyError::Timeout));
        assert!(keys.wait_for_first_load().is_none(), "it has ended");
    }

    #[tokio::test]
    async fn keys_are_not_ready_when_a_load_has_failed() {
        let keys = refreshed(None, &clock());
        let mut ready = std::pin::pin!(keys.ready());
        let mut context = Context::from_waker(Waker::noop());
        assert!(ready.as_mut().poll(&mut context).is_pending());
        load(&keys, Err(KeyError::Timeout));
        assert!(ready.as_mut().poll(&mut context).is_pending());
        load(&keys, Ok(Some(set(""))));
        assert!(ready.as_mut().poll(&mut context).is_ready());
    }
}
