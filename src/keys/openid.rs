//! The keys of an OpenID provider: discovery, then the key set.

use std::sync::Arc;

use http::HeaderValue;
use serde_json::{Map, Value};
use url::Url;

use super::discovery::{self, ProviderMetadata};
use super::error::KeyError;
use super::https::{DocumentKind, HttpsClient, NamedBy};
use super::settings::KeySettings;
use super::source::{KeySource, KeyTag, LoadFuture, LoadedKeys};
use crate::error::BuildError;
use crate::hot_swap::HotSwap;
use crate::jose::{JwkSet, KeyPolicy};
use crate::secure_url::{self, PlainHttp};

/// The keys of an issuer as its provider publishes them. Each load begins at an address that the
/// operator wrote, so a `jwks_uri` that changes is followed.
#[derive(Debug)]
pub(crate) struct OpenIdKeySource {
    /// The values that `issuer` of the discovery document may have.
    issuers: Vec<Arc<str>>,
    start: Start,
    client: Arc<HttpsClient>,
    policy: KeyPolicy,
    plain_http: PlainHttp,
    /// The members of the discovery document as last read.
    provider: Arc<HotSwap<Map<String, Value>>>,
}

/// The address at which a load begins.
#[derive(Debug)]
enum Start {
    Discovery(Url),
    KeySet(Url),
}

impl OpenIdKeySource {
    pub(crate) fn new(
        issuers: &[Arc<str>],
        discovery: Option<&str>,
        jwks_uri: Option<&str>,
        settings: &KeySettings,
        client: impl FnOnce() -> Result<Arc<HttpsClient>, BuildError>,
    ) -> Result<Self, BuildError> {
        let written = |text: &str| {
            let url = secure_url::parse_with(text, &settings.plain_http);
            url.ok_or_else(|| BuildError::Address(secure_url::without_user(text)))
        };
        let start = match (jwks_uri, discovery) {
            // The issuer is then only compared, and may be any text.
            (Some(jwks_uri), _) => Start::KeySet(written(jwks_uri)?),
            (None, discovery) => {
                let is_url = |issuer: &str| written(issuer).is_ok_and(|url| url.query().is_none());
                if let Some(issuer) = issuers.iter().find(|issuer| !is_url(issuer)) {
                    return Err(BuildError::Issuer(secure_url::without_user(issuer)));
                }
                let issuer = issuers.first().map(|issuer| &**issuer).unwrap_or_default();
                let found = || discovery::address(issuer);
                let address = discovery.map_or_else(found, str::to_owned);
                Start::Discovery(written(&address)?)
            }
        };
        Ok(Self {
            issuers: issuers.to_vec(),
            start,
            client: client()?,
            policy: settings.policy,
            plain_http: settings.plain_http.clone(),
            provider: Arc::new(HotSwap::new(None)),
        })
    }

    /// Returns the provider's metadata, for those who publish them on.
    pub(crate) fn provider(&self) -> Arc<HotSwap<Map<String, Value>>> {
        Arc::clone(&self.provider)
    }

    async fn fetch(&self, installed: Option<KeyTag>) -> Result<LoadedKeys, KeyError> {
        match &self.start {
            Start::KeySet(url) => self.key_set(url, NamedBy::Operator, installed).await,
            Start::Discovery(url) => {
                let kind = DocumentKind::Discovery;
                let mut fetched = self.client.get(kind, url, NamedBy::Operator, None).await?;
                let named_by = fetched.addresses_named_by();
                let body = fetched.body.take().unwrap_or_default();
                let found = ProviderMetadata::parse(&body, &self.issuers, &self.plain_http)
                    .map_err(|fault| fetched.fault(fault))?;
                self.provider.replace(found.members);
                self.key_set(&found.jwks_uri, named_by, installed).await
            }
        }
    }

    async fn key_set(
        &self,
        url: &Url,
        named_by: NamedBy,
        installed: Option<KeyTag>,
    ) -> Result<LoadedKeys, KeyError> {
        let etag = installed.and_then(|tag| etag_of(&tag, url));
        let mut fetched =
            self.client.get(DocumentKind::KeySet, url, named_by, etag.as_ref()).await?;
        let max_age = fetched.max_age;
        let Some(body) = fetched.body.take() else {
            return Ok(LoadedKeys::unchanged().max_age(max_age));
        };
        // A thousand keys take a while to prepare; on a blocking thread, requests go on meanwhile.
        let policy = self.policy;
        let parse = tokio::task::spawn_blocking(move || JwkSet::parse_with(&body, policy));
        let tag = fetched.etag.take();
        let set = parse.await.map_err(KeyError::other)?;
        let set = set.map_err(|fault| fetched.fault(fault.into()))?;
        let tag = tag.map(|etag| tag_of(url, &etag));
        Ok(LoadedKeys::new(set).max_age(max_age).tag(tag))
    }
}

/// Binds an `ETag` to its address: it has a meaning only there (RFC 9110 section 8.8.3).
fn tag_of(url: &Url, etag: &HeaderValue) -> KeyTag {
    KeyTag::new([url.as_str().as_bytes(), b"\n", etag.as_bytes()].concat())
}

fn etag_of(tag: &KeyTag, url: &Url) -> Option<HeaderValue> {
    let etag = tag.as_bytes().strip_prefix(url.as_str().as_bytes())?.strip_prefix(b"\n")?;
    HeaderValue::from_bytes(etag).ok()
}

impl KeySource for OpenIdKeySource {
    fn load(&self, installed: Option<KeyTag>) -> LoadFuture<'_> {
        Box::pin(self.fetch(installed))
    }
}
