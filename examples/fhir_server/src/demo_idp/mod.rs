//! An authorization server for trying out: discovery document, key set, authorization and token endpoint,
//! and keys that really rotate. It binds to loopback alone, and everybody knows its secrets.

mod authorize;
mod clients;
mod grants;
mod guard;
mod token;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::test_util::{SigningKey, TestUtilError, TokenBuilder};
use tower_fhir_auth::{AudiencePolicy, Authenticator, TrustedIssuer};
use tower_http::cors::CorsLayer;

use self::clients::BACKEND;
pub(crate) use self::clients::{PAGE, SECRET, scopes_of_people};
use self::grants::Grants;
use self::token::{LONGEST_LIFETIME, OAuthError, token};
use crate::Error;
use crate::serve::{self, HttpService};

/// The interval after which a new key signs.
const ROTATION: Duration = Duration::from_secs(60);

pub(crate) struct DemoIdp {
    url: String,
}

struct Issuer {
    url: String,
    /// The audience of tokens that are asked for without a `resource`.
    audience: String,
    /// The address of the page, to which people are sent back.
    page: String,
    grants: Mutex<Grants>,
    keys: RwLock<Keys>,
    /// The key of the client that has no secret, and what verifies its assertions.
    backend: Arc<SigningKey>,
    assertions: Authenticator,
}

struct Keys {
    current: Arc<SigningKey>,
    /// The keys that signed before, and when they ceased to.
    previous: Vec<(Arc<SigningKey>, Instant)>,
    made: u32,
}

impl Keys {
    /// Signs with another key from now on.
    fn replace(&mut self, key: Arc<SigningKey>, now: Instant) {
        let is_needed = |since: &Instant| now.duration_since(*since) <= LONGEST_LIFETIME;
        self.previous.retain(|(_, since)| is_needed(since));
        let before = std::mem::replace(&mut self.current, key);
        self.previous.push((before, now));
    }

    /// Withdraws the keys that signed before, as a provider does whose key has become known.
    fn withdraw(&mut self) {
        self.previous.clear();
    }

    /// The key that signs, and those of tokens that may still live.
    fn published(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&*self.current).chain(self.previous.iter().map(|(key, _)| &**key))
    }
}

impl DemoIdp {
    /// Starts on a free port of 127.0.0.1, for the FHIR server and the page of an origin.
    pub(crate) async fn start(audience: String, origin: &str) -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let backend = Arc::new(SigningKey::generate("backend-1", Algorithm::Es384)?);
        let keys = json!({"keys": [backend.jwk()]}).to_string();
        let client = TrustedIssuer::with_keys(BACKEND, JwkSet::parse(keys.as_bytes())?)
            .audience(AudiencePolicy::exact([format!("{url}/token")]));
        let issuer = Arc::new(Issuer {
            url: url.clone(),
            audience,
            page: format!("{origin}/"),
            grants: Mutex::default(),
            keys: RwLock::new(Keys { current: new_key(1).await?, previous: Vec::new(), made: 1 }),
            backend,
            assertions: Authenticator::builder().issuer(client).build()?,
        });
        // Scripts of the page alone may read a token.
        let cors = CorsLayer::new().allow_origin(HeaderValue::from_str(origin)?);
        let guard = from_fn_with_state(Arc::clone(&issuer), guard::own_sites_alone);
        let app = router().layer(guard).layer(cors).with_state(Arc::clone(&issuer));
        tokio::spawn(serve::until(std::future::pending(), listener, HttpService::new(app)));
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(ROTATION).await;
                if let Err(error) = issuer.rotate(false).await {
                    tracing::warn!(%error, "the demo's key stays for another round");
                }
            }
        });
        Ok(Self { url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

fn router() -> Router<Arc<Issuer>> {
    let style = ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("../page/style.css"));
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/authorize", get(authorize::ask).post(authorize::answer))
        .route("/style.css", get(move || async move { style }))
        .route("/token", post(token))
        .route("/rotate", post(rotate_now))
        .route("/assertion", get(assertion))
}

impl Issuer {
    async fn rotate(&self, withdraws: bool) -> Result<(), TestUtilError> {
        // Concurrent rotations make keys of different ids.
        let number = {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            keys.made += 1;
            keys.made
        };
        let key = new_key(number).await?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if withdraws {
            keys.withdraw();
        }
        keys.replace(key, Instant::now());
        Ok(())
    }
}

/// RSA keys take a while to make; requests go on meanwhile.
async fn new_key(number: u32) -> Result<Arc<SigningKey>, TestUtilError> {
    let make = move || SigningKey::generate(format!("demo-{number}"), Algorithm::Rs256);
    match tokio::task::spawn_blocking(make).await {
        Ok(key) => key.map(Arc::new),
        Err(stopped) => Err(std::io::Error::other(stopped).into()),
    }
}

async fn discovery(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let url = &issuer.url;
    Json(json!({
        "issuer": url,
        "jwks_uri": format!("{url}/jwks"),
        "token_endpoint": format!("{url}/token"),
        "authorization_endpoint": format!("{url}/authorize"),
        "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "none", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES384"],
        "scopes_supported": ["offline_access", "patient/*.cruds", "user/*.rs", "system/*.rs"],
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let keys = issuer.keys.read().unwrap_or_else(PoisonError::into_inner);
    Json(json!({ "keys": keys.published().map(SigningKey::jwk).collect::<Vec<_>>() }))
}

/// Rotates for somebody who wants to see what a withdrawn key does: tokens of the key before serve on until the next time.
async fn rotate_now(State(issuer): State<Arc<Issuer>>) -> Result<StatusCode, OAuthError> {
    issuer.rotate(true).await.map_err(|_| OAuthError("server_error"))?;
    Ok(StatusCode::NO_CONTENT)
}

/// An assertion ready made, as the backend would sign one with its private key: the demo's short
/// cut for those who have no such key at hand.
async fn assertion(State(issuer): State<Arc<Issuer>>) -> Result<String, OAuthError> {
    TokenBuilder::new(BACKEND, Arc::clone(&issuer.backend), SystemClock.now())
        .header("typ", "JWT")
        .claim("sub", BACKEND)
        .claim("aud", format!("{}/token", issuer.url))
        .sign()
        .map_err(|_| OAuthError("server_error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_published_as_long_as_their_tokens_live() {
        let key = |number: u32| {
            let key = SigningKey::generate(format!("demo-{number}"), Algorithm::Es256);
            Arc::new(key.unwrap())
        };
        let start = Instant::now();
        let mut keys = Keys { current: key(1), previous: Vec::new(), made: 1 };
        for number in 2..20 {
            keys.replace(key(number), start + ROTATION * number);
        }
        let published: Vec<Value> = keys.published().map(SigningKey::jwk).collect();
        // The oldest ceased to sign 360 s ago: at the 13th rotation, of 19.
        let kids: Vec<&str> = published.iter().filter_map(|key| key["kid"].as_str()).collect();
        let expected = ["19", "12", "13", "14", "15", "16", "17", "18"];
        assert_eq!(kids, expected.map(|number| format!("demo-{number}")));
    }
}
