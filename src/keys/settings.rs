//! The settings for fetching and keeping keys.

#[cfg(feature = "client")]
use std::path::PathBuf;
use std::time::Duration;

use crate::error::BuildError;
use crate::jose::KeyPolicy;
use crate::secure_url::PlainHttp;
#[cfg(feature = "client")]
use crate::watched_file;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Settings for fetching the keys of an issuer and for keeping them.
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::keys::KeySettings;
///
/// let settings = KeySettings::default()
///     .refresh(Duration::from_secs(600))
///     .max_stale(Duration::from_secs(6 * 3600))
///     .cooldown(Duration::from_secs(60)) // between loads that requests ask for
///     .timeout(Duration::from_secs(3))
///     .max_bytes(64 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct KeySettings {
    pub(crate) refresh: Duration,
    pub(crate) cooldown: Duration,
    pub(crate) max_stale: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_bytes: usize,
    pub(crate) environment_proxy: bool,
    /// Files of certificate authorities that are trusted beside those of the system.
    #[cfg(feature = "client")]
    pub(crate) ca_files: Vec<PathBuf>,
    pub(crate) policy: KeyPolicy,
    /// The origins of plain http that keys may come from, see [`danger`](crate::danger).
    pub(crate) plain_http: PlainHttp,
}

impl Default for KeySettings {
    fn default() -> Self {
        Self {
            refresh: Duration::from_secs(3600),
            cooldown: Duration::from_secs(30),
            max_stale: DAY,
            timeout: Duration::from_secs(5),
            max_bytes: 262_144,
            environment_proxy: false,
            #[cfg(feature = "client")]
            ca_files: Vec::new(),
            policy: KeyPolicy::default(),
            plain_http: PlainHttp::default(),
        }
    }
}

impl KeySettings {
    /// Reads the files of certificate authorities as they are now.
    pub(crate) fn authorities(&self) -> Vec<Option<Vec<u8>>> {
        #[cfg(feature = "client")]
        // Only compared with those of before: a file that cannot be read is an error of `HttpsClient::new`.
        let authorities = self.ca_files.iter().map(|path| watched_file::read(path).ok());
        #[cfg(not(feature = "client"))]
        let authorities = std::iter::empty();
        authorities.collect()
    }

    /// Sets how often keys are loaded in the background, less up to a tenth at random. A `max-age`
    /// of the provider replaces it, within 1 min and 24 h, and neither exceeds three quarters of
    /// [`max_stale`](Self::max_stale). Default: 1 h. From 1 s to 30 days. A JWKS file is read every
    /// 2 s instead.
    pub fn refresh(mut self, every: Duration) -> Self {
        self.refresh = every;
        self
    }

    /// Sets the window in which tokens with unknown keys force at most one load. The window begins
    /// when the load is asked for, whatever its outcome. Default: 30 s.
    pub fn cooldown(mut self, window: Duration) -> Self {
        self.cooldown = window;
        self
    }

    /// Sets how long the last good keys stay in use while the provider is out of reach. Default: 24
    /// h. Up to 365 days. Keys from a file never expire.
    pub fn max_stale(mut self, age: Duration) -> Self {
        self.max_stale = age;
        self
    }

    /// Sets the time for one whole load, discovery and key set together; no request waits longer.
    /// Default: 5 s.
    pub fn timeout(mut self, bound: Duration) -> Self {
        self.timeout = bound;
        self
    }

    /// Sets the largest size of a key set or discovery document, in bytes. Default: 262,144.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Fetches through the proxy that `HTTPS_PROXY` and its siblings name. The proxy then dials, so
    /// it decides which addresses it rejects; a `jwks_uri` that is internal by number, or dialled
    /// without the proxy, is rejected whatever the provider. Default: no proxy, whatever the
    /// environment says.
    ///
    /// ```
    /// use tower_fhir_auth::TrustedIssuer;
    /// use tower_fhir_auth::keys::KeySettings;
    ///
    /// // Keys are fetched by way of `HTTPS_PROXY`.
    /// let issuer = TrustedIssuer::discover("https://idp.example.org")
    ///     .key_settings(KeySettings::default().proxy_from_environment(true));
    /// ```
    pub fn proxy_from_environment(mut self, enabled: bool) -> Self {
        self.environment_proxy = enabled;
        self
    }

    /// Trusts the certificate authorities of a file, beside those of the system, for keys over HTTPS.
    /// It has one certificate or more in PEM, and is read once, when the layer is built: one that is
    /// missing or broken is [`BuildError::CertificateFile`]. Further calls add further files.
    ///
    /// Without it, `SSL_CERT_FILE` and `SSL_CERT_DIR` do the same on Unix other than Apple's, for the
    /// whole process and in place of the system's authorities.
    ///
    /// ```
    /// use tower_fhir_auth::TrustedIssuer;
    /// use tower_fhir_auth::keys::KeySettings;
    ///
    /// let issuer = TrustedIssuer::discover("https://idp.internal.example.org")
    ///     .key_settings(KeySettings::default().ca_file("/etc/ssl/internal-ca.pem"));
    /// ```
    #[cfg(feature = "client")]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_files.push(path.into());
        self
    }

    /// Returns the settings that are outside their ranges: name, and expected range.
    pub(crate) fn faults(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let second = Duration::from_secs(1);
        let ranges = [
            ("refresh", second <= self.refresh && self.refresh <= 30 * DAY, "1s to 30days"),
            ("cooldown", self.cooldown <= DAY, "at most 24h"),
            (
                "max_stale",
                !self.max_stale.is_zero() && self.max_stale <= 365 * DAY,
                "more than 0s, at most 365days",
            ),
            (
                "timeout",
                !self.timeout.is_zero() && self.timeout <= 60 * second,
                "more than 0s, at most 60s",
            ),
            ("max_bytes", self.max_bytes > 0, "1 or more"),
        ];
        ranges.into_iter().filter(|(_, good, _)| !good).map(|(name, _, range)| (name, range))
    }

    pub(crate) fn check(&self) -> Result<(), BuildError> {
        match self.faults().next() {
            Some((setting, expected)) => Err(BuildError::Setting { setting, expected }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_has_a_range_and_is_named_where_it_lies_outside() {
        let (tick, second) = (Duration::from_nanos(1), Duration::from_secs(1));
        let default = KeySettings::default;
        for (settings, named) in [
            (default(), None),
            (default().refresh(second), None),
            (default().refresh(second - tick), Some("refresh")),
            (default().refresh(30 * DAY), None),
            (default().refresh(30 * DAY + tick), Some("refresh")),
            (default().cooldown(Duration::ZERO), None),
            (default().cooldown(DAY), None),
            (default().cooldown(DAY + tick), Some("cooldown")),
            (default().max_stale(tick), None),
            (default().max_stale(Duration::ZERO), Some("max_stale")),
            (default().max_stale(365 * DAY), None),
            (default().max_stale(365 * DAY + tick), Some("max_stale")),
            (default().timeout(tick), None),
            (default().timeout(Duration::ZERO), Some("timeout")),
            (default().timeout(60 * second), None),
            (default().timeout(60 * second + tick), Some("timeout")),
            (default().max_bytes(1), None),
            (default().max_bytes(0), Some("max_bytes")),
        ] {
            let faults: Vec<&str> = settings.faults().map(|(name, _)| name).collect();
            assert_eq!(faults, Vec::from_iter(named), "{settings:?}");
        }
    }
}
