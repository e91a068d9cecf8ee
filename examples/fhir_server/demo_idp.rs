//! An authorization server for trying out: discovery document, key set, token endpoint, and keys
//! that really rotate. It binds to loopback alone, and everybody knows its secrets.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::test_util::{SigningKey, TestUtilError, TokenBuilder};
use tower_fhir_auth::{AudiencePolicy, Authenticator, TrustedIssuer};

use crate::Error;

/// How often a new key signs. The one before stays published until the next rotation.
const ROTATION: Duration = Duration::from_secs(60);

/// The callers that can get a token with `client_credentials`, and what they may hold. That people
/// are clients is the demo's short cut: theirs would be the authorization code flow.
const CLIENTS: &[Client] = &[
    Client { roles: &["globalReader"], ..Client::named("reader") },
    Client { roles: &["globalWriter"], ..Client::named("writer") },
    Client { roles: &["globalAdmin"], ..Client::named("admin") },
    Client {
        scopes: &["system/Patient.rs", "system/Observation.rs", "system/*.rs"],
        ..Client::named("app")
    },
    Client { scopes: &["system/*.rs"], ..Client::named(BACKEND) },
    Client { scopes: PATIENT_SCOPES, patient: Some("1"), ..Client::named("amara") },
    Client { scopes: PATIENT_SCOPES, patient: Some("2"), ..Client::named("tobi") },
    Client {
        scopes: &["user/*.rs", "user/Observation.rs?category=laboratory", "user/Observation.cruds"],
        fhir_user: Some("Practitioner/house-doctor"),
        ..Client::named("doctor")
    },
];

const PATIENT_SCOPES: &[&str] = &["patient/*.cruds", "patient/*.rs", "patient/Observation.rs"];

/// The client that authenticates with a key.
const BACKEND: &str = "backend";

/// The secret of every other client.
pub(crate) const SECRET: &str = "demo";

struct Client {
    id: &'static str,
    roles: &'static [&'static str],
    scopes: &'static [&'static str],
    patient: Option<&'static str>,
    fhir_user: Option<&'static str>,
}

impl Client {
    const fn named(id: &'static str) -> Self {
        Self { id, roles: &[], scopes: &[], patient: None, fhir_user: None }
    }
}

pub(crate) struct DemoIdp {
    url: String,
}

struct Issuer {
    url: String,
    /// The audience of tokens that are asked for without a `resource`.
    audience: String,
    keys: RwLock<Keys>,
    /// The key of the client that has no secret, and what verifies its assertions.
    backend: Arc<SigningKey>,
    assertions: Authenticator,
}

struct Keys {
    current: Arc<SigningKey>,
    previous: Option<Arc<SigningKey>>,
    made: u32,
}

#[derive(Deserialize)]
struct TokenRequest {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
    client_assertion_type: Option<String>,
    client_assertion: Option<String>,
    scope: Option<String>,
    /// RFC 8707
    resource: Option<String>,
}

impl DemoIdp {
    /// Starts on a free port of 127.0.0.1.
    pub(crate) async fn start(audience: String) -> Result<Self, Error> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let backend = Arc::new(SigningKey::generate("backend-1", Algorithm::Es384)?);
        let keys = json!({"keys": [backend.jwk()]}).to_string();
        let client = TrustedIssuer::with_keys(BACKEND, JwkSet::parse(keys.as_bytes())?)
            .audience(AudiencePolicy::exact([format!("{url}/token")]));
        let issuer = Arc::new(Issuer {
            url: url.clone(),
            audience,
            keys: RwLock::new(Keys { current: new_key(1).await?, previous: None, made: 1 }),
            backend,
            assertions: Authenticator::builder().issuer(client).build()?,
        });
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/token", post(token))
            .route("/rotate", post(rotate_now))
            .route("/assertion", get(assertion))
            .with_state(Arc::clone(&issuer));
        tokio::spawn(axum::serve(listener, app).into_future());
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

impl Issuer {
    async fn rotate(&self) -> Result<(), TestUtilError> {
        let made = self.keys.read().unwrap_or_else(PoisonError::into_inner).made + 1;
        let key = new_key(made).await?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.previous = Some(std::mem::replace(&mut keys.current, key));
        keys.made = made;
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
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported":
            ["client_secret_basic", "client_secret_post", "private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["ES384"],
        "scopes_supported": ["patient/*.cruds", "user/*.rs", "system/*.rs"],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn jwks(State(issuer): State<Arc<Issuer>>) -> Json<Value> {
    let keys = issuer.keys.read().unwrap_or_else(PoisonError::into_inner);
    let published = std::iter::once(&keys.current).chain(&keys.previous);
    Json(json!({ "keys": published.map(|key| key.jwk()).collect::<Vec<_>>() }))
}

async fn rotate_now(State(issuer): State<Arc<Issuer>>) -> Result<StatusCode, OAuthError> {
    issuer.rotate().await.map_err(|_| OAuthError("server_error"))?;
    Ok(StatusCode::NO_CONTENT)
}

/// RFC 6749 section 4.4, with `resource` of RFC 8707 for the audience.
async fn token(
    State(issuer): State<Arc<Issuer>>,
    headers: HeaderMap,
    Form(request): Form<TokenRequest>,
) -> Result<([(HeaderName, &'static str); 1], Json<Value>), OAuthError> {
    let client = match &request.client_assertion {
        Some(_) => by_assertion(&issuer, &request).await,
        None => authenticate(&headers, &request),
    };
    let client = client.ok_or(OAuthError("invalid_client"))?;
    if request.grant_type != "client_credentials" {
        return Err(OAuthError("unsupported_grant_type"));
    }
    let scope = match request.scope {
        // The first of a client's scopes is what it gets without asking for more.
        None => client.scopes.first().copied().unwrap_or_default().to_owned(),
        Some(scope) if scope.split(' ').all(|one| client.scopes.contains(&one)) => scope,
        Some(_) => return Err(OAuthError("invalid_scope")),
    };
    let audience = request.resource.unwrap_or_else(|| issuer.audience.clone());
    let key = Arc::clone(&issuer.keys.read().unwrap_or_else(PoisonError::into_inner).current);
    let token = TokenBuilder::new(&issuer.url, key, SystemClock.now())
        .claim("sub", client.id)
        .claim("client_id", client.id)
        .claim("aud", audience)
        .claim("scope", scope.clone())
        .claim("roles", client.roles)
        .claim("patient", client.patient)
        .claim("fhirUser", client.fhir_user)
        .sign()
        .map_err(|_| OAuthError("server_error"))?;
    let answer = json!({
        "access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": scope,
    });
    Ok(([(CACHE_CONTROL, "no-store")], Json(answer)))
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

/// `private_key_jwt` (RFC 7523, SMART Backend Services): an assertion is a token that the client
/// issues about itself, so that it is verified like one.
async fn by_assertion(issuer: &Issuer, request: &TokenRequest) -> Option<&'static Client> {
    let of_jwt = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    request.client_assertion_type.as_deref().filter(|kind| *kind == of_jwt)?;
    let mut headers = HeaderMap::new();
    let bearer = format!("Bearer {}", request.client_assertion.as_deref()?);
    headers.insert(AUTHORIZATION, bearer.parse().ok()?);
    let caller = issuer.assertions.authenticate(&headers, &Uri::default()).await.ok()?;
    let subject = caller.subject().filter(|subject| *subject == caller.issuer())?;
    CLIENTS.iter().find(|client| client.id == subject)
}

/// By HTTP Basic, or by the fields of the form (RFC 6749 section 2.3.1).
fn authenticate(headers: &HeaderMap, request: &TokenRequest) -> Option<&'static Client> {
    let basic = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let basic = basic.and_then(|value| value.strip_prefix("Basic "));
    let (id, secret) = match basic {
        Some(encoded) => {
            let decoded = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
            let (id, secret) = decoded.split_once(':')?;
            (id.to_owned(), secret.to_owned())
        }
        None => (request.client_id.clone()?, request.client_secret.clone()?),
    };
    // The backend has a key in place of a secret.
    CLIENTS.iter().find(|client| client.id == id && id != BACKEND && secret == SECRET)
}

/// An error of RFC 6749 section 5.2.
struct OAuthError(&'static str);

impl axum::response::IntoResponse for OAuthError {
    fn into_response(self) -> axum::response::Response {
        let status = match self.0 {
            "invalid_client" => StatusCode::UNAUTHORIZED,
            "server_error" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        (status, Json(json!({ "error": self.0 }))).into_response()
    }
}
