//! The settings of introspection.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::error::BuildError;
use crate::secure_url::{self, PlainHttp};

/// The longest time that an answer may be kept.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Asks the provider of an issuer whether a token is active, and what it grants (RFC 7662, RFC 9701).
///
/// By itself it is about opaque tokens, of one issuer of the layer: those that are no JWS, so that
/// nobody but the provider knows what they mean. [`of_every_token`](Self::of_every_token) is about
/// the JWTs of the issuer, after all checks that are made here: for those whose tokens have to end
/// sooner than they expire. [The manual](crate::manual::introspection) says what it costs and what
/// happens in an outage.
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
/// use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let secret = "hunter2";
/// let client = IntrospectionClient::with_secret("fhir", secret);
/// let issuer = TrustedIssuer::discover("https://idp.example.org").introspection(
///     Introspection::discover(client).max_age(Duration::from_secs(30)),
/// );
/// let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
///     .issuer(issuer)
///     .authorizer(authenticated())
///     .build()?;
/// assert!(layer.health()[0].introspection.is_some());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Introspection {
    /// `None` where it is discovered.
    pub(super) endpoint: Option<String>,
    pub(super) client: IntrospectionClient,
    pub(crate) asks_about: IntrospectedTokens,
    pub(super) max_age: Duration,
    /// `true` where the provider answers only about tokens for this API.
    pub(crate) is_audience_known: bool,
    pub(super) requires_signature: bool,
}

/// The tokens that are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IntrospectedTokens {
    /// Tokens that are not a JWS.
    Opaque,
    /// Every JWT of the issuer.
    EveryJwt,
}

/// This server as a client of the provider, by which it may introspect. The provider knows it by name,
/// and by a secret or a key. Its `Debug` output has no secret.
///
/// ```
/// use tower_fhir_auth::authentication::IntrospectionClient;
///
/// let client = IntrospectionClient::with_secret("fhir", "hunter2");
/// assert!(!format!("{client:?}").contains("hunter2"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct IntrospectionClient {
    pub(super) id: Arc<str>,
    pub(super) proof: ClientAuthMethod,
}

/// The proof by which a client authenticates.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ClientAuthMethod {
    Secret(Secret),
    KeyFile(PathBuf),
}

/// A secret that is not shown. It is compared with another one of the operator's alone.
#[derive(Clone, PartialEq)]
pub(super) struct Secret(Arc<str>);

impl Secret {
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl IntrospectionClient {
    /// Authenticates by a secret, in the header of each question (`client_secret_basic`).
    pub fn with_secret(id: impl Into<String>, secret: impl Into<String>) -> Self {
        let proof = ClientAuthMethod::Secret(Secret(secret.into().into()));
        Self { id: id.into().into(), proof }
    }

    /// Authenticates by a private key (`private_key_jwt`, RFC 7523 section 2.2), which no question
    /// reveals. The file has a JWK, or a set of them of which the first signs: an RSA key, an EC key
    /// on P-256, P-384 or P-521, or an Ed25519 key, with its `kid`, and with `alg` where it is not to
    /// be `RS256` for RSA. It is read again when it changes, so that the key can be rotated; if it is
    /// broken or gone by then, the last good key stays.
    pub fn with_key_file(id: impl Into<String>, path: impl Into<PathBuf>) -> Self {
        Self { id: id.into().into(), proof: ClientAuthMethod::KeyFile(path.into()) }
    }
}

impl Introspection {
    /// Asks at an address.
    pub fn at(endpoint: impl Into<String>, client: IntrospectionClient) -> Self {
        Self::new(Some(endpoint.into()), client)
    }

    /// Asks at the `introspection_endpoint` of the issuer's metadata: of its discovery document, else
    /// of the document of RFC 8414.
    pub fn discover(client: IntrospectionClient) -> Self {
        Self::new(None, client)
    }

    fn new(endpoint: Option<String>, client: IntrospectionClient) -> Self {
        Self {
            endpoint,
            client,
            asks_about: IntrospectedTokens::Opaque,
            max_age: Duration::from_secs(60),
            is_audience_known: false,
            requires_signature: false,
        }
    }

    /// Asks about every JWT of the issuer, after all its other checks, in place of opaque tokens. What
    /// an answer says has to agree with the token, and scopes count that both have.
    pub fn of_every_token(mut self) -> Self {
        self.asks_about = IntrospectedTokens::EveryJwt;
        self
    }

    /// Sets how long an answer is kept, which is how long a token may be accepted after it was
    /// revoked. Default: 60 s. At most 24 h; with 0 every request asks.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Declares that the provider answers only about tokens for this API, so that an answer without
    /// `aud` is accepted. One that names audiences is judged by them all the same. Default: an answer
    /// without `aud` is refused, for the token may be meant for any API.
    pub fn audience_from_provider(mut self) -> Self {
        self.is_audience_known = true;
        self
    }

    /// Accepts signed answers alone (RFC 9701). Default: an answer as plain JSON counts as well, for
    /// which the provider is known by TLS.
    ///
    /// ```
    /// use tower_fhir_auth::TrustedIssuer;
    /// use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
    ///
    /// let client = IntrospectionClient::with_secret("fhir.example.org", "secret");
    /// let issuer = TrustedIssuer::discover("https://idp.example.org")
    ///     .introspection(Introspection::discover(client).require_signed_answers());
    /// ```
    pub fn require_signed_answers(mut self) -> Self {
        self.requires_signature = true;
        self
    }

    /// Reports whether the provider is asked about opaque tokens.
    #[cfg(feature = "config")]
    pub(crate) fn is_of_opaque_tokens(&self) -> bool {
        self.asks_about == IntrospectedTokens::Opaque
    }

    /// Reports whether answers are kept no longer than they may be.
    pub(crate) fn is_max_age_good(&self) -> bool {
        self.max_age <= LONGEST
    }

    /// Returns the mistake in the settings, if there is one.
    pub(super) fn fault(&self, plain_http: &PlainHttp) -> Option<BuildError> {
        let setting = |setting, expected| Some(BuildError::Setting { setting, expected });
        if self.client.id.is_empty() {
            return setting("introspection.client_id", "the id of this server at the provider");
        }
        if matches!(&self.client.proof, ClientAuthMethod::Secret(secret) if secret.reveal().is_empty())
        {
            return setting("introspection.client_secret", "a secret that is not empty");
        }
        if !self.is_max_age_good() {
            return setting("introspection.max_age", "at most 24h");
        }
        let endpoint = self.endpoint.as_deref()?;
        let is_address = secure_url::parse_with(endpoint, plain_http).is_some();
        (!is_address).then(|| BuildError::Address(secure_url::without_user(endpoint)))
    }
}
