//! Tokens: a good one, and whatever is changed about it.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use aws_lc_rs::hmac;
use serde_json::{Map, Value, json};

use crate::issuer::Trust;
use crate::key::{Digest, SigningKey, encode};

/// A token that is yet to be signed.
#[derive(Clone, Debug)]
pub struct Token<'a> {
    key: &'a SigningKey,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl<'a> Token<'a> {
    /// A token like those of Microsoft Entra ID for a user of an application: version 2.0, with
    /// groups, roles and scopes, about 2.1 kB in all.
    pub(crate) fn good(key: &'a SigningKey, trust: &Trust) -> Self {
        let now = now();
        let groups = (0..13).map(|group| format!("6a1f0c2e-93b7-4d58-8e21-5c0b7d9f{group:04x}"));
        let claims = json!({
            "aud": trust.audience,
            "iss": trust.issuer,
            "iat": now,
            "nbf": now,
            "exp": now + 4 * 3600,
            "aio": "AWQAm/8bAAAAz7LxQb4kR0dY5tJm1vUeWgS3xPoNfCi9hEaLqTyKsDrMwBjZ2u6XGVIOHn8c",
            "azp": "0b5c1f7e-2d44-4e0a-9a5f-7f6d3c2b1a09",
            "azpacr": "1",
            "groups": groups.collect::<Vec<_>>(),
            "name": "Alice Example",
            "oid": "3f2a9d10-7c65-4b8e-a1d2-9e8f7a6b5c4d",
            "preferred_username": "alice@clinic.example.org",
            "rh": "0.AXoAYmF6YXItdGVuYW50LWlkLTAwMDAtMDAwMQ.",
            "roles": ["globalReader"],
            "scp": "user/Patient.rs user/Observation.rs",
            "sub": "kQmT3cV9pZ2nL7xW5yB8dF1gH4jR6sU0aE-oI_tKqXw",
            "tid": "11111111-2222-3333-4444-555555555555",
            "uti": "Zr7mXc0pQ0ySgWb3vK1LAA",
            "ver": "2.0",
            "wids": ["b79fbf4d-3ef9-4689-8143-76b194e85509"],
        });
        let header = json!({"typ": "JWT", "alg": "RS256", "kid": key.kid});
        Self { key, header: members(header), claims: members(claims) }
    }

    /// Sets a claim.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets a member of the header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// The token, with RS256.
    ///
    /// # Errors
    ///
    /// When the crypto library does not sign.
    pub fn sign(&self) -> Result<String> {
        self.signed_with(|message| self.key.sign(Digest::Sha256, message))
    }

    /// The same, with RS384, for which the key is not listed.
    ///
    /// # Errors
    ///
    /// When the crypto library does not sign.
    pub fn sign_rs384(self) -> Result<String> {
        let token = self.header("alg", "RS384");
        token.signed_with(|message| token.key.sign(Digest::Sha384, message))
    }

    /// The same, with a signature that is none.
    ///
    /// # Errors
    ///
    /// When the crypto library does not sign.
    pub fn forge(&self) -> Result<String> {
        self.signed_with(|message| {
            let mut signature = self.key.sign(Digest::Sha256, message)?;
            signature.iter_mut().skip(100).take(1).for_each(|byte| *byte ^= 1);
            Ok(signature)
        })
    }

    /// The same, with a signature of another kind.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn signed_with(&self, sign: impl FnOnce(&[u8]) -> Result<Vec<u8>>) -> Result<String> {
        self.assemble(&Value::Object(self.claims.clone()).to_string(), sign)
    }

    /// The same, with a member before all claims, though there may be one of that name.
    ///
    /// # Errors
    ///
    /// When the crypto library does not sign.
    pub fn with_duplicate(&self, name: &str, value: &str) -> Result<String> {
        let claims = Value::Object(self.claims.clone()).to_string();
        let claims = claims.replacen('{', &format!("{{\"{name}\":\"{value}\","), 1);
        self.assemble(&claims, |message| self.key.sign(Digest::Sha256, message))
    }

    fn assemble(
        &self,
        claims: &str,
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>>,
    ) -> Result<String> {
        let header = Value::Object(self.header.clone()).to_string();
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = encode(sign(message.as_bytes())?);
        Ok(format!("{message}.{signature}"))
    }
}

/// HS256, as whoever has the key can make it.
pub fn hs256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, message).as_ref().to_vec()
}

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs())
}

fn members(object: Value) -> Map<String, Value> {
    match object {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::Issuer;

    #[test]
    fn the_good_token_is_as_long_as_those_of_entra() -> anyhow::Result<()> {
        let length = Issuer::start()?.token().sign()?.len();
        assert!((2_000..2_200).contains(&length), "{length} bytes");
        Ok(())
    }
}
