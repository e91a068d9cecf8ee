//! An issuer in use.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::audience::AudiencePolicy;
#[cfg(feature = "client")]
use super::introspection::{IntrospectedTokens, IntrospectionContext, Introspector};
use super::issuer::{IssuerIndex, IssuerSettings, TrustedIssuer, is_name};
use crate::display_safe::sanitize;
use crate::error::BuildError;
use crate::hot_swap::HotSwap;
use crate::keys::{IssuerKeys, KeyHealth, KeyStarter, StartedKeys};
use crate::secure_url;
use crate::telemetry::meter::Accepted;

/// An issuer in use: its rules, and its keys as they are now.
#[derive(Debug)]
pub(crate) struct Issuer {
    pub(crate) settings: IssuerSettings,
    pub(crate) audience: AudiencePolicy,
    pub(crate) keys: IssuerKeys,
    pub(crate) index: IssuerIndex,
    /// The metadata of its provider, where it is discovered.
    pub(crate) provider: Arc<HotSwap<Map<String, Value>>>,
    pub(crate) accepted: Accepted,
    /// The introspection of its tokens, where there is any.
    #[cfg(feature = "client")]
    pub(crate) introspector: Option<Introspector>,
}

impl Issuer {
    /// Reports whether the provider is asked about each JWT of the issuer, too.
    pub(super) fn is_always_introspected(&self) -> bool {
        #[cfg(feature = "client")]
        return self.introspects_every_token().is_some();
        #[cfg(not(feature = "client"))]
        false
    }
}

impl TrustedIssuer {
    /// Starts the issuer: checks its settings, and begins to load its keys. `before` is the issuer of this
    /// name in the configuration that is replaced.
    pub(crate) fn start(
        self,
        default_audience: &AudiencePolicy,
        index: IssuerIndex,
        starter: &mut KeyStarter,
        before: Option<&Issuer>,
    ) -> Result<Issuer, BuildError> {
        let audience = self.settings.checked(default_audience)?;
        self.key_settings.check()?;
        let StartedKeys { keys, provider } =
            starter.start(&self.keys, self.key_settings.clone())?;
        let keys = match before {
            Some(before) => keys.or_those_of(&before.keys),
            None => keys,
        };
        #[cfg(feature = "client")]
        let introspector = match self.introspection {
            None => None,
            Some(introspection) => Some(introspection.start(&IntrospectionContext {
                issuer: &self.settings,
                keys: &keys,
                discovery: self.keys.discovery(),
                key_settings: &self.key_settings,
                base_url: default_audience,
                clock: starter.clock(),
                is_silent: self.is_silent,
                before: before.and_then(|before| before.introspector.as_ref()),
            })?),
        };
        let accepted = Accepted::of(&self.settings.issuer);
        Ok(Issuer {
            settings: self.settings,
            audience,
            keys,
            index,
            provider,
            accepted,
            #[cfg(feature = "client")]
            introspector,
        })
    }
}

impl IssuerSettings {
    /// Checks the settings. Returns the audiences that are accepted.
    fn checked(&self, default_audience: &AudiencePolicy) -> Result<AudiencePolicy, BuildError> {
        let name = || secure_url::without_user(&self.issuer);
        if !is_name(&self.issuer) {
            return Err(BuildError::IssuerName(sanitize(&name())));
        }
        let is_empty = |policy: &AudiencePolicy| policy.is_empty();
        let audience = match (self.preset_audience.clone(), self.audience.clone()) {
            // An empty list is an error below: it must not widen to the audiences of the preset.
            (Some(_), Some(further)) if is_empty(&further) => further,
            (Some(preset), Some(further)) => preset.or(further),
            (Some(audience), None) | (None, Some(audience)) => audience,
            (None, None) => default_audience.clone(),
        };
        if is_empty(&audience) {
            return Err(BuildError::NoAudience(name()));
        }
        if self.algorithms.is_empty() {
            return Err(BuildError::NoAlgorithm(name()));
        }
        if self.token_types.is_empty() {
            return Err(BuildError::NoTokenType(name()));
        }
        if !self.roles_claim.is_valid() {
            let expected = "at least one name, and no empty one";
            return Err(BuildError::Setting { setting: "roles_claim", expected });
        }
        if self.leeway > Duration::from_secs(600) {
            return Err(BuildError::Setting { setting: "leeway", expected: "at most 10 min" });
        }
        Ok(audience)
    }
}

impl Issuer {
    /// Returns the state of its keys, and of the introspection of its tokens.
    pub(super) fn health(&self) -> KeyHealth {
        #[cfg_attr(not(feature = "client"), expect(unused_mut, reason = "nobody is asked"))]
        let mut health = self.keys.health();
        #[cfg(feature = "client")]
        {
            let questions = self.introspector.as_ref().and_then(|one| one.questions.as_ref());
            health.introspection = questions.map(|questions| questions.health());
        }
        health
    }

    /// Reports whether its provider is asked about opaque tokens.
    #[cfg(feature = "client")]
    pub(super) fn takes_opaque_tokens(&self) -> bool {
        let introspector = self.introspector.as_ref();
        introspector.is_some_and(|one| one.settings.asks_about == IntrospectedTokens::Opaque)
    }
}
