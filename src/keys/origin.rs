//! The origin of an issuer's keys, and the start of their loads.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::file::FileKeySource;
use super::issuer_keys::IssuerKeys;
#[cfg(feature = "client")]
use super::openid::OpenIdKeySource;
use super::refresher;
use super::settings::KeySettings;
use super::source::KeySource;
use crate::error::{BuildError, ErrorCause};
use crate::hot_swap::HotSwap;
use crate::jose::JwkSet;
use crate::secure_url;
use crate::time::Clock;

/// The place that keys come from.
#[derive(Debug)]
pub(crate) enum KeyOrigin {
    #[cfg(feature = "client")]
    OpenId {
        discovery: Option<String>,
        jwks_uri: Option<String>,
    },
    File(PathBuf),
    Fixed(Arc<JwkSet>),
    Source(Arc<dyn KeySource>),
    /// Keys that are not loaded.
    Nowhere,
}

/// A plan to load keys. Issuers that hold the same `Arc` of it share the keys.
#[derive(Debug)]
pub(crate) struct KeyPlan {
    /// The name of the keys in logs and health.
    name: Arc<str>,
    /// The values that `issuer` of a discovery document may have.
    #[cfg_attr(
        not(feature = "client"),
        expect(dead_code, reason = "only discovery has such a document")
    )]
    documented: Vec<Arc<str>>,
    origin: KeyOrigin,
}

/// The keys of a plan that was started.
#[derive(Clone, Debug)]
pub(crate) struct StartedKeys {
    pub(crate) keys: IssuerKeys,
    /// The members of the provider's discovery document as last read, for those who publish them
    /// on; none where there is no such document.
    pub(crate) provider: Arc<HotSwap<Map<String, Value>>>,
}

/// Starts the plans of the issuers of one authenticator, each once.
pub(crate) struct KeyStarter {
    clock: Arc<dyn Clock>,
    started: Vec<(Arc<KeyPlan>, StartedKeys)>,
}

impl KeyPlan {
    pub(crate) fn new(
        name: impl Into<Arc<str>>,
        documented: Vec<Arc<str>>,
        origin: KeyOrigin,
    ) -> Arc<Self> {
        Arc::new(Self { name: name.into(), documented, origin })
    }

    /// Reports whether the keys come from elsewhere than this machine. A source of the application
    /// may ask anybody.
    pub(crate) fn asks_a_provider(&self) -> bool {
        match self.origin {
            #[cfg(feature = "client")]
            KeyOrigin::OpenId { .. } => true,
            KeyOrigin::Source(_) => true,
            KeyOrigin::File(_) | KeyOrigin::Fixed(_) | KeyOrigin::Nowhere => false,
        }
    }

    /// Returns the address of the discovery document that the operator wrote, if there is one.
    #[cfg(feature = "client")]
    pub(crate) fn discovery(&self) -> Option<&str> {
        match &self.origin {
            KeyOrigin::OpenId { discovery, .. } => discovery.as_deref(),
            KeyOrigin::File(_) | KeyOrigin::Fixed(_) => None,
            KeyOrigin::Source(_) | KeyOrigin::Nowhere => None,
        }
    }

    fn start(
        &self,
        settings: KeySettings,
        clock: Arc<dyn Clock>,
    ) -> Result<StartedKeys, BuildError> {
        let name = Arc::clone(&self.name);
        let keys = match &self.origin {
            #[cfg(feature = "client")]
            KeyOrigin::OpenId { discovery, jwks_uri } => {
                let source = OpenIdKeySource::new(
                    &self.documented,
                    discovery.as_deref(),
                    jwks_uri.as_deref(),
                    &settings,
                )?;
                let provider = source.provider();
                let keys = refresher::start(name, Arc::new(source), settings, None, clock)?;
                return Ok(StartedKeys { keys, provider });
            }
            KeyOrigin::File(path) => {
                let (source, first) = FileKeySource::open(path.clone(), settings.policy)?;
                let first = Some(Arc::new(first));
                refresher::start(name, Arc::new(source), settings, first, clock)?
            }
            KeyOrigin::Fixed(set) if set.is_empty() => {
                let entries = set.left_out().len();
                let source = ErrorCause::new(format!("no usable key among {entries} entries"));
                let issuer = secure_url::without_user(&name);
                return Err(BuildError::Keys { issuer, source });
            }
            KeyOrigin::Fixed(set) => IssuerKeys::fixed(name, Some(Arc::clone(set)), clock),
            KeyOrigin::Source(source) => {
                refresher::start(name, Arc::clone(source), settings, None, clock)?
            }
            KeyOrigin::Nowhere => IssuerKeys::fixed(name, None, clock),
        };
        Ok(StartedKeys { keys, provider: Arc::new(HotSwap::new(None)) })
    }
}

impl KeyStarter {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, started: Vec::new() }
    }

    /// Returns the clock of the layer.
    #[cfg(feature = "client")]
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Starts a plan, or returns the keys of one that was started. The settings of the first issuer
    /// that has it count.
    pub(crate) fn start(
        &mut self,
        plan: &Arc<KeyPlan>,
        settings: KeySettings,
    ) -> Result<StartedKeys, BuildError> {
        if let Some((_, keys)) = self.started.iter().find(|(one, _)| Arc::ptr_eq(one, plan)) {
            return Ok(keys.clone());
        }
        let keys = plan.start(settings, Arc::clone(&self.clock))?;
        self.started.push((Arc::clone(plan), keys.clone()));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{KeyError, KeyTag, LoadFuture, LoadedKeys};
    use crate::time::SystemClock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// A source that counts how often it is asked, and never answers.
    #[derive(Clone, Debug, Default)]
    struct Silent(Arc<AtomicU64>);

    impl KeySource for Silent {
        fn load(&self, _: Option<KeyTag>) -> LoadFuture<'_> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::pending::<Result<LoadedKeys, KeyError>>())
        }
    }

    impl Silent {
        fn plan(&self) -> Arc<KeyPlan> {
            KeyPlan::new("keys", Vec::new(), KeyOrigin::Source(Arc::new(self.clone())))
        }
    }

    #[tokio::test]
    async fn issuers_of_one_plan_share_its_keys_and_those_of_equal_plans_do_not() {
        let source = Silent::default();
        let mut starter = KeyStarter::new(Arc::new(SystemClock));
        let (plan, equal) = (source.plan(), source.plan());
        let started = [&plan, &plan, &equal]
            .map(|plan| starter.start(plan, KeySettings::default()).unwrap().keys);
        // The first load is due at once, which a timer tells: a third would come with the others.
        while source.0.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(source.0.load(Ordering::SeqCst), 2);
        assert_eq!(started.map(|keys| keys.health().loads), [1, 1, 1]);
    }

    #[test]
    fn a_plan_that_cannot_be_started_is_an_error_each_time() {
        let mut starter = KeyStarter::new(Arc::new(SystemClock));
        let plan = Silent::default().plan();
        for _ in 0..2 {
            let error = starter.start(&plan, KeySettings::default()).unwrap_err();
            assert_eq!(error, BuildError::NoRuntime);
        }
    }
}
