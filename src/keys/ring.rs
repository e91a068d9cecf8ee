//! The keys of one issuer as a request sees them: a snapshot, and the right to ask for more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::health::KeyHealth;
use super::refresher;
use super::settings::KeySettings;
use super::source::{KeyError, KeySource};
use super::store::{KeyStore, Snapshot};
use crate::error::BuildError;
use crate::jose::{JwkSet, LeftOut};
use crate::log;
use crate::time::{Clock, SystemClock, UnixTime};

/// The keys of one issuer. Dropping it ends their refresh.
#[derive(Debug)]
pub(crate) struct KeyRing {
    shared: Arc<Shared>,
    task: Option<AbortHandle>,
}

/// What the refresher and requests have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) issuer: Arc<str>,
    pub(crate) settings: KeySettings,
    pub(crate) poll_every: Option<Duration>,
    /// Wakes the refresher for a forced load.
    pub(crate) nudge: Notify,
    store: KeyStore,
    board: Mutex<Board>,
    /// The number of the last load that is over.
    over: watch::Sender<u64>,
}

/// What is going on, and what was last heard.
#[derive(Debug, Default)]
struct Board {
    /// How many loads were begun; the number of the one under way, if one is.
    begun: u64,
    loading: bool,
    /// The number of the load that was last forced.
    forced: u64,
    forced_at: Option<Instant>,
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
    /// Resolves when the load is over, however it went, or the bound is reached.
    pub(crate) async fn over(mut self) {
        let load = self.load;
        let over = self.over.wait_for(|over| *over >= load);
        let _ = tokio::time::timeout(self.bound, over).await;
    }
}

impl KeyRing {
    /// Keys that never change.
    pub(crate) fn fixed(issuer: Arc<str>, set: JwkSet) -> Result<Self, BuildError> {
        if set.is_empty() {
            let reason = format!("no usable key among {} entries", set.left_out().len());
            return Err(BuildError::Keys { issuer: issuer.to_string(), reason });
        }
        let shared = Shared::new(issuer, KeySettings::default(), None, Some(set), None);
        Ok(Self { shared: Arc::new(shared), task: None })
    }

    /// Keys that a background task loads and keeps fresh; `first` are there already.
    pub(crate) fn refreshed(
        issuer: Arc<str>,
        source: Arc<dyn KeySource>,
        settings: KeySettings,
        first: Option<JwkSet>,
    ) -> Result<Self, BuildError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let poll_every = source.poll_every();
        let max_stale = poll_every.is_none().then_some(settings.max_stale);
        let shared = Arc::new(Shared::new(issuer, settings, poll_every, first, max_stale));
        let task = runtime.spawn(refresher::run(Arc::clone(&shared), source));
        Ok(Self { shared, task: Some(task.abort_handle()) })
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// The keys as they are now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.shared.store.snapshot()
    }

    /// Asks for keys on behalf of a request whose key is unknown. `None` when it must do without.
    ///
    /// A load that was forced and is not over is shared; else one is forced where the cooldown
    /// allows; else one that is under way anyway is shared. The window is stamped here, before
    /// the attempt, so failures count like successes.
    pub(crate) fn demand(&self) -> Option<KeyWait> {
        self.task.as_ref()?;
        let mut board = self.shared.board();
        let over = *self.shared.over.borrow();
        if board.forced > over {
            return Some(self.shared.wait_for(board.forced));
        }
        let now = Instant::now();
        let cooldown = self.shared.settings.cooldown;
        if board.forced_at.is_none_or(|at| now.duration_since(at) >= cooldown) {
            board.forced_at = Some(now);
            // The load under way may have begun before the key was published.
            board.forced = board.begun + 1;
            self.shared.nudge.notify_one();
            log::debug!(issuer = &*self.shared.issuer, "unknown key: refresh forced");
            return Some(self.shared.wait_for(board.forced));
        }
        board.loading.then(|| self.shared.wait_for(board.begun))
    }

    /// The very first load, while it is not over.
    pub(crate) fn first_load(&self) -> Option<KeyWait> {
        self.task.as_ref()?;
        let first_is_over = *self.shared.over.borrow() > 0;
        (!first_is_over).then(|| self.shared.wait_for(1))
    }

    /// Resolves when there are keys.
    pub(crate) async fn ready(&self) {
        let mut over = self.shared.over.subscribe();
        while self.snapshot().last_good().is_none() {
            if over.changed().await.is_err() {
                return;
            }
        }
    }

    /// How long a client should wait before it tries again.
    pub(crate) fn retry_after(&self) -> Duration {
        let next_at = self.shared.board().next_at;
        let pause = next_at.map(|at| at.saturating_duration_since(Instant::now()));
        pause.unwrap_or_default().max(Duration::from_secs(1))
    }

    pub(crate) fn health(&self) -> KeyHealth {
        let snapshot = self.snapshot();
        let good = snapshot.last_good();
        let board = self.shared.board();
        KeyHealth {
            issuer: self.shared.issuer.to_string(),
            usable: snapshot.usable().is_some(),
            keys: good.map_or(0, |good| good.set.len()),
            age: good.map(|good| good.loaded_at.elapsed()),
            last_success: board.last_success,
            last_error: board.last_error.clone(),
            next_refresh: board.next_at.map(|at| at.saturating_duration_since(Instant::now())),
            loads: board.begun,
            left_out: good.map_or_else(Vec::new, |good| good.set.left_out().to_vec()),
        }
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    fn new(
        issuer: Arc<str>,
        settings: KeySettings,
        poll_every: Option<Duration>,
        first: Option<JwkSet>,
        max_stale: Option<Duration>,
    ) -> Self {
        let board =
            Board { last_success: first.as_ref().map(|_| SystemClock.now()), ..Board::default() };
        Self {
            issuer,
            settings,
            poll_every,
            nudge: Notify::new(),
            store: KeyStore::new(first, max_stale),
            board: Mutex::new(board),
            over: watch::Sender::new(0),
        }
    }

    /// The refresher begins a load.
    pub(crate) fn begin(&self) {
        let mut board = self.board();
        board.begun += 1;
        board.loading = true;
        board.next_at = None;
    }

    /// A load is over: its keys replace the old ones, or the old ones stay.
    pub(crate) fn end(&self, result: Result<Option<JwkSet>, KeyError>, pause: Duration) {
        let mut board = self.board();
        match result {
            Ok(set) => {
                match set {
                    Some(set) => {
                        self.report(set.left_out());
                        self.store.replace(set);
                    }
                    None => self.store.confirm(),
                }
                board.last_success = Some(SystemClock.now());
                board.last_error = None;
            }
            Err(error) => {
                let error = error.to_string();
                if board.last_error.as_ref() != Some(&error) {
                    log::warn!(issuer = &*self.issuer, error, "keys could not be loaded");
                }
                board.last_error = Some(error);
            }
        }
        board.loading = false;
        board.next_at = Some(Instant::now() + pause);
        self.over.send_replace(board.begun);
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

    fn wait_for(&self, load: u64) -> KeyWait {
        KeyWait { over: self.over.subscribe(), load, bound: self.settings.timeout }
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        // Nothing panics while it is held; if something did, the numbers in it are still whole.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
