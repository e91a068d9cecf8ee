//! The provider that is asked: its endpoint, the question, and the answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::answer::IntrospectionAnswer;
use super::client::{ASSERTION_TYPE, ClientAuthentication, Credentials};
use super::error::{AnswerFault, IntrospectionError};
use super::signed::SignedAnswers;
use crate::keys::{self, DocumentKind, HttpsClient, KeyError, NamedBy, Question, Reply};
use crate::secure_url::PlainHttp;
use crate::telemetry::log;
use crate::time::Clock;

/// The time that an endpoint counts which was found.
const ENDPOINT_TTL: Duration = Duration::from_secs(3600);

/// A provider, ready to be asked.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) client: HttpsClient,
    pub(super) endpoint: Endpoint,
    pub(super) authentication: ClientAuthentication,
    pub(super) issuer: Arc<str>,
    pub(super) plain_http: PlainHttp,
    pub(super) requires_signature: bool,
    /// `true` when a secret is sent with each question.
    pub(super) sends_secret: bool,
    pub(super) signed: SignedAnswers,
}

/// The place where the provider is asked.
#[derive(Debug)]
pub(super) enum Endpoint {
    Written(Url),
    /// Named by the first of these documents that has one.
    Discovered {
        documents: Vec<Url>,
        found: Mutex<Option<FoundEndpoint>>,
    },
}

/// An endpoint that a document named.
#[derive(Clone, Debug)]
pub(super) struct FoundEndpoint {
    url: Url,
    named_by: NamedBy,
    at: Instant,
}

impl FoundEndpoint {
    fn counts(&self) -> bool {
        self.at.elapsed() < ENDPOINT_TTL
    }
}

impl Provider {
    /// Asks about a token.
    pub(super) async fn ask(
        &self,
        token: &str,
        clock: &dyn Clock,
    ) -> Result<IntrospectionAnswer, IntrospectionError> {
        let (url, named_by) = self.endpoint().await?;
        let asked_at = Instant::now();
        let credentials = self.authentication.credentials(&self.issuer, clock.now())?;
        let mut fields = vec![("token", token), ("token_type_hint", "access_token")];
        let mut basic = None;
        match &credentials {
            Credentials::Secret(secret) => basic = Some((&*self.authentication.id, *secret)),
            Credentials::Assertion(assertion) => fields.extend([
                ("client_id", &*self.authentication.id),
                ("client_assertion_type", ASSERTION_TYPE),
                ("client_assertion", assertion.as_str()),
            ]),
        }
        let question = Question { fields: &fields, basic, accept: self.accept() };
        let reply = match self.client.ask(&url, named_by, question).await {
            Ok(reply) => reply,
            Err(error) => {
                let error = IntrospectionError::from(error);
                // It may have moved. An answer that refuses one token says nothing of that.
                if error.is_outage() {
                    self.endpoint.forget().await;
                }
                return Err(error);
            }
        };
        let Reply { media_type, body, address } = reply;
        let answer = self.read(&media_type, &body, asked_at, clock).await;
        answer.map_err(|fault| IntrospectionError::Answer { address, fault })
    }

    /// Returns the media types that are asked for (RFC 9701 section 4).
    fn accept(&self) -> &'static str {
        match self.requires_signature {
            true => "application/token-introspection+jwt",
            false => "application/json, application/token-introspection+jwt;q=0.9",
        }
    }

    async fn read(
        &self,
        media_type: &str,
        body: &[u8],
        asked_at: Instant,
        clock: &dyn Clock,
    ) -> Result<IntrospectionAnswer, AnswerFault> {
        match media_type {
            "application/token-introspection+jwt" => self.signed.read(body, asked_at, clock).await,
            "application/json" if self.requires_signature => Err(AnswerFault::Unsigned),
            "application/json" => IntrospectionAnswer::read(body, asked_at, None),
            _ => Err(AnswerFault::MediaType),
        }
    }

    /// Returns the endpoint, and who named it.
    async fn endpoint(&self) -> Result<(Url, NamedBy), IntrospectionError> {
        let (documents, found) = match &self.endpoint {
            Endpoint::Written(url) => return Ok((url.clone(), NamedBy::Operator)),
            Endpoint::Discovered { documents, found } => (documents, found),
        };
        // Held while it is looked for: one question looks, the others wait for what it finds.
        let mut found = found.lock().await;
        if let Some(FoundEndpoint { url, named_by, .. }) =
            found.as_ref().filter(|found| found.counts())
        {
            return Ok((url.clone(), *named_by));
        }
        let mut last = IntrospectionError::NoEndpoint;
        for document in documents {
            match self.look_into(document).await {
                Ok(Some(new)) => {
                    let FoundEndpoint { url, named_by, .. } = found.insert(new);
                    return Ok((url.clone(), *named_by));
                }
                Ok(None) => {}
                Err(error) => last = error.into(),
            }
        }
        Err(last)
    }

    async fn look_into(&self, document: &Url) -> Result<Option<FoundEndpoint>, KeyError> {
        let kind = DocumentKind::Discovery;
        let mut fetched = self.client.get(kind, document, NamedBy::Operator, None).await?;
        let named_by = fetched.addresses_named_by();
        let body = fetched.body.take().unwrap_or_default();
        let issuers = [Arc::clone(&self.issuer)];
        let url = keys::endpoint(&body, &issuers, &self.plain_http)
            .map_err(|fault| fetched.fault(fault))?;
        if let Some(url) = &url {
            self.warn_of_secret(url);
        }
        Ok(url.map(|url| FoundEndpoint { url, named_by, at: Instant::now() }))
    }

    /// Warns of a secret that travels where others can read it.
    pub(super) fn warn_of_secret(&self, url: &Url) {
        if self.sends_secret && self.plain_http.allows(url.as_str()) {
            log::warn!(
                issuer = &*self.issuer,
                "the client secret for introspection is sent without TLS (`[danger] plain_http`): \
                 whoever is on the network between can read it"
            );
        }
    }
}

impl Endpoint {
    async fn forget(&self) {
        if let Self::Discovered { found, .. } = self {
            *found.lock().await = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_is_looked_for_again_after_an_hour() {
        let url = "https://idp.example.org/introspect".parse().unwrap();
        let found = FoundEndpoint { url, named_by: NamedBy::Operator, at: Instant::now() };
        tokio::time::advance(ENDPOINT_TTL - Duration::from_secs(1)).await;
        assert!(found.counts());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!found.counts());
    }
}
