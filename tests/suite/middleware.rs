//! The Tower skin: readiness, extensions, public paths, composition.

use std::convert::Infallible;
use std::future::Ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tower_fhir_auth::rejection::RejectionResponder;
use tower_fhir_auth::test_util::Answer;
use tower_fhir_auth::{
    Access, FhirAuthLayer, FhirAuthLayerBuilder, InteractionKind, Principal, Rejection,
    authenticated, require_scope,
};

use crate::support::Server;

type Body = Full<Bytes>;

/// Insists on `poll_ready` before each `call`, as `ConcurrencyLimit` and `Buffer` do. A clone
/// begins as not ready.
#[derive(Debug, Default)]
struct Picky {
    ready: bool,
    asked: Arc<AtomicBool>,
}

impl Clone for Picky {
    fn clone(&self) -> Self {
        Self { ready: false, asked: Arc::clone(&self.asked) }
    }
}

impl Service<Request<Body>> for Picky {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        self.asked.store(true, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(self.ready, "called without poll_ready");
        self.ready = false;
        std::future::ready(Ok(Response::default()))
    }
}

fn request(server: &Server) -> Request<Body> {
    let token = server.token().sign().unwrap();
    let request = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
    request.body(Body::default()).unwrap()
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let server = Server::start().await;
    let picky = Picky::default();
    let mut service = server.layer.layer(picky.clone());
    for _ in 0..3 {
        assert!(!picky.asked.swap(false, Ordering::SeqCst));
        service.ready().await.unwrap();
        assert!(picky.asked.swap(false, Ordering::SeqCst), "poll_ready is passed on");
        let response = service.call(request(&server)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    // The same where the request has to wait for a key.
    server.issuer.rotate().unwrap();
    let response = service.ready().await.unwrap().call(request(&server)).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let limited =
        ServiceBuilder::new().layer(&server.layer).concurrency_limit(1).service(Picky::default());
    assert_eq!(limited.oneshot(request(&server)).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn strangers_who_wait_hold_no_place_of_the_inner_service() {
    let server = Server::start().await;
    server.issuer.answer("/jwks", Answer::hang());
    let service =
        ServiceBuilder::new().layer(&server.layer).concurrency_limit(1).service(Picky::default());
    let mut strangers = tokio::task::JoinSet::new();
    for n in 0..20 {
        let token = server.token().header("kid", format!("unknown-{n}")).sign().unwrap();
        let request =
            Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
        strangers.spawn(service.clone().oneshot(request.body(Body::default()).unwrap()));
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let good = tokio::time::timeout(Duration::from_secs(1), service.oneshot(request(&server)));
    assert_eq!(good.await.unwrap().unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_known_key_is_decided_at_once_and_without_waiting() {
    let server = Server::start().await;
    let mut service = server.layer.layer(Picky::default());
    service.ready().await.unwrap();
    let mut future = std::pin::pin!(service.call(request(&server)));
    let waker = std::task::Waker::noop();
    let poll = future.as_mut().poll(&mut Context::from_waker(waker));
    assert!(matches!(poll, Poll::Ready(Ok(response)) if response.status() == StatusCode::OK));
}

#[tokio::test]
async fn a_refusal_that_is_polled_again_is_pending_and_no_panic() {
    let server = Server::start().await;
    let mut service = server.layer.layer(Picky::default());
    service.ready().await.unwrap();
    let nobody = Request::get("/r4/Patient/1").body(Body::default()).unwrap();
    let mut future = std::pin::pin!(service.call(nobody));
    let mut context = Context::from_waker(std::task::Waker::noop());
    let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut context) else {
        panic!("a refusal waits for nothing")
    };
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(future.as_mut().poll(&mut context).is_pending());
}

/// Shows who stands in the request that is refused.
#[derive(Debug)]
struct WhoIsRefused;

impl RejectionResponder for WhoIsRefused {
    fn respond(&self, _: &Rejection, request: &Parts) -> Response<Bytes> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::FORBIDDEN;
        let (principal, access) = (request.extensions.get(), request.extensions.get());
        let extensions = response.extensions_mut();
        principal.cloned().map(|who: Principal| extensions.insert(who));
        access.cloned().map(|what: Access| extensions.insert(what));
        response
    }
}

#[tokio::test]
async fn what_came_in_as_principal_or_access_is_removed_on_every_way() {
    let rule = |layer: FhirAuthLayerBuilder| layer.authorizer(require_scope("x"));
    let server = Server::layered(|layer| rule(layer).responder(WhoIsRefused)).await;
    let mallory = server.token().claim("sub", "mallory").claim("scope", "x");
    let reply = server.get(mallory).await;
    let (principal, access) = (reply.principal.unwrap(), reply.access.unwrap());
    let good = server.token().claim("scope", "x");
    for (path, token, status) in [
        ("/r4/metadata", None, 200),
        ("/r4/Patient/1", Some(good.clone()), 200),
        ("/r4/Patient/1", None, 403),
        ("/r4/Patient/1", Some(good.clone().claim("aud", "elsewhere")), 403),
        ("/r4/Patient/1", Some(good.clone().claim("scope", "y")), 403),
        // This one waits for a key before it is refused.
        ("/r4/Patient/1", Some(good.clone().header("kid", "unknown")), 403),
    ] {
        let smuggled = || Request::get(path).extension(principal.clone()).extension(access.clone());
        let seen = match token {
            Some(token) => server.send(with_bearer(smuggled(), token)).await,
            None => server.send(smuggled()).await,
        };
        assert_eq!(seen.status, status, "{path}");
        let own = status == 200 && path != "/r4/metadata";
        assert_eq!((seen.principal.is_some(), seen.access.is_some()), (own, own), "{path}");
        assert_ne!(seen.principal.as_ref().and_then(Principal::subject), Some("mallory"), "{path}");
    }
    // And where the key comes while the request waits.
    for (scope, status) in [("x", 200), ("y", 403)] {
        let server = Server::layered(|layer| rule(layer).responder(WhoIsRefused)).await;
        server.issuer.rotate().unwrap();
        let smuggled = Request::get("/r4/Patient/1").extension(principal.clone());
        let smuggled = smuggled.extension(access.clone());
        let seen = server.send(with_bearer(smuggled, server.token().claim("scope", scope))).await;
        assert_eq!((seen.status.as_u16(), server.issuer.jwks_requests()), (status, 2), "{scope}");
        assert_eq!(seen.access.is_some(), status == 200, "{scope}");
        assert_ne!(
            seen.principal.as_ref().and_then(Principal::subject),
            Some("mallory"),
            "{scope}"
        );
    }
    // And where a requirement stands on a route that nothing guards.
    let unguarded = server.layer.require(require_scope("x")).layer(service_fn(nobody));
    let smuggled = Request::get("/r4/Patient/1").extension(principal).body(Body::default());
    let response = unguarded.oneshot(smuggled.unwrap()).await.unwrap();
    assert!(response.extensions().get::<Principal>().is_none());
}

async fn nobody(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    panic!("nobody was let in");
}

fn with_bearer(
    request: http::request::Builder,
    token: tower_fhir_auth::test_util::TokenBuilder,
) -> http::request::Builder {
    request.header("authorization", format!("Bearer {}", token.sign().unwrap()))
}

#[tokio::test]
async fn public_paths_are_exact_and_below_the_base() {
    let server = Server::start().await;
    for public in ["/r4/metadata", "/r4/metadata?mode=full", "/r4/health"] {
        let reply = server.send(Request::get(public)).await;
        assert_eq!((reply.status, reply.body.as_str()), (StatusCode::OK, "inner"), "{public}");
        assert!(reply.principal.is_none());
    }
    for guarded in [
        "/metadata",
        "/r4/metadata/",
        "/r4//metadata",
        "/r4/Metadata",
        "/r4/%6detadata",
        "/r4/metadata;x",
        "/r4/Patient/../metadata",
        "/r4/metadata%2f..",
        "/r4/metadatax",
        "/r4",
        "/",
        "/health",
    ] {
        server.send(Request::get(guarded)).await.asks_for_credentials();
    }
    let none: [&str; 0] = [];
    let closed = Server::layered(|layer| layer.public(none)).await;
    closed.send(Request::get("/r4/metadata")).await.asks_for_credentials();
}

#[tokio::test]
async fn the_document_that_challenges_point_to_is_served_without_a_token() {
    let server = Server::start().await;
    let pointed = server.send(Request::get("/r4/Patient/1")).await;
    let path = "/.well-known/oauth-protected-resource/r4";
    let address = format!("resource_metadata=\"https://fhir.example.org{path}\"");
    assert!(pointed.challenge().contains(&address), "{}", pointed.challenge());
    let reply = server.send(Request::get(path)).await;
    assert_eq!((reply.status, reply.header("content-type")), (StatusCode::OK, "application/json"));
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    let document: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    let expected = serde_json::json!({
        "resource": "https://fhir.example.org/r4",
        "authorization_servers": [server.issuer.url()],
        "bearer_methods_supported": ["header"],
        "dpop_signing_alg_values_supported": [
            "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
            "Ed25519",
        ],
        "dpop_bound_access_tokens_required": false,
        "tls_client_certificate_bound_access_tokens": false,
    });
    assert_eq!(document, expected);
    assert_eq!(server.send(Request::head(path)).await.body, "");
    server.send(Request::post(path)).await.asks_for_credentials();
    server.send(Request::get("/.well-known/oauth-protected-resource")).await.asks_for_credentials();
}

#[tokio::test]
async fn a_cors_preflight_needs_no_token() {
    let server = Server::start().await;
    let options = || Request::builder().method("OPTIONS").uri("/r4/Patient/1");
    let preflight = options().header("access-control-request-method", "GET");
    assert_eq!(server.send(preflight).await.status, StatusCode::OK);
    server.send(options()).await.asks_for_credentials();
    let other = Request::get("/r4/Patient/1").header("access-control-request-method", "GET");
    server.send(other).await.asks_for_credentials();
}

#[tokio::test]
async fn the_handler_finds_who_and_what() {
    let server = Server::authorizing(require_scope("a")).await;
    let reply = server.get(server.token().claim("scope", "a")).await;
    reply.is_let_in();
    let access: Access = reply.access.unwrap();
    assert_eq!(access.interaction().kind(), InteractionKind::Read);
    assert_eq!(access.granted_by().to_string(), "scope `a`");
}

#[tokio::test]
async fn axum_handlers_extract_the_caller_and_routes_can_require_more() {
    let server = Server::start().await;
    let hello = |caller: Principal| async move { caller.subject().unwrap_or("?").to_owned() };
    let nobody = |caller: Option<Principal>| async move { caller.is_none().to_string() };
    let app = axum::Router::new()
        .route("/r4/hello", axum::routing::get(hello))
        .route("/r4/health", axum::routing::get(nobody))
        .route(
            "/r4/orders",
            axum::routing::get(hello).layer(server.layer.require(require_scope("orders"))),
        )
        .layer(server.layer.clone())
        .route("/outside", axum::routing::get(hello))
        .route(
            "/unguarded",
            axum::routing::get(|| async { "no" }).layer(server.layer.require(authenticated())),
        );
    let get = |path: &str, token: Option<String>| {
        let mut request = Request::get(path.to_owned());
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let app = app.clone();
        async move {
            let response =
                app.oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
            let status = response.status();
            let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
            (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
        }
    };
    let token = || Some(server.token().sign().unwrap());
    let with_scope = Some(server.token().claim("scope", "orders").sign().unwrap());
    assert_eq!(get("/r4/hello", token()).await, (200, "alice".to_owned()));
    assert_eq!(get("/r4/hello", None).await.0, 401);
    assert_eq!(get("/r4/health", None).await, (200, "true".to_owned()));
    assert_eq!(get("/r4/orders", token()).await.0, 403);
    assert_eq!(get("/r4/orders", with_scope).await, (200, "alice".to_owned()));
    for (path, who) in [("/outside", token()), ("/unguarded", token())] {
        let (status, body) = get(path, who).await;
        assert_eq!(status, 500, "{path}");
        assert!(body.contains("OperationOutcome") && body.contains("layer"), "{body}");
    }
}

#[tokio::test]
async fn around_an_axum_router_it_guards_every_path_and_answers_in_axums_own_body() {
    use axum::body::{Body, to_bytes};
    use tower_fhir_auth::axum_support::into_make_service;
    let server = Server::start().await;
    let hello = |caller: Principal| async move { caller.subject().unwrap_or("?").to_owned() };
    let router = axum::Router::new().route("/r4/Patient/1", axum::routing::get(hello));
    let connections = into_make_service(server.layer.layer(router));
    let app = connections.oneshot("a connection").await.unwrap();
    let token = server.token().sign().unwrap();
    for (path, token, status, expected) in [
        ("/r4/Patient/1", Some(&token), 200, "alice"),
        ("/r4/Patient/1", None, 401, "OperationOutcome"),
        ("/nobody's", None, 401, "OperationOutcome"),
        ("/nobody's", Some(&token), 404, ""),
    ] {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let told = http_body::Body::size_hint(response.body()).exact();
        let body = to_bytes(response.into_body(), 10_000).await.unwrap();
        assert_eq!(told, body.len().try_into().ok(), "{path}");
        assert!(String::from_utf8_lossy(&body).contains(expected), "{path}: {body:?}");
    }
}

#[tokio::test]
async fn it_wraps_a_tonic_service_and_its_body() {
    let server = Server::start().await;
    let inner = service_fn(|_: Request<tonic::body::Body>| async {
        Ok::<_, Infallible>(Response::new(tonic::body::Body::empty()))
    });
    let service = server.layer.layer(inner);
    let request = Request::post("/pkg.Service/Method")
        .header("content-type", "application/grpc")
        .body(tonic::body::Body::empty())
        .unwrap();
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.headers()["grpc-status"], "16");
}

#[tokio::test]
async fn the_layer_and_its_parts_are_send_sync_and_clone() {
    fn check<T: Send + Sync + Clone + std::fmt::Debug + 'static>() {}
    check::<FhirAuthLayer>();
    check::<tower_fhir_auth::FhirAuth<Picky>>();
    check::<Principal>();
    check::<Access>();
    check::<Rejection>();
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_stop_the_load_it_asked_for() {
    let server = Server::start().await;
    server.issuer.rotate().unwrap();
    let slow = Answer::json(&server.issuer.jwks()).after(Duration::from_millis(300));
    server.issuer.answer("/jwks", slow);
    let mut service = server.layer.layer(Picky::default());
    service.ready().await.unwrap();
    let impatient = tokio::time::timeout(Duration::from_millis(50), service.call(request(&server)));
    assert!(impatient.await.is_err());
    tokio::time::sleep(Duration::from_millis(600)).await;
    server.get(server.token()).await.is_let_in();
    assert_eq!(server.layer.health()[0].loads, 2);
}
