//! A token in the making, with the key set that it is judged by.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::{Map, Value, json};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::SigningKey;

pub(crate) const ISSUER: &str = "https://idp.example.org";
pub(crate) const AUDIENCE: &str = "https://fhir.example.org/r4";

/// Keys of several kinds, and one more of each that no key set has.
pub(crate) struct Keys {
    listed: Vec<SigningKey>,
    strange: Vec<SigningKey>,
}

impl Keys {
    pub(crate) fn generate() -> Self {
        let all = [
            Algorithm::Rs256,
            Algorithm::Ps256,
            Algorithm::Es256,
            Algorithm::Es384,
            Algorithm::EdDsa,
        ];
        let make = |prefix: &str| {
            let each = all.iter().enumerate();
            each.map(|(at, one)| SigningKey::generate(format!("{prefix}-{at}"), *one).unwrap())
                .collect()
        };
        Self { listed: make("key"), strange: make("strange") }
    }

    pub(crate) fn len(&self) -> usize {
        self.listed.len()
    }

    pub(crate) fn get(&self, at: usize) -> &SigningKey {
        self.listed.get(at).unwrap()
    }

    pub(crate) fn strange(&self, at: usize) -> &SigningKey {
        self.strange.get(at).unwrap()
    }
}

/// A token and its key set, before they are text.
pub(crate) struct Draft<'k> {
    pub(crate) keys: &'k Keys,
    pub(crate) key: usize,
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    /// Members of a JSON text that a map cannot hold, such as doubled ones.
    pub(crate) header_text: Option<fn(String) -> String>,
    pub(crate) claims_text: Option<fn(String) -> String>,
    pub(crate) signs: Signs,
    pub(crate) token_text: Option<fn(String) -> String>,
    /// The entry of the key, and what stands beside it in the set.
    pub(crate) jwk: Map<String, Value>,
    pub(crate) beside: Vec<Value>,
}

/// Who signs, and how.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Signs {
    Key,
    Strange,
    Nobody,
    /// HMAC with the public key as the secret.
    PublicKeyAsSecret,
}

#[derive(Serialize)]
pub(crate) struct Case {
    pub(crate) token: String,
    pub(crate) jwks: Value,
    #[serde(skip)]
    pub(crate) changes: Vec<&'static str>,
}

impl<'k> Draft<'k> {
    pub(crate) fn good(keys: &'k Keys, key: usize) -> Self {
        let signing = keys.get(key);
        let now = now();
        let header =
            json!({"alg": signing.algorithm().name(), "kid": signing.kid(), "typ": "at+jwt"});
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "client_id": "app", "jti": "1",
            "iat": now - 30, "exp": now + 3_600, "scope": "patient/*.rs",
        });
        let members = |value: Value| value.as_object().cloned().unwrap();
        let beside = (0..keys.len()).filter(|at| *at != key).map(|at| keys.get(at).jwk()).collect();
        Self {
            keys,
            key,
            header: members(header),
            claims: members(claims),
            header_text: None,
            claims_text: None,
            signs: Signs::Key,
            token_text: None,
            jwk: members(signing.jwk()),
            beside,
        }
    }

    pub(crate) fn claim(&mut self, name: &str, value: impl Into<Value>) {
        self.claims.insert(name.to_owned(), value.into());
    }

    pub(crate) fn member(&mut self, name: &str, value: impl Into<Value>) {
        self.header.insert(name.to_owned(), value.into());
    }

    pub(crate) fn entry(&mut self, name: &str, value: impl Into<Value>) {
        self.jwk.insert(name.to_owned(), value.into());
    }

    pub(crate) fn finish(self, changes: Vec<&'static str>) -> Case {
        let text = |members: &Map<String, Value>, change: Option<fn(String) -> String>| {
            let text = Value::Object(members.clone()).to_string();
            change.map_or_else(|| text.clone(), |change| change(text.clone()))
        };
        let header = text(&self.header, self.header_text);
        let claims = text(&self.claims, self.claims_text);
        let signed = |key: &SigningKey| key.sign(header.as_bytes(), claims.as_bytes()).unwrap();
        let input = || {
            let b64 = |text: &str| URL_SAFE_NO_PAD.encode(text);
            format!("{}.{}", b64(&header), b64(&claims))
        };
        let token = match self.signs {
            Signs::Key => signed(self.keys.get(self.key)),
            Signs::Strange => signed(self.keys.strange(self.key)),
            Signs::Nobody => format!("{}.", input()),
            Signs::PublicKeyAsSecret => {
                let secret = Value::Object(self.jwk.clone()).to_string();
                let key =
                    aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
                let tag = aws_lc_rs::hmac::sign(&key, input().as_bytes());
                format!("{}.{}", input(), URL_SAFE_NO_PAD.encode(tag.as_ref()))
            }
        };
        let token = self.token_text.map_or_else(|| token.clone(), |change| change(token.clone()));
        let mut all = vec![Value::Object(self.jwk)];
        all.extend(self.beside);
        Case { token, jwks: json!({"keys": all}), changes }
    }
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}
