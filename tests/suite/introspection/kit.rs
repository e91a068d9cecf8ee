//! A provider on loopback that introspects, as it should or as it should not, and a server that asks it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{get, post};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::keys::{IntrospectionHealth, KeySettings};
use tower_fhir_auth::test_util::{SigningKey, TestClock};
use tower_fhir_auth::{FhirAuthLayer, FhirAuthLayerBuilder, TrustedIssuer, authenticated};

use crate::support::{BASE, NOW, Reply, send};

/// A token that is no JWS.
pub(crate) const OPAQUE: &str = "2YotnFZFEjr1zCsicMWpAA";
pub(crate) const CLIENT: &str = "fhir";
pub(crate) const SECRET: &str = "hunter2";
pub(crate) const ENDPOINT: &str = "/introspect";

/// One question, as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    pub(crate) form: HashMap<String, String>,
}

/// How the provider answers questions.
#[derive(Clone, Debug)]
pub(crate) enum Manner {
    /// As RFC 7662 has it.
    Json,
    /// With this status, content type and body.
    Raw(u16, &'static str, String),
    /// With a header `Location`.
    Redirect(String),
    /// Signed, with these members over those of RFC 9701, and these of the header.
    Signed { claims: Value, header: Value },
    /// Never.
    Hang,
}

impl Manner {
    pub(crate) fn signed() -> Self {
        Self::Signed { claims: json!({}), header: json!({}) }
    }
}

#[derive(Debug)]
struct Inside {
    url: String,
    key: SigningKey,
    /// The key that is published; another one signs where it differs.
    published: Value,
    metadata: Value,
    answers: HashMap<String, Value>,
    manner: Manner,
    delay: Duration,
    asked: Vec<Asked>,
    at_once: usize,
    most_at_once: usize,
}

#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) url: String,
    inside: Arc<Mutex<Inside>>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = SigningKey::generate("one", Algorithm::Es256).unwrap();
        let inside = Arc::new(Mutex::new(Inside {
            published: key.jwk(),
            key,
            metadata: json!({
                "issuer": url,
                "jwks_uri": format!("{url}/jwks"),
                "introspection_endpoint": format!("{url}{ENDPOINT}"),
            }),
            answers: HashMap::new(),
            manner: Manner::Json,
            delay: Duration::ZERO,
            asked: Vec::new(),
            at_once: 0,
            most_at_once: 0,
            url: url.clone(),
        }));
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/.well-known/oauth-authorization-server", get(metadata_of_rfc_8414))
            .route("/jwks", get(jwks))
            .route(ENDPOINT, post(introspect))
            .route("/elsewhere", post(introspect).get(introspect))
            .with_state(Arc::clone(&inside));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, inside }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap()
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("{}{ENDPOINT}", self.url)
    }

    /// What is said of a token of whom nothing is wrong.
    pub(crate) fn good(&self) -> Value {
        json!({
            "active": true, "iss": self.url, "sub": "alice", "aud": BASE, "client_id": "app",
            "scope": "system/Patient.rs launch", "exp": NOW + 300, "token_type": "Bearer",
        })
    }

    /// Says this of a token; of all others that they are not active.
    pub(crate) fn says(&self, token: &str, answer: Value) {
        self.inside().answers.insert(token.to_owned(), answer);
    }

    /// Says what is good of a token, but for these members: `null` takes one away.
    #[expect(clippy::needless_pass_by_value, reason = "it is written where it is passed")]
    pub(crate) fn says_with(&self, token: &str, changes: Value) {
        let mut answer = self.good();
        merge(&mut answer, &changes);
        self.says(token, answer);
    }

    pub(crate) fn withdraw(&self, token: &str) {
        self.inside().answers.remove(token);
    }

    pub(crate) fn behave(&self, manner: Manner) {
        self.inside().manner = manner;
    }

    pub(crate) fn delay(&self, delay: Duration) {
        self.inside().delay = delay;
    }

    pub(crate) fn change_metadata(&self, changes: &Value) {
        merge(&mut self.inside().metadata, changes);
    }

    /// Signs with a key that is not published under this `kid`.
    pub(crate) fn sign_with_another_key(&self, kid: &str) {
        self.inside().key = SigningKey::generate(kid, Algorithm::Es256).unwrap();
    }

    pub(crate) fn publish_key(&self) {
        let mut inside = self.inside();
        inside.published = inside.key.jwk();
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inside().asked.clone()
    }

    pub(crate) fn times(&self) -> usize {
        self.inside().asked.len()
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.inside().most_at_once
    }

    /// A JWT of the provider with nothing wrong, but for these claims.
    #[expect(clippy::needless_pass_by_value, reason = "it is written where it is passed")]
    pub(crate) fn jwt(&self, changes: Value) -> String {
        let mut claims = json!({
            "iss": self.url, "sub": "alice", "aud": BASE, "client_id": "app", "jti": "token-1",
            "scope": "system/Patient.rs launch", "iat": NOW, "exp": NOW + 300,
        });
        merge(&mut claims, &changes);
        let header = json!({"alg": "ES256", "kid": "one", "typ": "at+jwt"});
        let (header, claims) = (header.to_string(), claims.to_string());
        self.inside().key.sign(header.as_bytes(), claims.as_bytes()).unwrap()
    }

    /// A JWT of the provider with another header.
    pub(crate) fn signed(&self, header: &Value, changes: &Value) -> String {
        let mut claims = json!({
            "iss": self.url, "sub": "alice", "aud": BASE, "iat": NOW, "exp": NOW + 300,
        });
        merge(&mut claims, changes);
        let (header, claims) = (header.to_string(), claims.to_string());
        self.inside().key.sign(header.as_bytes(), claims.as_bytes()).unwrap()
    }
}

/// Puts members over others; `null` takes one away.
pub(crate) fn merge(into: &mut Value, changes: &Value) {
    let Some(members) = into.as_object_mut() else { return };
    for (name, value) in changes.as_object().into_iter().flatten() {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
}

type Shared = State<Arc<Mutex<Inside>>>;

async fn metadata(inside: Shared) -> Response<Body> {
    let document = inside.lock().unwrap().metadata.to_string();
    raw(200, "application/json", document)
}

async fn metadata_of_rfc_8414(inside: Shared) -> Response<Body> {
    let url = inside.lock().unwrap().url.clone();
    let endpoint = format!("{url}{ENDPOINT}");
    let document = json!({"issuer": url, "introspection_endpoint": endpoint});
    raw(200, "application/json", document.to_string())
}

async fn jwks(inside: Shared) -> Response<Body> {
    let keys = json!({"keys": [inside.lock().unwrap().published]});
    raw(200, "application/json", keys.to_string())
}

/// Counts the questions that are open at once, also where the client goes away.
struct Open(Arc<Mutex<Inside>>);

impl Open {
    fn new(inside: &Arc<Mutex<Inside>>) -> Self {
        let mut state = inside.lock().unwrap();
        state.at_once += 1;
        state.most_at_once = state.most_at_once.max(state.at_once);
        drop(state);
        Self(Arc::clone(inside))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().unwrap().at_once -= 1;
    }
}

async fn introspect(State(inside): Shared, request: Request<Body>) -> Response<Body> {
    let _open = Open::new(&inside);
    let (parts, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let form: HashMap<String, String> = url_decoded(&body);
    let token = form.get("token").cloned().unwrap_or_default();
    let (delay, manner, answer) = {
        let mut inside = inside.lock().unwrap();
        inside.asked.push(Asked { headers: parts.headers, form });
        let answer = inside.answers.get(&token).cloned();
        let answer = answer.unwrap_or_else(|| json!({"active": false}));
        (inside.delay, inside.manner.clone(), answer)
    };
    tokio::time::sleep(delay).await;
    match manner {
        Manner::Json => raw(200, "application/json", answer.to_string()),
        Manner::Raw(status, content_type, body) => raw(status, content_type, body),
        Manner::Redirect(location) => {
            let mut response = raw(307, "application/json", answer.to_string());
            response.headers_mut().insert("location", location.parse().unwrap());
            response
        }
        Manner::Signed { claims, header } => {
            let inside = inside.lock().unwrap();
            let mut members = json!({
                "iss": inside.url, "aud": CLIENT, "iat": NOW, "token_introspection": answer,
            });
            merge(&mut members, &claims);
            let kid = inside.key.kid();
            let mut head = json!({"alg": "ES256", "kid": kid, "typ": "token-introspection+jwt"});
            merge(&mut head, &header);
            let jws = inside.key.sign(head.to_string().as_bytes(), members.to_string().as_bytes());
            raw(200, "application/token-introspection+jwt", jws.unwrap())
        }
        Manner::Hang => std::future::pending().await,
    }
}

fn raw(status: u16, content_type: &str, body: String) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap();
    let response = Response::builder().status(status);
    let response = match content_type {
        "" => response,
        content_type => response.header("content-type", content_type),
    };
    response.body(Body::from(body)).unwrap()
}

pub(crate) fn url_decoded(form: &[u8]) -> HashMap<String, String> {
    let query = std::str::from_utf8(form).unwrap();
    let url = format!("http://h/?{query}");
    let pairs = reqwest::Url::parse(&url).unwrap();
    pairs.query_pairs().into_owned().collect()
}

/// A server that asks a provider about tokens.
pub(crate) struct Guarded {
    pub(crate) provider: Provider,
    pub(crate) clock: TestClock,
    pub(crate) layer: FhirAuthLayer,
}

impl Guarded {
    /// That asks about opaque tokens.
    pub(crate) async fn start() -> Self {
        Self::with(|settings| settings).await
    }

    /// With other settings.
    pub(crate) async fn with(settings: impl FnOnce(Introspection) -> Introspection) -> Self {
        Self::built(settings, |issuer| issuer, |layer| layer).await
    }

    /// That asks about every token.
    pub(crate) async fn of_every_token() -> Self {
        Self::with(Introspection::of_every_token).await
    }

    pub(crate) async fn built(
        settings: impl FnOnce(Introspection) -> Introspection,
        rules: impl FnOnce(TrustedIssuer) -> TrustedIssuer,
        layer: impl FnOnce(FhirAuthLayerBuilder) -> FhirAuthLayerBuilder,
    ) -> Self {
        let provider = Provider::start().await;
        let clock = TestClock::at(NOW);
        let client = IntrospectionClient::with_secret(CLIENT, SECRET);
        let introspection = settings(Introspection::discover(client));
        let issuer = TrustedIssuer::discover(&provider.url)
            .introspection(introspection)
            .key_settings(quick());
        let builder = FhirAuthLayer::builder(BASE).issuer(rules(issuer)).clock(clock.clone());
        let layer = layer(builder.authorizer(authenticated())).build().unwrap();
        tokio::time::timeout(Duration::from_secs(10), layer.ready()).await.unwrap();
        Self { provider, clock, layer }
    }

    pub(crate) async fn bearer(&self, token: &str) -> Reply {
        bearer(&self.layer, token).await
    }

    pub(crate) fn health(&self) -> IntrospectionHealth {
        self.layer.health().remove(0).introspection.unwrap()
    }
}

pub(crate) async fn bearer(layer: &FhirAuthLayer, token: &str) -> Reply {
    let authorization = format!("Bearer {token}");
    send(layer, Request::get("/r4/Patient/1").header("authorization", authorization)).await
}

/// Times in which an outage can be waited for.
pub(crate) fn quick() -> KeySettings {
    KeySettings::default().timeout(Duration::from_millis(1500)).cooldown(Duration::ZERO)
}

impl Reply {
    /// 503, which passes.
    #[track_caller]
    pub(crate) fn is_unavailable(&self) {
        assert_eq!(self.status, StatusCode::SERVICE_UNAVAILABLE, "{self:#?}");
        let pause: u64 = self.header("retry-after").parse().unwrap();
        assert!((1..=20).contains(&pause), "{pause}");
        assert!(self.body.contains("\"transient\""), "{}", self.body);
        assert_eq!(self.challenge(), "");
    }
}
