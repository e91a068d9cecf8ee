//! The keys of one issuer as the authenticator holds them.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::health::KeyHealth;
use super::refresher;
use super::settings::KeySettings;
use super::shared::{KeyWait, Shared};
use super::source::KeySource;
use super::store::{KeySetNumber, Snapshot};
use crate::error::BuildError;
use crate::jose::JwkSet;
use crate::telemetry::log;

/// The shortest interval at which a source may ask to be polled.
const SHORTEST_POLL: Duration = Duration::from_millis(100);

/// The keys of one issuer, and the task that keeps them fresh, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct KeyRing {
    shared: Arc<Shared>,
    /// `None` where keys never change.
    refresher: Option<AbortHandle>,
}

impl KeyRing {
    /// Holds keys that never change.
    pub(crate) fn fixed(issuer: Arc<str>, set: JwkSet) -> Result<Self, BuildError> {
        if set.is_empty() {
            let reason = format!("no usable key among {} entries", set.left_out().len());
            return Err(BuildError::Keys { issuer: issuer.to_string(), reason });
        }
        let shared = Shared::new(issuer, KeySettings::default(), None, Some(set), None);
        Ok(Self { shared: Arc::new(shared), refresher: None })
    }

    /// Holds no keys, ever.
    pub(crate) fn idle(issuer: Arc<str>) -> Self {
        let shared = Shared::new(issuer, KeySettings::default(), None, None, None);
        Self { shared: Arc::new(shared), refresher: None }
    }

    /// Holds keys that a background task loads and keeps fresh; `first` are there already.
    pub(crate) fn refreshed(
        issuer: Arc<str>,
        source: Arc<dyn KeySource>,
        settings: KeySettings,
        first: Option<JwkSet>,
    ) -> Result<Self, BuildError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        if settings.cooldown < Duration::from_secs(1) {
            log::warn!(
                issuer = &*issuer,
                "with a cooldown below 1 s, tokens with unknown keys can force many loads"
            );
        }
        let poll_every = source.poll_every().map(|pause| pause.max(SHORTEST_POLL));
        // Polled local sources never go stale.
        let max_stale = poll_every.is_none().then_some(settings.max_stale);
        let shared = Arc::new(Shared::new(issuer, settings, poll_every, first, max_stale));
        let task = runtime.spawn(refresher::run(Arc::clone(&shared), source));
        Ok(Self { shared, refresher: Some(task.abort_handle()) })
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// Returns the keys as they are now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.shared.snapshot()
    }

    /// Returns the number of the key set in use, if it may be used.
    pub(crate) fn number_of_usable(&self) -> Option<KeySetNumber> {
        self.snapshot().usable().map(|keys| keys.number)
    }

    #[cfg(feature = "test-util")]
    pub(crate) fn replace(&self, set: JwkSet) {
        self.shared.replace(set);
    }

    /// Asks for keys on behalf of a request whose key is unknown, see [`Shared::demand`].
    pub(crate) fn demand(&self) -> Option<KeyWait> {
        self.refresher.as_ref()?;
        self.shared.demand()
    }

    /// Returns a wait for the very first load, until that has ended.
    pub(crate) fn first_load(&self) -> Option<KeyWait> {
        self.refresher.as_ref()?;
        self.shared.first_load()
    }

    /// Resolves when there are keys.
    pub(crate) async fn ready(&self) {
        self.shared.ready().await;
    }

    /// Returns the time that a client should wait before it tries again.
    pub(crate) fn retry_after(&self) -> Duration {
        self.shared.retry_after()
    }

    pub(crate) fn health(&self) -> KeyHealth {
        self.shared.health()
    }
}

impl Drop for KeyRing {
    fn drop(&mut self) {
        if let Some(task) = &self.refresher {
            task.abort();
        }
    }
}
