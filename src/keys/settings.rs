//! How keys are fetched and how long they serve.

use std::time::Duration;

use crate::error::BuildError;

/// How the keys of an issuer are fetched, and how long they serve.
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::KeySettings;
///
/// let settings = KeySettings::default()
///     .refresh(Duration::from_secs(600))
///     .max_stale(Duration::from_secs(6 * 3600));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct KeySettings {
    pub(crate) refresh: Duration,
    pub(crate) cooldown: Duration,
    pub(crate) max_stale: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: usize,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(3600),
            cooldown: Duration::from_secs(30),
            max_stale: Duration::from_secs(24 * 3600),
            timeout: Duration::from_secs(5),
            max_bytes: 262_144,
        }
    }
}

impl KeySettings {
    /// How often keys are loaded in the background, less up to a tenth at random. A `max-age` of
    /// the provider replaces it, within 1 min and 24 h. Default: 1 h. At least 1 s.
    pub fn refresh(mut self, every: Duration) -> Self {
        self.refresh = every;
        self
    }

    /// In this window at most one load is forced by tokens with unknown keys. The window begins
    /// when the load is asked for, whatever becomes of it. Default: 30 s.
    pub fn cooldown(mut self, window: Duration) -> Self {
        self.cooldown = window;
        self
    }

    /// How long the last good keys serve while the provider is out of reach. Default: 24 h.
    pub fn max_stale(mut self, age: Duration) -> Self {
        self.max_stale = age;
        self
    }

    /// The time for one whole load, discovery and key set together; no request waits longer.
    /// Default: 5 s.
    pub fn timeout(mut self, bound: Duration) -> Self {
        self.timeout = bound;
        self
    }

    /// The largest key set or discovery document, in bytes. Default: 262,144.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    pub(crate) fn check(&self) -> Result<(), BuildError> {
        let wrong = |setting, expected| Err(BuildError::Setting { setting, expected });
        if self.refresh < Duration::from_secs(1) {
            return wrong("refresh", "1s or more");
        }
        if self.max_stale.is_zero() {
            return wrong("max_stale", "more than 0s");
        }
        if self.timeout.is_zero() || self.timeout > Duration::from_secs(60) {
            return wrong("timeout", "more than 0s, at most 60s");
        }
        if self.max_bytes < 1024 {
            return wrong("max_bytes", "1024 or more");
        }
        Ok(())
    }
}
