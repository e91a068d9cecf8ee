//! A guarded service with an issuer of its own, and a clock that stands still.

use std::convert::Infallible;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{ServiceBuilder, ServiceExt};
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{TestClock, TestIssuer, TokenBuilder};
use tower_fhir_auth::{
    Access, AccessMode, Authorizer, Enforcement, FhirAuthLayer, FhirAuthLayerBuilder, Principal,
    Rejection, RejectionKind, TrustedIssuer, authenticated,
};

pub(crate) const BASE: &str = "https://fhir.example.org/r4";
pub(crate) const NOW: i64 = 1_800_000_000;

/// Every access mode.
pub(crate) const MODES: [AccessMode; 5] = [
    AccessMode::Roles,
    AccessMode::Scopes,
    AccessMode::RolesOrScopes,
    AccessMode::RolesAndScopes,
    AccessMode::Microsoft,
];

pub(crate) struct Server {
    pub(crate) issuer: TestIssuer,
    pub(crate) clock: TestClock,
    pub(crate) layer: FhirAuthLayer,
}

/// What a client got, and what the inner service saw.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) rejection: Option<Rejection>,
    pub(crate) principal: Option<Principal>,
    pub(crate) access: Option<Access>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::trusting(|issuer| issuer).await
    }

    /// With other rules for the issuer.
    pub(crate) async fn trusting(rules: impl FnOnce(TrustedIssuer) -> TrustedIssuer) -> Self {
        Self::build(Algorithm::Es256, rules, |layer| layer.authorizer(authenticated())).await
    }

    pub(crate) async fn authorizing(authorizer: impl Authorizer) -> Self {
        Self::build(Algorithm::Es256, |issuer| issuer, |layer| layer.authorizer(authorizer)).await
    }

    /// With handlers that enforce so much.
    pub(crate) async fn enforcing(enforced: Enforcement, authorizer: impl Authorizer) -> Self {
        let settings =
            |layer: FhirAuthLayerBuilder| layer.authorizer(authorizer).handlers_enforce(enforced);
        Self::build(Algorithm::Es256, |issuer| issuer, settings).await
    }

    pub(crate) async fn layered(
        settings: impl FnOnce(FhirAuthLayerBuilder) -> FhirAuthLayerBuilder,
    ) -> Self {
        let settings = |layer: FhirAuthLayerBuilder| settings(layer.authorizer(authenticated()));
        Self::build(Algorithm::Es256, |issuer| issuer, settings).await
    }

    pub(crate) async fn build(
        algorithm: Algorithm,
        rules: impl FnOnce(TrustedIssuer) -> TrustedIssuer,
        settings: impl FnOnce(FhirAuthLayerBuilder) -> FhirAuthLayerBuilder,
    ) -> Self {
        let issuer = TestIssuer::with_algorithm(algorithm).await.unwrap();
        let clock = TestClock::at(NOW);
        let layer =
            FhirAuthLayer::builder(BASE).issuer(rules(issuer.trusted())).clock(clock.clone());
        let layer = settings(layer).build().unwrap();
        tokio::time::timeout(Duration::from_secs(10), layer.ready()).await.unwrap();
        Self { issuer, clock, layer }
    }

    /// A token with nothing wrong.
    pub(crate) fn token(&self) -> TokenBuilder {
        self.issuer.token_at(UnixTime::from_secs(NOW)).claim("aud", BASE)
    }

    pub(crate) async fn get(&self, token: TokenBuilder) -> Reply {
        self.bearer(&token.sign().unwrap()).await
    }

    pub(crate) async fn bearer(&self, token: &str) -> Reply {
        self.authorization(format!("Bearer {token}").as_bytes()).await
    }

    pub(crate) async fn authorization(&self, value: &[u8]) -> Reply {
        self.send(Request::get("/r4/Patient/1").header("authorization", value)).await
    }

    pub(crate) async fn send(&self, request: http::request::Builder) -> Reply {
        send(&self.layer, request).await
    }
}

pub(crate) async fn send(layer: &FhirAuthLayer, request: http::request::Builder) -> Reply {
    let service = ServiceBuilder::new().layer(layer.clone()).service_fn(echo);
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let mut response = service.oneshot(request).await.unwrap();
    let rejection = response.extensions_mut().remove();
    let principal = response.extensions_mut().remove();
    let access = response.extensions_mut().remove();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
        rejection,
        principal,
        access,
    }
}

/// Hands what the layer put into the request back in the response.
async fn echo(mut request: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"inner")));
    if let Some(principal) = request.extensions_mut().remove::<Principal>() {
        response.extensions_mut().insert(principal);
    }
    if let Some(access) = request.extensions_mut().remove::<Access>() {
        response.extensions_mut().insert(access);
    }
    Ok(response)
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn challenge(&self) -> &str {
        self.header("www-authenticate")
    }

    pub(crate) fn kind(&self) -> RejectionKind {
        self.rejection.as_ref().unwrap().kind()
    }

    #[track_caller]
    pub(crate) fn is_let_in(&self) -> &Principal {
        assert_eq!((self.status, self.body.as_str()), (StatusCode::OK, "inner"), "{self:#?}");
        self.principal.as_ref().unwrap()
    }

    /// Refused with `invalid_token` by this check and no other, with these words in the text.
    #[track_caller]
    pub(crate) fn is_refused_by(&self, check: Check, words: &str) {
        let rejection = self.rejection.as_ref().unwrap_or_else(|| panic!("let in: {self:#?}"));
        assert_eq!(rejection.check(), Some(check), "{rejection:#?}");
        assert_eq!(self.status, StatusCode::UNAUTHORIZED);
        assert!(self.challenge().contains("error=\"invalid_token\""), "{}", self.challenge());
        assert!(self.body.contains(words), "no `{words}` in {}", self.body);
    }

    #[track_caller]
    pub(crate) fn is_bad_request(&self) {
        assert_eq!(self.status, StatusCode::BAD_REQUEST, "{self:#?}");
        assert_eq!(self.kind(), RejectionKind::InvalidRequest);
        assert!(self.challenge().contains("error=\"invalid_request\""), "{}", self.challenge());
    }

    #[track_caller]
    pub(crate) fn asks_for_credentials(&self) {
        assert_eq!(self.status, StatusCode::UNAUTHORIZED, "{self:#?}");
        assert_eq!(self.kind(), RejectionKind::MissingCredentials);
        assert!(!self.challenge().contains("error"), "{}", self.challenge());
    }
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
