//! Tokens, good ones and ones that no issuer would send.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{SigningKey, TestUtilError};
use crate::time::UnixTime;

/// A builder of a token: the claims of a good one, until they are changed.
///
/// It begins with `iss`, `sub` = `alice`, `client_id` = `app`, `jti`, `iat` = now and `exp` five
/// minutes later, and a header with `alg`, `kid` and `typ` = `at+jwt`. `aud` is yours to set.
///
/// ```
/// use tower_fhir_auth::test_util::TestIssuer;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::start().await?;
/// let expired = issuer.token().claim("aud", "https://api.example.org").claim("exp", 1).sign()?;
/// let without_subject = issuer.token().without("sub").sign()?;
/// # let _ = (expired, without_subject);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TokenBuilder {
    key: Arc<SigningKey>,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl TokenBuilder {
    /// A token of `issuer`, signed with `key`, issued at `now`.
    pub fn new(issuer: &str, key: Arc<SigningKey>, now: UnixTime) -> Self {
        let members = |value: Value| value.as_object().cloned().unwrap_or_default();
        let header = json!({"alg": key.algorithm().name(), "kid": key.kid(), "typ": "at+jwt"});
        let claims = json!({
            "iss": issuer, "sub": "alice", "client_id": "app",
            "jti": format!("{:016x}", fastrand::u64(..)),
            "iat": now.as_secs(), "exp": now.as_secs() + 300,
        });
        Self { key, header: members(header), claims: members(claims) }
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

    /// Signs the token.
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
