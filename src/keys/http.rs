//! Keys over HTTPS: discovery, then the key set, within the bounds of one load.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::Url;

use super::address::{PublicOnly, is_internal};
use super::discovery::{self, ProviderMetadata};
use super::freshness;
use super::settings::KeySettings;
use super::source::{KeyError, KeySource, LoadFuture, LoadedKeys};
use crate::error::BuildError;
use crate::jose::JwkSet;
use crate::secure_url;

const USER_AGENT: &str = concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION"));

/// The keys of an issuer as its provider publishes them.
#[derive(Debug)]
pub(crate) struct HttpKeySource {
    issuer: Arc<str>,
    start: Start,
    /// For addresses that the operator wrote.
    trusted: Client,
    /// For addresses that a document named: dials no internal address.
    guarded: Client,
    max_bytes: usize,
}

/// Where a load begins: at an address that the operator wrote.
#[derive(Debug)]
enum Start {
    Discovery(Url),
    KeySet(Url),
}

struct Answer {
    /// Who answered.
    peer: Option<SocketAddr>,
    body: Vec<u8>,
    max_age: Option<Duration>,
}

impl HttpKeySource {
    pub(crate) fn new(
        issuer: &Arc<str>,
        discovery: Option<&str>,
        jwks_uri: Option<&str>,
        settings: &KeySettings,
    ) -> Result<Self, BuildError> {
        let start = match (jwks_uri, discovery) {
            (Some(jwks_uri), _) => Start::KeySet(written(jwks_uri)?),
            (None, Some(discovery)) => Start::Discovery(written(discovery)?),
            (None, None) => {
                let url = written(issuer).map_err(|_| BuildError::Issuer(issuer.to_string()))?;
                if url.query().is_some() {
                    return Err(BuildError::Issuer(issuer.to_string()));
                }
                Start::Discovery(written(&discovery::address(issuer))?)
            }
        };
        let client = || {
            Client::builder()
                .user_agent(USER_AGENT)
                .redirect(Policy::none())
                .no_proxy()
                .referer(false)
                .connect_timeout(settings.timeout)
                .read_timeout(settings.timeout)
                .timeout(settings.timeout)
        };
        let build = |builder: reqwest::ClientBuilder| {
            builder.build().map_err(|error| BuildError::HttpClient(because(&error)))
        };
        Ok(Self {
            issuer: Arc::clone(issuer),
            start,
            trusted: build(client())?,
            guarded: build(client().dns_resolver(Arc::new(PublicOnly)))?,
            max_bytes: settings.max_bytes,
        })
    }

    async fn fetch(&self) -> Result<LoadedKeys, KeyError> {
        let keys = match &self.start {
            Start::KeySet(url) => self.get(&self.trusted, url).await?,
            Start::Discovery(url) => {
                let document = self.get(&self.trusted, url).await?;
                let found = ProviderMetadata::parse(&document.body, &self.issuer)?;
                let client = self.client_for(&found.jwks_uri, document.peer)?;
                self.get(client, &found.jwks_uri).await?
            }
        };
        // A thousand keys take a while to prepare; requests go on meanwhile.
        let parse = tokio::task::spawn_blocking(move || JwkSet::parse(&keys.body));
        let set = parse.await.map_err(KeyError::other)??;
        Ok(LoadedKeys::new(set).max_age(keys.max_age))
    }

    /// An address found in a document may be internal only if the document came from one: from
    /// the peer that answered, not from what its name resolves to when asked again.
    fn client_for(&self, found: &Url, peer: Option<SocketAddr>) -> Result<&Client, KeyError> {
        if peer.is_some_and(|peer| is_internal(peer.ip())) {
            return Ok(&self.trusted);
        }
        // An address in numbers is dialled without asking the resolver.
        let internal_number = match found.host() {
            Some(url::Host::Ipv4(address)) => is_internal(address.into()),
            Some(url::Host::Ipv6(address)) => is_internal(address.into()),
            Some(url::Host::Domain(_)) | None => false,
        };
        if internal_number {
            let reason = "it is an internal address, which the provider's own is not";
            return Err(KeyError::Address { address: without_secrets(found), reason });
        }
        Ok(&self.guarded)
    }

    async fn get(&self, client: &Client, url: &Url) -> Result<Answer, KeyError> {
        let address = || without_secrets(url);
        let broken = |error: reqwest::Error| KeyError::Transport {
            address: address(),
            reason: because(&error.without_url()),
        };
        let request = client.get(url.clone()).header(ACCEPT, "application/json");
        let mut response = request.send().await.map_err(broken)?;
        if response.status() != StatusCode::OK {
            return Err(KeyError::Status {
                address: address(),
                status: response.status().as_u16(),
            });
        }
        let content_type = header(&response, &CONTENT_TYPE).unwrap_or_default();
        if !is_json(content_type) {
            let found = content_type.to_owned();
            return Err(KeyError::ContentType { address: address(), found });
        }
        let max_age = header(&response, &CACHE_CONTROL).and_then(freshness::max_age);
        let peer = response.remote_addr();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > self.max_bytes {
                return Err(KeyError::TooLarge { address: address(), limit: self.max_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { peer, body, max_age })
    }
}

impl KeySource for HttpKeySource {
    fn load(&self) -> LoadFuture<'_> {
        Box::pin(self.fetch())
    }
}

/// An address that the operator wrote.
fn written(text: &str) -> Result<Url, BuildError> {
    secure_url::parse(text).ok_or_else(|| BuildError::Address(text.to_owned()))
}

fn header<'a>(response: &'a Response, name: &http::HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// `application/json`, or any type with the suffix `+json` (RFC 6839).
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json" || (essence.contains('/') && essence.ends_with("+json"))
}

/// An address as it may be logged: without credentials and query.
fn without_secrets(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// An error with its causes, which `reqwest` leaves out of its own text.
fn because(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_declared_as_json() {
        for good in
            ["application/json", "Application/JSON; charset=utf-8", "application/jwk-set+json"]
        {
            assert!(is_json(good), "{good}");
        }
        for bad in ["", "text/html", "application/jsonp", "text/plain; x=application/json", "+json"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }
}
