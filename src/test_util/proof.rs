//! Proofs of possession (DPoP, RFC 9449).

use std::sync::Arc;

use http::Method;
use serde_json::{Map, Value, json};

use super::{SigningKey, TestUtilError, TokenBuilder};
use crate::jose::Thumbprint;
use crate::jose::json::Document;
use crate::jose::proof_key::ProofKey;
use crate::time::UnixTime;

impl SigningKey {
    /// Returns the thumbprint of the public half (RFC 7638), as `cnf.jkt` of a token names the key.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let header = json!({"jwk": self.jwk()}).to_string();
        let read = || {
            let header = Document::parse(&header).ok()?;
            let jwk = header.get("jwk")?.as_object()?;
            Some(ProofKey::read(jwk, self.algorithm()).ok()?.thumbprint.to_text())
        };
        read().unwrap_or_default()
    }
}

impl TokenBuilder {
    /// Binds the token to a key: it serves with proofs of that key alone.
    ///
    /// ```
    /// use http::Method;
    /// use std::sync::Arc;
    /// use tower_fhir_auth::authentication::{Clock, SystemClock};
    /// use tower_fhir_auth::jose::Algorithm;
    /// use tower_fhir_auth::test_util::{ProofBuilder, SigningKey, TestIssuer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestIssuer::start().await?;
    /// let key = Arc::new(SigningKey::generate("of-the-client", Algorithm::Es256)?);
    /// let token = issuer.token().bound_to(&key).sign()?;
    /// let url = "https://fhir.example.org/r4/Patient/1";
    /// let proof = ProofBuilder::new(key, &Method::GET, url, SystemClock.now());
    /// let proof = proof.of_token(&token).sign()?;
    /// # let _ = proof;
    /// # Ok(()) }
    /// ```
    pub fn bound_to(self, key: &SigningKey) -> Self {
        self.claim("cnf", json!({"jkt": key.thumbprint()}))
    }
}

/// A builder of a proof of possession: the claims of a good one, until they are changed.
///
/// ```
/// use http::Method;
/// use tower_fhir_auth::jose::Algorithm;
/// use tower_fhir_auth::authentication::UnixTime;
/// use tower_fhir_auth::test_util::{ProofBuilder, SigningKey};
///
/// let key = SigningKey::generate("mine", Algorithm::Es256)?.into();
/// let url = "https://fhir.example.org/r4/Patient/1";
/// let proof = ProofBuilder::new(key, &Method::GET, url, UnixTime::from_secs(1_800_000_000))
///     .of_token("the.access.token")
///     .sign()?;
/// assert_eq!(proof.split('.').count(), 3);
/// # Ok::<(), tower_fhir_auth::test_util::TestUtilError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ProofBuilder {
    key: Arc<SigningKey>,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl ProofBuilder {
    /// Makes a proof of `key` for a request, at `now`, with a `jti` of its own. `ath` is yours to set.
    pub fn new(key: Arc<SigningKey>, method: &Method, url: &str, now: UnixTime) -> Self {
        let members = |value: Value| value.as_object().cloned().unwrap_or_default();
        let header = json!({"typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": key.jwk()});
        let claims = json!({
            "jti": format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)),
            "htm": method.as_str(), "htu": url, "iat": now.as_secs(),
        });
        Self { key, header: members(header), claims: members(claims) }
    }

    /// Sets `ath` to the hash of an access token.
    pub fn of_token(self, token: &str) -> Self {
        self.claim("ath", Thumbprint::of(token.as_bytes()).to_text())
    }

    /// Sets a claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a member of the header.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a member of the header out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Signs with another key, leaving the header as it is.
    pub fn signed_by(mut self, key: Arc<SigningKey>) -> Self {
        self.key = key;
        self
    }

    /// Signs the proof.
    ///
    /// # Errors
    ///
    /// When the crypto library fails.
    pub fn sign(self) -> Result<String, TestUtilError> {
        let header = Value::Object(self.header).to_string();
        let claims = Value::Object(self.claims).to_string();
        self.key.sign(header.as_bytes(), claims.as_bytes())
    }
}
