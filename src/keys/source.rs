//! The sources of keys.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use super::error::KeyError;
use crate::jose::JwkSet;

/// A source of keys: an OpenID provider, a file, or one of your own.
///
/// Loads are made by the refresher alone: one at a time, with a time-out, never on behalf of a
/// request. A load may be dropped at any `await`.
///
/// ```
/// use tower_fhir_auth::jose::JwkSet;
/// use tower_fhir_auth::keys::{KeyError, KeySource, KeyTag, LoadFuture, LoadedKeys};
///
/// /// Keys from an environment variable.
/// #[derive(Debug)]
/// struct FromEnvironment(&'static str);
///
/// impl KeySource for FromEnvironment {
///     fn load(&self, _: Option<KeyTag>) -> LoadFuture<'_> {
///         Box::pin(async {
///             let json = std::env::var(self.0).map_err(KeyError::other)?;
///             Ok(LoadedKeys::new(JwkSet::parse(json.as_bytes())?))
///         })
///     }
/// }
/// ```
pub trait KeySource: fmt::Debug + Send + Sync + 'static {
    /// Loads the present keys. `installed` is the tag of the keys in use, where the source has
    /// given them one: if they are still the present ones, the answer may be
    /// [`LoadedKeys::unchanged`].
    fn load(&self, installed: Option<KeyTag>) -> LoadFuture<'_>;

    /// Returns the interval at which to poll, 100 ms or more, for a source where a load costs
    /// nothing, such as a file. Its last good keys never become too old. Default: `None`, the
    /// schedule of [`KeySettings`].
    ///
    /// [`KeySettings`]: crate::keys::KeySettings
    fn poll_every(&self) -> Option<Duration> {
        None
    }
}

/// The future of a [`KeySource`].
pub type LoadFuture<'a> = Pin<Box<dyn Future<Output = Result<LoadedKeys, KeyError>> + Send + 'a>>;

/// The result of one load of a [`KeySource`].
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::jose::JwkSet;
/// use tower_fhir_auth::keys::{KeyTag, LoadedKeys};
///
/// # let keys = JwkSet::parse(br#"{"keys": []}"#)?;
/// let loaded = LoadedKeys::new(keys)
///     .tag(KeyTag::new(*b"version 7"))
///     .max_age(Duration::from_secs(600));
/// # Ok::<(), tower_fhir_auth::jose::JwkSetError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LoadedKeys {
    /// `None` when they are those of the previous load.
    pub(crate) set: Option<JwkSet>,
    pub(crate) max_age: Option<Duration>,
    pub(crate) tag: Option<KeyTag>,
}

/// A tag by which a source recognises its keys: an `ETag`, a hash, the content itself.
///
/// ```
/// use tower_fhir_auth::keys::KeyTag;
///
/// let tag = KeyTag::new(*b"\"33a64df5\"");
/// assert_eq!(tag.as_bytes(), b"\"33a64df5\"");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTag(Arc<[u8]>);

impl KeyTag {
    /// Makes a tag of any bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes of the tag.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl LoadedKeys {
    /// Holds keys to use from now on, in place of all earlier ones.
    #[must_use]
    pub fn new(set: JwkSet) -> Self {
        Self { set: Some(set), max_age: None, tag: None }
    }

    /// Confirms the keys in use, which are still the present ones. Valid only in reply to the tag
    /// of these very keys: without one it is a failed load.
    ///
    /// ```
    /// use tower_fhir_auth::jose::JwkSet;
    /// use tower_fhir_auth::keys::{KeyTag, LoadedKeys};
    ///
    /// fn loaded(known: Option<&KeyTag>, tag: KeyTag, set: JwkSet) -> LoadedKeys {
    ///     match known == Some(&tag) {
    ///         true => LoadedKeys::unchanged(),
    ///         false => LoadedKeys::new(set).tag(tag),
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn unchanged() -> Self {
        Self { set: None, max_age: None, tag: None }
    }

    /// Sets the tag of these keys, by which the source recognises them once they are in use.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Option<KeyTag>>) -> Self {
        self.tag = tag.into();
        self
    }

    /// Sets how long the source says that the keys stay fresh.
    #[must_use]
    pub fn max_age(mut self, max_age: impl Into<Option<Duration>>) -> Self {
        self.max_age = max_age.into();
        self
    }
}
