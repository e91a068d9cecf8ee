//! The origin of an issuer's keys, and the start of their loads.

use std::path::PathBuf;
use std::sync::{Arc, Weak};

use serde_json::{Map, Value};

use super::clients::Clients;
use super::file::FileKeySource;
use super::issuer_keys::{IssuerKeys, WeakIssuerKeys};
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
    discovery_issuers: Vec<Arc<str>>,
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

/// The keys of a plan that was started, as long as somebody uses them.
pub(super) struct WeakKeys {
    keys: WeakIssuerKeys,
    provider: Weak<HotSwap<Map<String, Value>>>,
}

/// A plan, and the settings and the clock that it is started with.
#[derive(Clone)]
pub(super) struct KeyStart {
    pub(super) plan: Arc<KeyPlan>,
    settings: KeySettings,
    /// The files of certificate authorities as they are now: they are read when keys are started.
    authorities: Vec<Option<Vec<u8>>>,
    clock: Arc<dyn Clock>,
}

impl KeyPlan {
    pub(crate) fn new(
        name: impl Into<Arc<str>>,
        discovery_issuers: Vec<Arc<str>>,
        origin: KeyOrigin,
    ) -> Arc<Self> {
        Arc::new(Self { name: name.into(), discovery_issuers, origin })
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Reports whether keys are loaded again and again.
    pub(super) fn loads(&self) -> bool {
        match self.origin {
            #[cfg(feature = "client")]
            KeyOrigin::OpenId { .. } => true,
            KeyOrigin::File(_) | KeyOrigin::Source(_) => true,
            KeyOrigin::Fixed(_) | KeyOrigin::Nowhere => false,
        }
    }

    /// Reports whether another plan loads the same keys.
    fn is_same_as(&self, other: &Self) -> bool {
        let is_same_origin = match (&self.origin, &other.origin) {
            #[cfg(feature = "client")]
            (
                KeyOrigin::OpenId { discovery, jwks_uri },
                KeyOrigin::OpenId { discovery: others_discovery, jwks_uri: others_jwks_uri },
            ) => (discovery, jwks_uri) == (others_discovery, others_jwks_uri),
            (KeyOrigin::File(path), KeyOrigin::File(other)) => path == other,
            (KeyOrigin::Source(source), KeyOrigin::Source(other)) => Arc::ptr_eq(source, other),
            _ => false,
        };
        is_same_origin
            && self.name == other.name
            && self.discovery_issuers == other.discovery_issuers
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
}

impl KeyStart {
    pub(super) fn new(plan: &Arc<KeyPlan>, settings: KeySettings, clock: &Arc<dyn Clock>) -> Self {
        let authorities = settings.authorities();
        Self { plan: Arc::clone(plan), settings, authorities, clock: Arc::clone(clock) }
    }

    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        self.plan.is_same_as(&other.plan)
            && self.settings == other.settings
            && self.authorities == other.authorities
            && Arc::ptr_eq(&self.clock, &other.clock)
    }

    /// Begins to load the keys, or takes those that are given.
    pub(super) fn begin(&self, clients: &mut Clients) -> Result<StartedKeys, BuildError> {
        #[cfg(not(feature = "client"))]
        let _ = clients;
        let KeyPlan { name, origin, .. } = &*self.plan;
        let (name, settings, clock) =
            (Arc::clone(name), self.settings.clone(), Arc::clone(&self.clock));
        let keys = match origin {
            #[cfg(feature = "client")]
            KeyOrigin::OpenId { discovery, jwks_uri } => {
                let source = OpenIdKeySource::new(
                    &self.plan.discovery_issuers,
                    discovery.as_deref(),
                    jwks_uri.as_deref(),
                    &settings,
                    || clients.with(&settings, &self.authorities),
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

impl StartedKeys {
    /// Returns a handle that does not keep the keys fresh; `None` where nothing does.
    pub(super) fn downgrade(&self) -> Option<WeakKeys> {
        let keys = self.keys.downgrade()?;
        Some(WeakKeys { keys, provider: Arc::downgrade(&self.provider) })
    }
}

impl WeakKeys {
    pub(super) fn upgrade(&self) -> Option<StartedKeys> {
        Some(StartedKeys { keys: self.keys.upgrade()?, provider: self.provider.upgrade()? })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::keys::{KeyError, KeyTag, LoadFuture, LoadedKeys};
    use crate::time::SystemClock;

    /// A source that never answers.
    #[derive(Debug)]
    pub(in crate::keys) struct Silent;

    impl KeySource for Silent {
        fn load(&self, _: Option<KeyTag>) -> LoadFuture<'_> {
            Box::pin(std::future::pending::<Result<LoadedKeys, KeyError>>())
        }
    }

    fn source() -> Arc<dyn KeySource> {
        Arc::new(Silent)
    }

    fn file(path: &str) -> KeyOrigin {
        KeyOrigin::File(path.into())
    }

    fn plan(name: &str, discovery_issuers: &str, origin: KeyOrigin) -> Arc<KeyPlan> {
        KeyPlan::new(name, vec![discovery_issuers.into()], origin)
    }

    #[test]
    fn who_is_asked_for_keys_and_whether_again_goes_by_their_origin() {
        for (origin, loads, asks_a_provider) in [
            (KeyOrigin::Source(source()), true, true),
            (file("/a"), true, false),
            (KeyOrigin::Fixed(Arc::default()), false, false),
            (KeyOrigin::Nowhere, false, false),
        ] {
            let plan = plan("a", "a", origin);
            assert_eq!(
                (plan.loads(), plan.asks_a_provider()),
                (loads, asks_a_provider),
                "{plan:?}"
            );
        }
    }

    #[test]
    fn keys_are_the_same_where_they_come_from_one_place_under_the_same_names() {
        let own = source();
        let from = |source: &Arc<dyn KeySource>| KeyOrigin::Source(Arc::clone(source));
        let (of_file, of_source) = (plan("a", "a", file("/a")), plan("a", "a", from(&own)));
        for (one, other, is_same) in [
            (&of_file, plan("a", "a", file("/a")), true),
            (&of_file, plan("b", "a", file("/a")), false),
            (&of_file, plan("a", "b", file("/a")), false),
            (&of_file, plan("a", "a", file("/b")), false),
            (&of_file, plan("a", "a", from(&own)), false),
            (&of_source, plan("a", "a", from(&own)), true),
            (&of_source, plan("a", "a", from(&source())), false),
        ] {
            assert_eq!(one.is_same_as(&other), is_same, "{one:?} {other:?}");
        }
    }

    #[test]
    fn keys_that_are_loaded_by_other_settings_authorities_or_clocks_are_others() {
        let clock = || -> Arc<dyn Clock> { Arc::new(SystemClock) };
        let (own, plan) = (clock(), plan("a", "a", file("/a")));
        let settings = KeySettings::default;
        let first = KeyStart::new(&plan, settings(), &own);
        assert!(first.is_same_as(&KeyStart::new(&plan, settings(), &own)));
        // A file of an authority that was renewed has the same name.
        let authorities = vec![Some(b"renewed".to_vec())];
        for (case, other) in [
            ("settings", KeyStart::new(&plan, settings().max_bytes(1), &own)),
            ("clock", KeyStart::new(&plan, settings(), &clock())),
            ("authorities", KeyStart { authorities, ..first.clone() }),
        ] {
            assert!(!first.is_same_as(&other), "{case}");
        }
    }
}
