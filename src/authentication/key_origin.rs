//! The origin of an issuer's keys.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::BuildError;
use crate::jose::JwkSet;
use crate::keys::{FileKeySource, KeyRing, KeySettings, KeySource, Provider};

#[derive(Debug)]
pub(crate) enum KeyOrigin {
    #[cfg(feature = "client")]
    Http {
        discovery: Option<String>,
        jwks_uri: Option<String>,
    },
    File(PathBuf),
    Fixed(JwkSet),
    Source(Arc<dyn KeySource>),
    /// Keys that are not loaded.
    Nowhere,
    /// Keys that several issuers share.
    Shared(Arc<SharedKeys>),
}

/// Keys of several issuers, loaded once: by the issuer that starts first.
#[derive(Debug)]
pub(crate) struct SharedKeys {
    /// The name of the keys in logs and health.
    name: Arc<str>,
    /// The values that `issuer` of their discovery document may have.
    documented: Vec<Arc<str>>,
    origin: Mutex<SharedOrigin>,
}

#[derive(Debug)]
enum SharedOrigin {
    Waiting(Box<KeyOrigin>),
    Started(Keys),
    Failed(BuildError),
}

/// Keys in use.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) ring: Arc<KeyRing>,
    /// The metadata of the provider, where it is discovered.
    pub(crate) provider: Arc<Provider>,
}

impl KeyOrigin {
    /// Begins to load keys. `documented` are the values that `issuer` of a discovery document may
    /// have.
    pub(crate) fn start(
        self,
        name: Arc<str>,
        documented: &[Arc<str>],
        settings: KeySettings,
    ) -> Result<Keys, BuildError> {
        let unknown = Arc::new(Provider::unknown());
        let (ring, provider) = match self {
            #[cfg(feature = "client")]
            Self::Http { discovery, jwks_uri } => {
                let source = crate::keys::OpenIdKeySource::new(
                    documented,
                    discovery.as_deref(),
                    jwks_uri.as_deref(),
                    &settings,
                )?;
                let provider = source.provider();
                (KeyRing::refreshed(name, Arc::new(source), settings, None)?, provider)
            }
            Self::File(path) => {
                let (source, first) = FileKeySource::open(path, settings.policy)?;
                (KeyRing::refreshed(name, Arc::new(source), settings, Some(first))?, unknown)
            }
            Self::Fixed(set) => (KeyRing::fixed(name, set)?, unknown),
            Self::Source(source) => (KeyRing::refreshed(name, source, settings, None)?, unknown),
            Self::Nowhere => (KeyRing::idle(name), unknown),
            Self::Shared(shared) => return shared.start(settings),
        };
        #[cfg(not(feature = "client"))]
        let _ = documented;
        Ok(Keys { ring: Arc::new(ring), provider })
    }
}

impl SharedKeys {
    pub(crate) fn new(
        name: impl Into<Arc<str>>,
        documented: Vec<Arc<str>>,
        origin: KeyOrigin,
    ) -> Arc<Self> {
        let origin = Mutex::new(SharedOrigin::Waiting(Box::new(origin)));
        Arc::new(Self { name: name.into(), documented, origin })
    }

    fn start(&self, settings: KeySettings) -> Result<Keys, BuildError> {
        let mut origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        let unfinished = SharedOrigin::Failed(BuildError::NoRuntime);
        let (state, result) = match std::mem::replace(&mut *origin, unfinished) {
            SharedOrigin::Waiting(first) => {
                match first.start(Arc::clone(&self.name), &self.documented, settings) {
                    Ok(keys) => (SharedOrigin::Started(keys.clone()), Ok(keys)),
                    Err(error) => (SharedOrigin::Failed(error.clone()), Err(error)),
                }
            }
            SharedOrigin::Started(keys) => (SharedOrigin::Started(keys.clone()), Ok(keys)),
            SharedOrigin::Failed(error) => (SharedOrigin::Failed(error.clone()), Err(error)),
        };
        *origin = state;
        result
    }
}
