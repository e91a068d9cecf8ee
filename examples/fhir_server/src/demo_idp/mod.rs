//! An authorization server for trying out: discovery document, key set, authorization and token endpoint,
//! and keys that really rotate. It binds to loopback alone, and everybody knows its secrets.

mod authorize;
mod clients;
mod grants;
mod guard;
mod token;

use std::collections::VecDeque;
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

/// The most keys that signed before and are still published, however often somebody rotates.
const MAX_PREVIOUS: usize = 32;

struct Keys {
    current: Arc<SigningKey>,
    /// The keys that signed before, oldest first, and when they ceased to: published as long as a token may live.
    previous: VecDeque<(Arc<SigningKey>, Instant)>,
    made: u32,
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
            keys: RwLock::new(Keys {
                current: new_key(1).await?,
                previous: VecDeque::new(),
                made: 1,
            }),
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
                if let Err(error) = issuer.rotate().await {
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
    async fn rotate(&self) -> Result<(), TestUtilError> {
        // Concurrent rotations make keys of different ids.
        let number = {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            keys.made += 1;
            keys.made
        };
        let key = new_key(number).await?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut keys.current, key);
        keys.previous.push_back((before, Instant::now()));
        if keys.previous.len() > MAX_PREVIOUS {
            keys.previous.pop_front();
        }
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
    let is_needed = |since: &Instant| since.elapsed() <= LONGEST_LIFETIME;
    let previous = keys.previous.iter().filter(|(_, since)| is_needed(since));
    let published = std::iter::once(&keys.current).chain(previous.map(|(key, _)| key));
    Json(json!({ "keys": published.map(|key| key.jwk()).collect::<Vec<_>>() }))
}

async fn rotate_now(State(issuer): State<Arc<Issuer>>) -> Result<StatusCode, OAuthError> {
    issuer.rotate().await.map_err(|_| OAuthError("server_error"))?;
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
