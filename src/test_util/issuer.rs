//! An OpenID provider on loopback, as far as a resource server sees one.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::{SigningKey, TestUtilError, TokenBuilder};
use crate::authentication::TrustedIssuer;
use crate::background_task::BackgroundTask;
use crate::jose::Algorithm;
use crate::middleware::FhirAuthLayer;
use crate::time::{Clock, SystemClock, UnixTime};

/// The path of the key set.
const JWKS: &str = "/jwks";
/// The path of the discovery document.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A loopback issuer: discovery document, key set, tokens. It stops when it is dropped.
///
/// ```
/// use tower_fhir_auth::test_util::TestIssuer;
/// use tower_fhir_auth::{FhirAuthLayer, authenticated};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::start().await?;
/// let layer = FhirAuthLayer::builder("https://api.example.org")
///     .issuer(issuer.trusted())
///     .authorizer(authenticated())
///     .build()?;
/// layer.ready().await;
///
/// let token = issuer.token().claim("aud", "https://api.example.org").sign()?;
/// issuer.rotate()?; // its next tokens are signed by another key
/// # let _ = token;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TestIssuer {
    url: String,
    state: Arc<Mutex<State>>,
    _server: BackgroundTask,
}

#[derive(Debug)]
struct State {
    /// The key that signs tokens.
    current: Arc<SigningKey>,
    /// The key before it, still published after a rotation.
    previous: Option<Arc<SigningKey>>,
    /// Keys that are published before they sign.
    upcoming: VecDeque<Arc<SigningKey>>,
    /// The answers that replace the documents.
    answers: HashMap<String, Answer>,
    requests: HashMap<String, u64>,
    made: usize,
}

/// An answer that replaces a document.
///
/// ```
/// use http::StatusCode;
/// use std::time::Duration;
/// use tower_fhir_auth::test_util::{Answer, TestIssuer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::start().await?;
/// // An endpoint of the provider that fails, slowly.
/// let answer = Answer::status(StatusCode::BAD_GATEWAY).after(Duration::from_millis(50));
/// issuer.answer("/introspect", answer);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Answer {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
    delay: Duration,
}

impl Answer {
    /// Answers with a JSON document and status 200.
    pub fn json(document: &Value) -> Self {
        Self::status(StatusCode::OK).body(document.to_string())
    }

    /// Answers with a status and no document.
    pub fn status(status: StatusCode) -> Self {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { status, headers: vec![json], body: Bytes::new(), delay: Duration::ZERO }
    }

    /// Answers only after a very long time.
    ///
    /// ```
    /// use tower_fhir_auth::test_util::{Answer, TestIssuer};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestIssuer::start().await?;
    /// issuer.answer("/jwks", Answer::hang());
    /// # Ok(()) }
    /// ```
    pub fn hang() -> Self {
        Self::status(StatusCode::OK).after(Duration::from_secs(3600))
    }

    /// Sets another body.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets another header, in place of one of the same name.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.retain(|(present, _)| *present != name);
        self.headers.push((name, value));
        self
    }

    /// Delays the answer.
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }
}

impl TestIssuer {
    /// Starts an issuer with an ES256 key on a free port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When no port or key is available.
    pub async fn start() -> Result<Self, TestUtilError> {
        Self::with_algorithm(Algorithm::Es256).await
    }

    /// Starts an issuer that signs with another algorithm.
    ///
    /// ```
    /// use tower_fhir_auth::jose::Algorithm;
    /// use tower_fhir_auth::test_util::TestIssuer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestIssuer::with_algorithm(Algorithm::Es384).await?;
    /// assert_eq!(issuer.key().algorithm(), Algorithm::Es384);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When no port or key is available.
    pub async fn with_algorithm(algorithm: Algorithm) -> Result<Self, TestUtilError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let key = Arc::new(SigningKey::generate("key-1", algorithm)?);
        let state = Arc::new(Mutex::new(State {
            current: key,
            previous: None,
            upcoming: VecDeque::new(),
            answers: HashMap::new(),
            requests: HashMap::new(),
            made: 1,
        }));
        let server = serve(listener, url.clone(), Arc::clone(&state));
        Ok(Self { url, state, _server: BackgroundTask::spawn(&Handle::current(), server) })
    }

    /// Returns the issuer's name and address, for example `http://127.0.0.1:40123`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the address of the key set.
    #[must_use]
    pub fn jwks_uri(&self) -> String {
        format!("{}{JWKS}", self.url)
    }

    /// Returns this issuer as one to trust, found by discovery.
    pub fn trusted(&self) -> TrustedIssuer {
        TrustedIssuer::discover(self.url())
    }

    /// Makes a good token, issued now. Its `aud` is yours to set.
    pub fn token(&self) -> TokenBuilder {
        self.token_at(SystemClock.now())
    }

    /// Makes a token that a layer accepts and a [`ScopePolicy`](crate::ScopePolicy) grants everything: issued
    /// now by the clock of the layer, with its base URL as `aud` and the scope `system/*.cruds`. Where the
    /// issuer has other audiences or the layer another authorizer, set `aud` or what that asks for.
    ///
    /// ```
    /// use tower_fhir_auth::test_util::{TestClock, TestIssuer};
    /// use tower_fhir_auth::{FhirAuthLayer, ScopePolicy};
    ///
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// let (issuer, clock) = (TestIssuer::start().await?, TestClock::at(1_800_000_000));
    /// let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
    ///     .issuer(issuer.trusted())
    ///     .authorizer(ScopePolicy::new())
    ///     .clock(clock.clone())
    ///     .build()?;
    /// layer.ready().await;
    ///
    /// let token = issuer.token_for(&layer).sign()?;
    /// let request = http::Request::get("/r4/Patient/1")
    ///     .header("authorization", format!("Bearer {token}"));
    /// let (request, ()) = request.body(())?.into_parts();
    /// assert!(layer.explain(&request).await.is_accepted());
    /// clock.advance(3600);
    /// assert!(!layer.explain(&request).await.is_accepted());
    /// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    pub fn token_for(&self, layer: &FhirAuthLayer) -> TokenBuilder {
        self.token_at(layer.authenticator().clock().now())
            .claim("aud", layer.base_url())
            .claim("scope", "system/*.cruds")
    }

    /// Makes a good token, issued at another time.
    pub fn token_at(&self, now: UnixTime) -> TokenBuilder {
        TokenBuilder::new(&self.url, self.key(), now)
    }

    /// Returns the key that signs now.
    #[must_use]
    pub fn key(&self) -> Arc<SigningKey> {
        Arc::clone(&self.state().current)
    }

    /// Rotates: a new key signs from now on, and the key set has it and the one before. It is the
    /// first of those that were [published](Self::publish_next) ahead, if there are any.
    ///
    /// # Errors
    ///
    /// When no key can be generated.
    pub fn rotate(&self) -> Result<(), TestUtilError> {
        let mut state = self.state();
        let key = match state.upcoming.pop_front() {
            Some(key) => key,
            None => state.new_key()?,
        };
        state.previous = Some(std::mem::replace(&mut state.current, key));
        Ok(())
    }

    /// Publishes a key that a later rotation will sign with, as careful providers do.
    ///
    /// ```
    /// use tower_fhir_auth::test_util::TestIssuer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestIssuer::start().await?;
    /// issuer.publish_next()?; // both keys are published
    /// issuer.rotate()?; // the new one signs
    /// issuer.withdraw_old_key();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When no key can be generated.
    pub fn publish_next(&self) -> Result<(), TestUtilError> {
        let mut state = self.state();
        let key = state.new_key()?;
        state.upcoming.push_back(key);
        Ok(())
    }

    /// Withdraws the key that signed before.
    pub fn withdraw_old_key(&self) {
        self.state().previous = None;
    }

    /// Answers requests for a path with something else: the key set at `/jwks`, the discovery
    /// document at `/.well-known/openid-configuration`.
    pub fn answer(&self, path: &str, answer: Answer) {
        self.state().answers.insert(path.to_owned(), answer);
    }

    /// Answers everything with status 500.
    ///
    /// ```
    /// use tower_fhir_auth::test_util::TestIssuer;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestIssuer::start().await?;
    /// issuer.fail();
    /// // … what does the application answer now?
    /// issuer.recover();
    /// # Ok(()) }
    /// ```
    pub fn fail(&self) {
        for path in [JWKS, DISCOVERY] {
            self.answer(path, Answer::status(StatusCode::INTERNAL_SERVER_ERROR));
        }
    }

    /// Answers with the documents again.
    pub fn recover(&self) {
        self.state().answers.clear();
    }

    /// Returns the number of requests for the key set.
    ///
    /// ```
    /// use tower_fhir_auth::test_util::TestIssuer;
    /// use tower_fhir_auth::{FhirAuthLayer, authenticated};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let issuer = TestIssuer::start().await?;
    /// let layer = FhirAuthLayer::builder("https://api.example.org")
    ///     .issuer(issuer.trusted())
    ///     .authorizer(authenticated())
    ///     .build()?;
    /// layer.ready().await;
    /// assert_eq!(issuer.jwks_requests(), 1);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn jwks_requests(&self) -> u64 {
        self.state().requests.get(JWKS).copied().unwrap_or(0)
    }

    /// Returns the key set as it is now.
    #[must_use]
    pub fn jwks(&self) -> Value {
        self.state().jwks()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl State {
    fn new_key(&mut self) -> Result<Arc<SigningKey>, TestUtilError> {
        self.made += 1;
        let name = format!("key-{}", self.made);
        SigningKey::generate(name, self.current.algorithm()).map(Arc::new)
    }

    fn jwks(&self) -> Value {
        let keys = std::iter::once(&self.current).chain(&self.previous).chain(&self.upcoming);
        json!({ "keys": keys.map(|key| key.jwk()).collect::<Vec<_>>() })
    }

    fn answer_to(&mut self, path: &str, url: &str) -> Answer {
        *self.requests.entry(path.to_owned()).or_default() += 1;
        if let Some(answer) = self.answers.get(path) {
            return answer.clone();
        }
        match path {
            JWKS => Answer::json(&self.jwks()),
            DISCOVERY => Answer::json(&json!({
                "issuer": url,
                "jwks_uri": format!("{url}{JWKS}"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            })),
            _ => Answer::status(StatusCode::NOT_FOUND),
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, url: String, state: Arc<Mutex<State>>) {
    // The tasks of connections end with this one.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (url, state) = (url.clone(), Arc::clone(&state));
        connections.spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let answer = lock(&state).answer_to(request.uri().path(), &url);
                respond(answer)
            });
            // A client that disconnects is no concern of a test.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(answer: Answer) -> Result<Response<Full<Bytes>>, Infallible> {
    tokio::time::sleep(answer.delay).await;
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    response.headers_mut().extend(answer.headers);
    Ok(response)
}
