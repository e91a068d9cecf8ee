//! The settings of the layer that confines.

use std::time::Duration;

use crate::seal::SealKey;

/// The settings of a [`ConfineLayer`](super::ConfineLayer).
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::confine::ConfineSettings;
///
/// let settings = ConfineSettings::default()
///     .upstream_base("http://127.0.0.1:8081/fhir")
///     .max_body(4 * 1024 * 1024)
///     .page_lifetime(Duration::from_secs(600));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ConfineSettings {
    pub(super) max_body: usize,
    pub(super) page_lifetime: Duration,
    pub(super) keys: Vec<SealKey>,
    pub(super) upstream: Option<String>,
    pub(super) versions_checked: bool,
}

impl Default for ConfineSettings {
    /// Answers of up to 16 MiB, pages that serve for an hour, a key that is made at start.
    fn default() -> Self {
        let (max_body, page_lifetime) = (16 * 1024 * 1024, Duration::from_secs(60 * 60));
        Self { max_body, page_lifetime, keys: Vec::new(), upstream: None, versions_checked: false }
    }
}

impl ConfineSettings {
    /// The most bytes of one answer that has to be judged, as it comes and as it is written, beyond which it is 502,
    /// and of one body that a client writes, beyond which it is 413. Default: 16 MiB.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// The time for which a page link serves. Default: one hour.
    pub fn page_lifetime(mut self, lifetime: Duration) -> Self {
        self.page_lifetime = lifetime;
        self
    }

    /// The keys that seal page links: the first one seals, and all of them open. Default: a random one, with
    /// which links serve in this process alone.
    pub fn seal_keys(mut self, keys: impl IntoIterator<Item = SealKey>) -> Self {
        self.keys = keys.into_iter().collect();
        self
    }

    /// Trusts the upstream server to change a resource only in the version that `If-Match` names, whatever its
    /// CapabilityStatement says: the operator has checked it. Default: updates, patches and deletions by tokens that
    /// are confined go only to types of which it says `versioned-update`.
    pub fn versions_checked(mut self) -> Self {
        self.versions_checked = true;
        self
    }

    /// The FHIR base of the upstream server, as it writes it into page links. Those to any other address are dropped.
    /// Default: the base URL of the layer.
    pub fn upstream_base(mut self, url: impl Into<String>) -> Self {
        self.upstream = Some(url.into());
        self
    }
}
