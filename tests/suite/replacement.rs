//! A configuration that is replaced, as a whole, while the layer serves.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};
use tower_fhir_auth::authentication::{Clock, SystemClock, UnixTime};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::test_util::{Answer, SigningKey, TestIssuer};
use tower_fhir_auth::{
    AudiencePolicy, FhirAuthLayer, FhirAuthLayerBuilder, TrustedIssuer, authenticated,
    require_scope,
};

use crate::support::{BASE, Server, send};

/// The settings that [`Server`] has.
fn settings(issuer: &TestIssuer) -> FhirAuthLayerBuilder {
    FhirAuthLayer::builder(BASE).issuer(issuer.trusted()).authorizer(authenticated())
}

fn readiness(layer: &FhirAuthLayer) -> (StatusCode, Value) {
    let answer = layer.readiness();
    (answer.status(), serde_json::from_slice(answer.body()).unwrap())
}

#[tokio::test]
async fn another_configuration_decides_at_once_for_all_clones_and_services() {
    let server = Server::start().await;
    let service = server.layer.layer(service_fn(|_: Request<String>| async {
        Ok::<_, Infallible>(Response::new(String::new()))
    }));
    let token = server.token().sign().unwrap();
    let ask = async || {
        let request =
            Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
        service.clone().oneshot(request.body(String::new()).unwrap()).await.unwrap().status()
    };
    assert_eq!(ask().await, 200);
    let stricter = settings(&server.issuer).authorizer(require_scope("system/Patient.r"));
    server.layer.clone().replace(stricter).unwrap();
    assert_eq!(ask().await, 403);
    server.layer.replace(settings(&server.issuer)).unwrap();
    assert_eq!(ask().await, 200);
}

#[tokio::test]
async fn the_base_url_that_is_told_is_the_one_that_is_served_now() {
    let issuer = TestIssuer::start().await.unwrap();
    let layer = settings(&issuer).build().unwrap();
    assert_eq!(layer.base_url(), BASE);
    let other = FhirAuthLayer::builder("https://other.test/r4").issuer(issuer.trusted());
    layer.replace(other.authorizer(authenticated())).unwrap();
    assert_eq!(layer.base_url(), "https://other.test/r4");
}

#[tokio::test]
async fn a_token_that_was_accepted_before_is_judged_by_the_new_configuration_at_once() {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    for _ in 0..2 {
        server.bearer(&token).await.is_let_in();
    }
    let other = server.issuer.trusted().audience(AudiencePolicy::exact(["https://other.test"]));
    let other = FhirAuthLayer::builder(BASE).issuer(other).authorizer(authenticated());
    server.layer.replace(other).unwrap();
    server.bearer(&token).await.is_refused_by(Check::Audience, "`aud`");
    // An issuer that is not trusted any more.
    let stranger = TestIssuer::start().await.unwrap();
    server.layer.replace(settings(&stranger)).unwrap();
    server.bearer(&token).await.is_refused_by(Check::Issuer, "`iss`");
    server.layer.replace(settings(&server.issuer)).unwrap();
    tokio::time::timeout(Duration::from_secs(10), server.layer.ready()).await.unwrap();
    server.bearer(&token).await.is_let_in();
}

#[tokio::test]
async fn keys_that_are_loaded_in_the_same_way_are_not_loaded_again() {
    let server = Server::start().await;
    let before = server.issuer.jwks_requests();
    // Whoever asked now would get nothing.
    server.issuer.fail();
    for _ in 0..20 {
        server.layer.replace(settings(&server.issuer)).unwrap();
        let token = server.token().sign().unwrap();
        server.bearer(&token).await.is_let_in();
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.issuer.jwks_requests(), before);
    assert_eq!(server.layer.health()[0].loads, 1);
    // In another way they are.
    let refresh = KeySettings::default().refresh(Duration::from_secs(60));
    let issuer = server.issuer.trusted().key_settings(refresh);
    let other = FhirAuthLayer::builder(BASE).issuer(issuer).authorizer(authenticated());
    server.layer.replace(other).unwrap();
    assert_eq!(server.get(server.token()).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_and_named_in_health_until_another_one_serves()
{
    let server = Server::start().await;
    assert!(readiness(&server.layer).1.get("configuration").is_none());
    let bad = settings(&server.issuer).issuer(server.issuer.trusted());
    let error = server.layer.replace(bad).unwrap_err();
    server.get(server.token()).await.is_let_in();
    let (status, told) = readiness(&server.layer);
    assert_eq!(status, 200, "the old one serves");
    assert_eq!(told["configuration"], error.to_string());
    assert_eq!(told["ready"], true);
    server.layer.reject_configuration(&"auth.toml: base_url: expected text");
    let fault = server.layer.configuration_fault();
    assert_eq!(fault.as_deref(), Some("auth.toml: base_url: expected text"));
    server.layer.replace(settings(&server.issuer)).unwrap();
    assert_eq!(server.layer.configuration_fault(), None);
    assert!(readiness(&server.layer).1.get("configuration").is_none());
}

#[tokio::test]
async fn a_request_that_waits_for_a_key_is_decided_by_the_configuration_that_it_met() {
    let server = Server::start().await;
    server.issuer.rotate().unwrap();
    let keys = Answer::json(&server.issuer.jwks()).after(Duration::from_millis(500));
    server.issuer.answer("/jwks", keys);
    let token = server.token().sign().unwrap();
    let (layer, credentials) = (server.layer.clone(), format!("Bearer {token}"));
    let waiting = tokio::spawn(async move {
        let request = Request::get("/r4/Patient/1").header("authorization", credentials);
        send(&layer, request).await
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let stricter = settings(&server.issuer).authorizer(require_scope("system/Patient.r"));
    server.layer.replace(stricter).unwrap();
    waiting.await.unwrap().is_let_in();
    assert_eq!(server.bearer(&token).await.status, 403);
}

#[tokio::test]
async fn a_request_that_was_let_in_passes_the_requirements_within_after_a_replacement() {
    let server = Server::layered(|layer| layer.optional(["/docs/"])).await;
    let require = server.layer.require(authenticated());
    let inner = service_fn(|_: Request<Full<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    });
    let (layer, issuer) = (server.layer.clone(), server.issuer.trusted());
    let guarded = require.layer(inner);
    let meanwhile = service_fn(move |request: Request<Full<Bytes>>| {
        let next = FhirAuthLayer::builder(BASE).issuer(issuer.clone()).authorizer(authenticated());
        layer.replace(next).unwrap();
        guarded.clone().oneshot(request)
    });
    let token = server.token().sign().unwrap();
    for path in ["/r4/Patient/1", "/r4/docs/a"] {
        // Where a token is optional now, it was not by the configuration before.
        server.layer.replace(settings(&server.issuer).optional(["/docs/"])).unwrap();
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let answer = server.layer.layer(meanwhile.clone()).oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
    }
    // What no layer has let in is refused as before.
    let request = Request::get("/r4/Patient/1").body(Full::new(Bytes::new())).unwrap();
    let alone = require.layer(inner).oneshot(request).await.unwrap();
    assert_eq!(alone.status(), 500);
    let other = Server::start().await;
    let request = Request::get("/r4/Patient/1")
        .header("authorization", format!("Bearer {}", other.token().sign().unwrap()))
        .body(Full::new(Bytes::new()));
    let within_another = other.layer.layer(require.layer(inner));
    assert_eq!(within_another.oneshot(request.unwrap()).await.unwrap().status(), 500);
}

#[tokio::test]
async fn ready_waits_for_the_configuration_that_is_in_force() {
    let (down, up) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    down.fail();
    let layer = settings(&down).build().unwrap();
    let waiting = tokio::spawn({
        let layer = layer.clone();
        async move { layer.ready().await }
    });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished());
    layer.replace(settings(&up)).unwrap();
    tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap().unwrap();
    assert!(layer.health()[0].usable);
}

#[tokio::test]
async fn ready_does_not_resolve_for_a_configuration_that_is_not_in_force_any_more() {
    let (down, up) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    down.fail();
    let slow = Answer::json(&up.jwks()).after(Duration::from_millis(500));
    up.answer("/jwks", slow);
    let layer = settings(&up).build().unwrap();
    let (ready, next) = (layer.ready(), layer.clone());
    let replaced = async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        next.replace(settings(&down)).unwrap();
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = ready => panic!("its keys are not there: {:?}", layer.health()),
        () = replaced => {}
        () = tokio::time::sleep(Duration::from_secs(2)) => {}
    }
}

/// A clock that can be stopped, with all who ask it.
#[derive(Clone, Debug, Default)]
struct Stoppable(Arc<Mutex<()>>);

impl Clock for Stoppable {
    fn now(&self) -> UnixTime {
        drop(self.0.lock().unwrap());
        SystemClock.now()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_is_told_while_a_configuration_is_built() {
    let issuer = TestIssuer::start().await.unwrap();
    let layer = settings(&issuer).build().unwrap();
    layer.reject_configuration(&"auth.toml: base_url: expected text");
    tokio::time::timeout(Duration::from_secs(10), layer.ready()).await.unwrap();
    let clock = Stoppable::default();
    let stopped = clock.0.lock().unwrap();
    let (building, next) = (layer.clone(), settings(&issuer).clock(clock.clone()));
    let building = tokio::task::spawn_blocking(move || building.replace(next).unwrap());
    std::thread::sleep(Duration::from_millis(200));
    let probed = layer.clone();
    let probe = tokio::task::spawn_blocking(move || readiness(&probed));
    std::thread::sleep(Duration::from_millis(200));
    let (was_built, was_told) = (building.is_finished(), probe.is_finished());
    drop(stopped);
    assert!(!was_built, "it asks the clock");
    assert!(was_told, "a probe does not wait");
    let (status, told) = probe.await.unwrap();
    assert_eq!((status, &told["ready"]), (StatusCode::OK, &Value::Bool(true)));
    assert_eq!(told["configuration"], "auth.toml: base_url: expected text");
    building.await.unwrap();
    assert_eq!(layer.configuration_fault(), None);
}

#[tokio::test]
async fn a_successor_with_a_service_of_its_own_takes_over_what_goes_on() {
    let server = Server::start().await;
    let before = server.issuer.jwks_requests();
    server.issuer.fail();
    let next = settings(&server.issuer).succeeding(&server.layer).build().unwrap();
    let Server { issuer, clock, layer } = server;
    drop(layer);
    let server = Server { issuer, clock, layer: next };
    server.get(server.token()).await.is_let_in();
    assert_eq!(server.issuer.jwks_requests(), before);
}

#[tokio::test]
async fn ready_waits_on_where_one_configuration_without_keys_follows_another() {
    let settings = |issuer: TrustedIssuer| {
        FhirAuthLayer::builder(BASE).issuer(issuer).authorizer(authenticated())
    };
    let without = || TrustedIssuer::with_jwks_uri("https://a", "http://127.0.0.1:9/jwks");
    let layer = settings(without()).build().unwrap();
    let mut ready = std::pin::pin!(layer.ready());
    let mut context = Context::from_waker(Waker::noop());
    assert!(ready.as_mut().poll(&mut context).is_pending());
    layer.replace(settings(without())).unwrap();
    assert!(ready.as_mut().poll(&mut context).is_pending());
    let key = SigningKey::generate("one", Algorithm::Ed25519).unwrap();
    let keys = serde_json::json!({ "keys": [key.jwk()] }).to_string();
    let keys = JwkSet::parse(keys.as_bytes()).unwrap();
    layer.replace(settings(TrustedIssuer::with_keys("https://a", keys))).unwrap();
    assert!(ready.as_mut().poll(&mut context).is_ready());
}
