//! Callers for unit tests of handlers, without an issuer or a network.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::Empty;
use serde_json::{Map, Value, json};
use tower_layer::Layer;
use tower_service::Service;

use super::{SigningKey, TestUtilError, TokenBuilder};
use crate::authentication::{AudiencePolicy, Principal, TrustedIssuer};
use crate::authorization::{Access, Authorizer, Enforcement, ScopePolicy, authenticated};
use crate::jose::{Algorithm, JwkSet};
use crate::middleware::FhirAuthLayer;
use crate::time::{Clock, SystemClock};

const ISSUER: &str = "https://issuer.test";
const AUDIENCE: &str = "https://audience.test";

/// A caller for a unit test of a handler: the [`Principal`] and the [`Access`] that the layer would put
/// into a request's extensions.
///
/// They come from a token that is really signed and checked, by a layer that is made for the call, in
/// well under a millisecond. The token has `sub` = `alice`, `client_id` = `app` and the scope
/// `system/*.cruds`, which grants everything that has a SMART permission, until
/// [`claim`](Self::claim) says otherwise.
///
/// ```
/// use http::Method;
/// use serde_json::json;
/// use tower_fhir_auth::test_util::TestCaller;
/// use tower_fhir_auth::{Access, Visibility};
///
/// /// The handler under test.
/// fn read(access: &Access, found: &serde_json::Value) -> u16 {
///     if access.may_show(found) == Visibility::Shown { 200 } else { 404 }
/// }
///
/// let caller = TestCaller::new().claim("scope", "patient/*.rs").claim("patient", "1");
/// let access = caller.access(Method::GET, "/Observation/7")?;
///
/// let of = |patient: &str| {
///     json!({"resourceType": "Observation", "id": "7", "subject": {"reference": patient}})
/// };
/// let own = of("Patient/1");
/// let other = of("Patient/2");
/// assert_eq!((read(&access, &own), read(&access, &other)), (200, 404));
/// # Ok::<(), tower_fhir_auth::test_util::TestUtilError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct TestCaller {
    base_url: String,
    authorizer: Arc<dyn Authorizer>,
    enforcement: Enforcement,
    claims: Map<String, Value>,
}

impl TestCaller {
    /// Makes a caller who may do everything, at a FHIR API whose base is the root of its host.
    pub fn new() -> Self {
        let mut claims = Map::new();
        claims.insert("scope".to_owned(), json!("system/*.cruds"));
        Self {
            base_url: "https://fhir.example.org".to_owned(),
            authorizer: Arc::new(ScopePolicy::new()),
            enforcement: Enforcement::ALL,
            claims,
        }
    }

    /// Sets a claim; `null` leaves it out.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Sets the base URL of the API, whose path is where requests are matched.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = url.into();
        self
    }

    /// Sets what grants access. Default: [`ScopePolicy`].
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Arc::new(authorizer);
        self
    }

    /// Sets what the handlers enforce, as the layer of the application declares it
    /// ([`handlers_enforce`](crate::FhirAuthLayerBuilder::handlers_enforce)): with less, more is refused. Default:
    /// [`Enforcement::ALL`].
    ///
    /// ```
    /// use http::Method;
    /// use tower_fhir_auth::Enforcement;
    /// use tower_fhir_auth::test_util::TestCaller;
    ///
    /// let caller = TestCaller::new().claim("scope", "patient/*.rs").claim("patient", "1");
    /// assert!(caller.access(Method::GET, "/Observation/7").is_ok());
    /// let caller = caller.handlers_enforce(Enforcement::empty());
    /// assert!(caller.access(Method::GET, "/Observation/7").is_err());
    /// ```
    pub fn handlers_enforce(mut self, enforcement: Enforcement) -> Self {
        self.enforcement = enforcement;
        self
    }

    /// Returns the verified caller.
    ///
    /// # Errors
    ///
    /// The reason for which the layer would refuse the token.
    pub fn principal(&self) -> Result<Principal, TestUtilError> {
        let everything = Self { authorizer: Arc::new(authenticated()), ..self.clone() };
        let path = everything.root();
        let request =
            everything.authorize(Request::get(path).body(()).map_err(|error| not_made(&error))?)?;
        request.extensions().get().cloned().ok_or(TestUtilError::Public)
    }

    /// Returns what is granted to a request: a method, and an address below the base URL such as
    /// `/Observation?patient=1`.
    ///
    /// # Errors
    ///
    /// The reason for which the layer would refuse the request.
    pub fn access(&self, method: Method, path: &str) -> Result<Access, TestUtilError> {
        let address = format!("{}{path}", self.root().trim_end_matches('/'));
        let request = Request::builder()
            .method(method)
            .uri(address)
            .body(())
            .map_err(|error| not_made(&error))?;
        let request = self.authorize(request)?;
        request.extensions().get().cloned().ok_or(TestUtilError::Public)
    }

    /// Returns a request as a handler behind the layer gets it, with [`Principal`] and [`Access`] in its
    /// extensions.
    ///
    /// ```
    /// use tower_fhir_auth::Principal;
    /// use tower_fhir_auth::test_util::TestCaller;
    ///
    /// let request = http::Request::get("/r4/Patient/1").body("")?;
    /// let request = TestCaller::new().base_url("https://fhir.example.org/r4").authorize(request)?;
    /// let caller: &Principal = request.extensions().get().ok_or("nobody")?;
    /// assert_eq!(caller.subject(), Some("alice"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The reason for which the layer would refuse the request.
    pub fn authorize<B>(&self, request: Request<B>) -> Result<Request<B>, TestUtilError> {
        let (layer, token) = self.layer_and_token()?;
        let (mut parts, body) = request.into_parts();
        let mut asked = Request::new(());
        *asked.method_mut() = parts.method.clone();
        *asked.uri_mut() = parts.uri.clone();
        *asked.headers_mut() = parts.headers.clone();
        let credentials = HeaderValue::try_from(format!("Bearer {token}"));
        asked
            .headers_mut()
            .insert(AUTHORIZATION, credentials.map_err(|error| not_made(&error.into()))?);
        let future = pin!(layer.layer(Granted).call(asked));
        // With fixed keys nothing is waited for.
        let Poll::Ready(Ok(response)) = future.poll(&mut Context::from_waker(Waker::noop())) else {
            return Err(TestUtilError::Refused("the layer waits for keys".to_owned()));
        };
        let (response, _) = response.into_parts();
        if let Some(rejection) = response.extensions.get::<crate::rejection::Rejection>() {
            return Err(TestUtilError::Refused(rejection.detail().to_owned()));
        }
        parts.extensions.extend(response.extensions);
        Ok(Request::from_parts(parts, body))
    }

    fn layer_and_token(&self) -> Result<(FhirAuthLayer, String), TestUtilError> {
        let key = Arc::new(SigningKey::generate("key-1", Algorithm::Ed25519)?);
        let keys = json!({"keys": [key.jwk()]}).to_string();
        let keys = JwkSet::parse(keys.as_bytes());
        let keys = keys.map_err(|error| TestUtilError::Refused(error.to_string()))?;
        let issuer = TrustedIssuer::with_keys(ISSUER, keys);
        let layer = FhirAuthLayer::builder(self.base_url.as_str())
            .issuer(issuer.audience(AudiencePolicy::exact([AUDIENCE])))
            .authorizer(Arc::clone(&self.authorizer))
            .handlers_enforce(self.enforcement)
            .build()
            .map_err(|error| TestUtilError::Refused(error.to_string()))?;
        let token = TokenBuilder::new(ISSUER, key, SystemClock.now()).claim("aud", AUDIENCE);
        let token = self.claims.iter().fold(token, |token, (name, value)| {
            if value.is_null() { token.without(name) } else { token.claim(name, value.clone()) }
        });
        Ok((layer, token.sign()?))
    }

    /// Returns the path of the base URL.
    fn root(&self) -> String {
        let path = self.base_url.parse::<Uri>().map(|url| url.path().to_owned());
        path.unwrap_or_else(|_| "/".to_owned())
    }
}

impl Default for TestCaller {
    fn default() -> Self {
        Self::new()
    }
}

fn not_made(error: &http::Error) -> TestUtilError {
    TestUtilError::Refused(error.to_string())
}

/// A service that answers with the extensions of its request.
#[derive(Clone)]
struct Granted;

impl Service<Request<()>> for Granted {
    type Response = Response<Empty<bytes::Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let mut response = Response::new(Empty::new());
        *response.extensions_mut() = request.into_parts().0.extensions;
        ready(Ok(response))
    }
}
