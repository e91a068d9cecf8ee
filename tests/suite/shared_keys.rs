//! Keys that several layers have in common.

use std::time::Duration;

use http::Request;
use tower_fhir_auth::keys::{KeySettings, SharedKeys};
use tower_fhir_auth::middleware::{FhirBasesLayer, OutsideBase};
use tower_fhir_auth::test_util::{TestClock, TestIssuer};
use tower_fhir_auth::{FhirAuthLayer, FhirAuthLayerBuilder, Principal, authenticated};

use crate::support::send;

fn at(base: &str, issuer: &TestIssuer, shared: &SharedKeys) -> FhirAuthLayerBuilder {
    FhirAuthLayer::builder(base)
        .issuer(issuer.trusted())
        .authorizer(authenticated())
        .shared_keys(shared)
}

async fn status(layer: &FhirAuthLayer, path: &str, token: &str) -> u16 {
    let request = Request::get(path).header("authorization", format!("Bearer {token}"));
    send(layer, request).await.status.as_u16()
}

#[tokio::test]
async fn layers_that_share_keys_load_them_once_and_force_one_load_in_a_cooldown() {
    let (issuer, shared) = (TestIssuer::start().await.unwrap(), SharedKeys::new());
    let bases = ["https://fhir.example.org/a", "https://fhir.example.org/b"];
    let layers = bases.map(|base| at(base, &issuer, &shared).build().unwrap());
    for layer in &layers {
        layer.ready().await;
    }
    assert_eq!((issuer.jwks_requests(), shared.len()), (1, 1));
    issuer.rotate().unwrap();
    for (layer, base) in layers.iter().zip(bases) {
        let token = issuer.token().claim("aud", base).sign().unwrap();
        let path = base.strip_prefix("https://fhir.example.org").unwrap();
        assert_eq!(status(layer, &format!("{path}/Patient/1"), &token).await, 200);
    }
    assert_eq!(issuer.jwks_requests(), 2, "one forced load for both");
    issuer.rotate().unwrap();
    let token = issuer.token().claim("aud", bases[1]).sign().unwrap();
    assert_eq!(status(&layers[1], "/b/Patient/1", &token).await, 401, "one cooldown for both");
    assert_eq!(issuer.jwks_requests(), 2);
}

#[tokio::test]
async fn a_token_of_one_layer_is_none_of_another_that_shares_its_keys() {
    let (issuer, shared) = (TestIssuer::start().await.unwrap(), SharedKeys::new());
    let bases = ["https://fhir.example.org/a", "https://fhir.example.org/b"];
    let [a, b] = bases.map(|base| at(base, &issuer, &shared).build().unwrap());
    a.ready().await;
    let token = issuer.token().claim("aud", bases[0]).sign().unwrap();
    assert_eq!(status(&a, "/a/Patient/1", &token).await, 200);
    assert_eq!(status(&b, "/b/Patient/1", &token).await, 401);
}

#[tokio::test]
async fn keys_that_are_loaded_otherwise_or_by_another_clock_are_not_shared() {
    let (issuer, shared) = (TestIssuer::start().await.unwrap(), SharedKeys::new());
    let base = "https://fhir.example.org/a";
    let first = at(base, &issuer, &shared).build().unwrap();
    let settings = KeySettings::default().cooldown(Duration::from_secs(5));
    let otherwise = FhirAuthLayer::builder(base)
        .issuer(issuer.trusted().key_settings(settings))
        .authorizer(authenticated())
        .shared_keys(&shared);
    let otherwise = otherwise.build().unwrap();
    assert_eq!(shared.len(), 2);
    let clocked = at(base, &issuer, &shared).clock(TestClock::at(1_800_000_000)).build().unwrap();
    assert_eq!(shared.len(), 3);
    let alone = FhirAuthLayer::builder(base).issuer(issuer.trusted()).authorizer(authenticated());
    let alone = alone.build().unwrap();
    assert_eq!(shared.len(), 3, "a layer that shares nothing has keys of its own");
    drop((first, otherwise, clocked, alone));
}

#[tokio::test]
async fn keys_are_given_up_with_the_last_layer_that_has_them() {
    let (issuer, shared) = (TestIssuer::start().await.unwrap(), SharedKeys::new());
    let settings = KeySettings::default().refresh(Duration::from_secs(1));
    let layer = || {
        FhirAuthLayer::builder("https://fhir.example.org/a")
            .issuer(issuer.trusted().key_settings(settings.clone()))
            .authorizer(authenticated())
            .shared_keys(&shared)
            .build()
            .unwrap()
    };
    let (one, other) = (layer(), layer());
    one.ready().await;
    drop(one);
    assert_eq!((shared.len(), shared.is_empty()), (1, false));
    drop(other);
    assert!(shared.is_empty());
    let before = issuer.jwks_requests();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(issuer.jwks_requests(), before, "nobody refreshes them");
    let again = layer();
    again.ready().await;
    assert_eq!(issuer.jwks_requests(), before + 1);
}

#[test]
fn keys_of_a_runtime_that_has_ended_are_loaded_anew() {
    let shared = SharedKeys::new();
    let base = "https://fhir.example.org/a";
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let issuers = runtime();
    let issuer = issuers.block_on(TestIssuer::start()).unwrap();
    let first = runtime();
    let kept = first.block_on(async {
        let layer = at(base, &issuer, &shared).build().unwrap();
        layer.ready().await;
        layer
    });
    drop(first);
    runtime().block_on(async {
        let layer = at(base, &issuer, &shared).build().unwrap();
        layer.ready().await;
        assert_eq!(issuer.jwks_requests(), 2);
    });
    drop(kept);
}

/// As two tenants of one application are merged: what is no route has one fallback, whosever it is.
#[tokio::test]
async fn merged_routers_behind_one_layer_of_bases_answer_each_for_its_own_base_alone() {
    let issuers = [TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap()];
    let names = ["https://fhir.example.org/a/fhir", "https://fhir.example.org/b/fhir"];
    let bases = FhirBasesLayer::new().outside_base(OutsideBase::PassOn);
    for (name, issuer) in names.iter().zip(&issuers) {
        bases.add(at(name, issuer, &SharedKeys::new())).unwrap();
    }
    for (_, layer) in bases.all() {
        layer.ready().await;
    }
    let tenant = || axum::Router::new().route("/Patient/1", axum::routing::get(caller));
    let app = axum::Router::new()
        .route("/health", axum::routing::get(|| async { "up" }))
        .merge(axum::Router::new().nest("/a/fhir", tenant()))
        .merge(axum::Router::new().nest("/b/fhir", tenant()))
        // Around the routers as a whole: a layer on their routes stands inside axum's own answers.
        .fallback(|| async { http::StatusCode::NOT_FOUND });
    let app = tower::Layer::layer(&bases, app);
    let ask = async |path: &str, token: Option<&str>| {
        let request = Request::get(path);
        let request = match token {
            None => request,
            Some(token) => request.header("authorization", format!("Bearer {token}")),
        };
        let request = request.body(axum::body::Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(app.clone(), request).await.unwrap();
        let challenge = answer.headers().get("www-authenticate");
        let challenge = challenge.map(|text| text.to_str().unwrap().to_owned());
        (answer.status().as_u16(), challenge.unwrap_or_default())
    };
    for (n, base) in ["/a/fhir", "/b/fhir"].into_iter().enumerate() {
        for document in [
            format!("/.well-known/oauth-protected-resource{base}"),
            format!("{base}/.well-known/smart-configuration"),
        ] {
            assert_eq!(ask(&document, None).await.0, 200, "{document}");
        }
        let (status, challenge) = ask(&format!("{base}/nothing"), None).await;
        assert_eq!(status, 401);
        assert!(challenge.contains(names[n]), "{challenge}");
        let token = issuers[n].token().claim("aud", names[n]).sign().unwrap();
        assert_eq!(ask(&format!("{base}/Patient/1"), Some(&token)).await.0, 200);
        let other = if n == 0 { "/b/fhir" } else { "/a/fhir" };
        assert_eq!(ask(&format!("{other}/Patient/1"), Some(&token)).await.0, 401);
    }
    assert_eq!(ask("/health", None).await.0, 200);
}

/// Answers 500 where nobody has verified a caller.
async fn caller(caller: Principal) -> String {
    caller.issuer().to_owned()
}
