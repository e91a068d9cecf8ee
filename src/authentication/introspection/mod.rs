//! Introspection: the provider is asked whether a token is active, and what it grants (RFC 7662,
//! RFC 9701).
//!
//! ```text
//! request ─► look up ─► cache: known, and not too old ─► judged as a JWT's claims are
//!               │  ▲
//!               ▼  └──── waits, bounded ─────┐
//!            question, one a token ─► bulkhead ─► circuit ─► provider ─► answer, read strictly ─► cache
//!                                   503        503        503 where it is none
//! ```
//!
//! 1. **Requests never ask.** A task of its own puts each question, so a client that goes away
//!    neither cancels nor delays it; everybody with the same token waits for the same one.
//! 2. **Never an older answer.** What was known before counts for nothing once it is too old, whatever
//!    becomes of the provider.
//! 3. **Everything is bounded:** questions that are open, that are put at once, that are new in a
//!    second; requests that wait; answers that are kept, by entries and bytes. Tokens that were active
//!    before have bounds of their own, so that a flood of unknown ones meets itself alone.
//! 4. **A provider that fails is given pauses**, and is then tried by one question.

mod answer;
mod answer_cache;
mod bulkhead;
mod circuit;
mod client;
mod confirmed;
mod error;
mod provider;
mod questions;
mod report;
mod settings;
mod signed;

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Mutex;
use url::Url;

pub(crate) use answer::{ActiveAnswer, IntrospectionAnswer, SaidToBeActive};
#[cfg(feature = "config")]
pub(crate) use client::read_key_file;
pub(crate) use confirmed::Confirmed;
pub(crate) use questions::{AnswerWait, IntrospectionLookup, Outcome, Questions};
pub(crate) use settings::IntrospectedTokens;
pub use settings::{Introspection, IntrospectionClient};

use self::client::ClientAuthentication;
use self::provider::{Endpoint, Provider};
use self::questions::TransportSettings;
use self::settings::ClientAuthMethod;
use self::signed::SignedAnswers;
use super::audience::AudiencePolicy;
use super::issuer::IssuerSettings;
use crate::error::BuildError;
use crate::keys::{self, HttpsClient, IssuerKeys, KeySettings};
use crate::secure_url;
use crate::time::Clock;

/// The introspection of one issuer's tokens, in use.
#[derive(Debug)]
pub(crate) struct Introspector {
    pub(crate) settings: Introspection,
    /// `None` where no provider is to be asked.
    pub(crate) questions: Option<Questions>,
}

/// The things that an introspector needs of the issuer, and of the layer.
pub(super) struct IntrospectionContext<'s> {
    pub(super) issuer: &'s IssuerSettings,
    pub(super) keys: &'s IssuerKeys,
    /// The address of the discovery document that the operator wrote.
    pub(super) discovery: Option<&'s str>,
    pub(super) key_settings: &'s KeySettings,
    pub(super) base_url: &'s AudiencePolicy,
    pub(super) clock: Arc<dyn Clock>,
    /// `true` where no provider is to be asked.
    pub(super) is_silent: bool,
    /// The introspection of the configuration that is replaced.
    pub(super) before: Option<&'s Introspector>,
}

impl IntrospectionContext<'_> {
    /// Returns the questions of the configuration that is replaced, with all that their provider has answered,
    /// where nothing has changed that they depend on. Each answer is judged by the new rules.
    fn questions_of_before(
        &self,
        introspection: &Introspection,
        transport: &TransportSettings,
    ) -> Option<Questions> {
        let before = self.before.filter(|before| before.settings == *introspection)?;
        let questions = before.questions.as_ref()?;
        let are_put = questions.are_put_for(transport, self.issuer, self.keys, self.base_url);
        are_put.then(|| questions.clone())
    }
}

impl Introspection {
    /// Checks the settings, and makes everything ready to ask.
    pub(super) fn start(
        self,
        around: &IntrospectionContext<'_>,
    ) -> Result<Introspector, BuildError> {
        let IntrospectionContext { issuer, keys, key_settings, .. } = *around;
        let plain_http = &key_settings.plain_http;
        if let Some(fault) = self.fault(plain_http) {
            return Err(fault);
        }
        let endpoint = match self.endpoint.as_deref() {
            Some(endpoint) => Endpoint::Written(parse_url(endpoint, key_settings)?),
            None => Endpoint::Discovered { documents: documents(around)?, found: Mutex::new(None) },
        };
        if around.is_silent {
            return Ok(Introspector { settings: self, questions: None });
        }
        let transport = TransportSettings::new(key_settings, &around.clock);
        if let Some(questions) = around.questions_of_before(&self, &transport) {
            return Ok(Introspector { settings: self, questions: Some(questions) });
        }
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let name = Arc::clone(&issuer.issuer);
        let provider = Provider {
            client: HttpsClient::new(key_settings)?,
            authentication: ClientAuthentication::start(&self.client, &name, &runtime)?,
            issuer: name,
            plain_http: plain_http.clone(),
            requires_signature: self.requires_signature,
            sends_secret: matches!(self.client.proof, ClientAuthMethod::Secret(_)),
            signed: SignedAnswers {
                keys: keys.clone(),
                settings: issuer.clone(),
                client_id: self.client.id.to_string(),
                base_url: around.base_url.clone(),
            },
            endpoint,
        };
        if let Endpoint::Written(url) = &provider.endpoint {
            provider.warn_of_secret(url);
        }
        let questions = Questions::new(provider, self.max_age, transport, runtime);
        Ok(Introspector { settings: self, questions: Some(questions) })
    }
}

/// Returns the documents that may name the endpoint: the one that the operator wrote, else those of
/// OpenID Connect Discovery and of RFC 8414.
fn documents(around: &IntrospectionContext<'_>) -> Result<Vec<Url>, BuildError> {
    let name = &*around.issuer.issuer;
    if let Some(discovery) = around.discovery {
        return Ok(vec![parse_url(discovery, around.key_settings)?]);
    }
    let plain_http = &around.key_settings.plain_http;
    let is_url = secure_url::parse_with(name, plain_http).is_some_and(|url| url.query().is_none());
    if !is_url {
        return Err(BuildError::Issuer(secure_url::without_user(name)));
    }
    [keys::address(name), keys::address_of_metadata(name)]
        .iter()
        .map(|address| parse_url(address, around.key_settings))
        .collect()
}

fn parse_url(address: &str, settings: &KeySettings) -> Result<Url, BuildError> {
    let url = secure_url::parse_with(address, &settings.plain_http);
    url.ok_or_else(|| BuildError::Address(secure_url::without_user(address)))
}
