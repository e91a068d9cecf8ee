//! Keys that rotate, and providers that are down.

use std::time::{Duration, Instant};

use http::{HeaderValue, StatusCode, header};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::test_util::{Answer, TestIssuer};
use tower_fhir_auth::{
    BuildError, FhirAuthLayer, RejectionKind, TrustedIssuer, authenticated, danger,
};

use crate::support::{BASE, Reply, Server, send};

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn layer(issuer: TrustedIssuer) -> FhirAuthLayer {
    FhirAuthLayer::builder(BASE).issuer(issuer).authorizer(authenticated()).build().unwrap()
}

async fn get(layer: &FhirAuthLayer, issuer: &TestIssuer) -> Reply {
    let token = issuer.token().claim("aud", BASE).sign().unwrap();
    let request = http::Request::get("/r4/Patient/1");
    send(layer, request.header("authorization", format!("Bearer {token}"))).await
}

#[tokio::test]
async fn a_rotated_key_is_accepted_at_once_and_a_withdrawn_one_is_not() {
    let server = Server::start().await;
    let old = server.token();
    server.issuer.rotate().unwrap();
    server.get(server.token()).await.is_let_in();
    server.get(old.clone()).await.is_let_in();
    assert_eq!(server.issuer.jwks_requests(), 2);

    let settings = KeySettings::default().cooldown(Duration::ZERO);
    let fresh = layer(server.issuer.trusted().key_settings(settings));
    get(&fresh, &server.issuer).await.is_let_in();
    server.issuer.rotate().unwrap();
    server.issuer.withdraw_old_key();
    get(&fresh, &server.issuer).await.is_let_in();
    let bearer =
        format!("Bearer {}", old.claim("iat", 0).claim("exp", 4_000_000_000_i64).sign().unwrap());
    let request = http::Request::get("/r4/Patient/1").header("authorization", bearer);
    send(&fresh, request).await.is_refused_by(Check::Key, "`kid`");
}

#[tokio::test]
async fn a_key_that_was_published_ahead_is_accepted_without_another_load() {
    let issuer = TestIssuer::start().await.unwrap();
    issuer.publish_next().unwrap();
    let layer = layer(issuer.trusted());
    layer.ready().await;
    let loads = issuer.jwks_requests();
    let first = issuer.key();
    issuer.rotate().unwrap();
    assert_ne!(issuer.key().kid(), first.kid());
    let bearer = format!("Bearer {}", issuer.token_for(&layer).sign().unwrap());
    let request = http::Request::get("/r4/Patient/1").header("authorization", bearer);
    send(&layer, request).await.is_let_in();
    assert_eq!(issuer.jwks_requests(), loads);
    assert_eq!(issuer.jwks()["keys"].as_array().unwrap().len(), 2);
    issuer.withdraw_old_key();
    assert_eq!(issuer.jwks()["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_costs_the_provider_one_load_in_a_cooldown() {
    let server = Server::start().await;
    let before = server.issuer.jwks_requests();
    let start = Instant::now();
    for n in 0..50 {
        let forged = server.token().header("kid", format!("unknown-{n}"));
        server.get(forged).await.is_refused_by(Check::Key, "`kid`");
    }
    assert_eq!(server.issuer.jwks_requests(), before + 1);
    assert!(start.elapsed() < Duration::from_secs(2), "nobody queues behind the cooldown");
    server.get(server.token()).await.is_let_in();
}

#[tokio::test]
async fn requests_that_need_the_same_load_share_it() {
    let server = Server::start().await;
    server.issuer.rotate().unwrap();
    server.issuer.answer("/jwks", Answer::json(&server.issuer.jwks()).after(millis(200)));
    let before = server.issuer.jwks_requests();
    let replies = futures(&server, 20).await;
    assert!(replies.iter().all(|reply| reply.status == StatusCode::OK), "{replies:#?}");
    assert_eq!(server.issuer.jwks_requests(), before + 1);
}

async fn futures(server: &Server, count: usize) -> Vec<Reply> {
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..count {
        let (layer, token) = (server.layer.clone(), server.token().sign().unwrap());
        tasks.spawn(async move {
            let request = http::Request::get("/r4/Patient/1");
            send(&layer, request.header("authorization", format!("Bearer {token}"))).await
        });
    }
    tasks.join_all().await
}

#[tokio::test]
async fn a_provider_that_is_down_at_start_means_503_until_its_keys_come() {
    let issuer = TestIssuer::start().await.unwrap();
    issuer.fail();
    let layer = layer(issuer.trusted());
    let reply = get(&layer, &issuer).await;
    assert_eq!(
        (reply.status, reply.kind()),
        (StatusCode::SERVICE_UNAVAILABLE, RejectionKind::KeysUnavailable)
    );
    assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(reply.challenge(), "");
    assert!(reply.body.contains("\"transient\""), "{}", reply.body);
    let request = http::Request::post("/x").header("content-type", "application/grpc");
    let token = issuer.token().claim("aud", BASE).sign().unwrap();
    let grpc = send(&layer, request.header("authorization", format!("Bearer {token}"))).await;
    assert_eq!(grpc.header("grpc-status"), "14");
    assert!(tokio::time::timeout(millis(100), layer.ready()).await.is_err());

    issuer.recover();
    tokio::time::timeout(Duration::from_secs(10), layer.ready()).await.unwrap();
    get(&layer, &issuer).await.is_let_in();
}

#[tokio::test]
async fn requests_wait_for_the_first_load_and_no_longer_than_the_time_out() {
    let issuer = TestIssuer::start().await.unwrap();
    issuer.answer("/jwks", Answer::json(&issuer.jwks()).after(millis(200)));
    let slow = layer(issuer.trusted());
    get(&slow, &issuer).await.is_let_in();

    issuer.answer("/jwks", Answer::hang());
    let settings = KeySettings::default().timeout(millis(300));
    let hung = layer(issuer.trusted().key_settings(settings));
    let start = Instant::now();
    assert_eq!(get(&hung, &issuer).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!((millis(250)..millis(1500)).contains(&start.elapsed()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn good_keys_stay_on_any_failure_and_on_an_empty_set() {
    let settings = KeySettings::default().cooldown(Duration::ZERO).timeout(millis(300));
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    for answer in [
        Answer::status(StatusCode::INTERNAL_SERVER_ERROR),
        Answer::json(&serde_json::json!({"keys": []})),
        Answer::json(&serde_json::json!({"keys": [{"kty": "oct", "k": "eA"}]})),
        Answer::json(&serde_json::json!({})),
        Answer::status(StatusCode::OK).body("x".repeat(300_000)),
        Answer::status(StatusCode::OK).body("{\"keys\":["),
        Answer::hang(),
    ] {
        server.issuer.answer("/jwks", answer);
        let unknown = server.get(server.token().header("kid", "new")).await;
        unknown.is_refused_by(Check::Key, "`kid`");
        server.get(server.token()).await.is_let_in();
        let health = server.layer.health().remove(0);
        assert!(health.usable && health.last_error.is_some(), "{health:?}");
    }
    // The wait of a request may end a moment before the load that it waited for.
    tokio::time::sleep(millis(100)).await;
    server.issuer.recover();
    server.get(server.token().header("kid", "new")).await.is_refused_by(Check::Key, "`kid`");
    assert_eq!(server.layer.health()[0].last_error, None);
}

#[tokio::test]
async fn keys_that_are_too_old_are_not_used() {
    let settings = KeySettings::default().refresh(Duration::from_secs(1)).max_stale(millis(1200));
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    server.issuer.fail();
    server.get(server.token()).await.is_let_in();
    tokio::time::sleep(millis(1500)).await;
    let stale = server.get(server.token()).await;
    assert_eq!(stale.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!server.layer.health()[0].usable);
    server.issuer.recover();
    let deadline = Instant::now() + Duration::from_secs(10);
    while server.get(server.token()).await.status != StatusCode::OK {
        assert!(Instant::now() < deadline, "no recovery without a restart");
        tokio::time::sleep(millis(50)).await;
    }
}

#[tokio::test]
async fn the_refresh_ends_with_the_last_clone_of_the_layer() {
    let issuer = TestIssuer::start().await.unwrap();
    let settings = KeySettings::default().refresh(Duration::from_secs(1));
    let layer = layer(issuer.trusted().key_settings(settings));
    layer.ready().await;
    let service = tower::Layer::layer(&layer, ());
    drop(layer);
    tokio::time::sleep(millis(1300)).await;
    assert!(issuer.jwks_requests() >= 2, "a clone is enough");
    drop(service);
    tokio::time::sleep(millis(50)).await;
    let loads = issuer.jwks_requests();
    tokio::time::sleep(millis(1300)).await;
    assert_eq!(issuer.jwks_requests(), loads);
}

#[tokio::test]
async fn a_jwks_file_needs_no_network_and_is_read_again_when_it_changes() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let missing = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_jwks_file(issuer.url(), &path))
        .authorizer(authenticated());
    assert!(matches!(missing.build(), Err(BuildError::KeyFile { .. })));

    std::fs::write(&path, issuer.jwks().to_string()).unwrap();
    let layer = layer(TrustedIssuer::with_jwks_file(issuer.url(), &path));
    get(&layer, &issuer).await.is_let_in();
    issuer.rotate().unwrap();
    std::fs::write(&path, issuer.jwks().to_string()).unwrap();
    get(&layer, &issuer).await.is_let_in();

    for broken in ["{", "{\"keys\":[]}"] {
        std::fs::write(&path, broken).unwrap();
        tokio::time::sleep(millis(2500)).await;
        get(&layer, &issuer).await.is_let_in();
        assert!(layer.health()[0].last_error.is_some());
    }
    std::fs::remove_file(&path).unwrap();
    tokio::time::sleep(millis(2500)).await;
    get(&layer, &issuer).await.is_let_in();
    assert_eq!(issuer.jwks_requests(), 0);
}

#[tokio::test]
async fn a_file_of_more_than_1_mib_is_not_read() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let build = |length: usize| {
        let mut set = issuer.jwks().to_string();
        set.push_str(&" ".repeat(length - set.len()));
        std::fs::write(&path, set).unwrap();
        let trusted = TrustedIssuer::with_jwks_file(issuer.url(), &path);
        FhirAuthLayer::builder(BASE).issuer(trusted).authorizer(authenticated()).build()
    };
    assert!(build(1 << 20).is_ok());
    let error = build((1 << 20) + 1).unwrap_err().to_string();
    assert!(error.ends_with(": more than 1048576 bytes"), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_system_that_hangs_holds_up_nobody() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    std::fs::write(&path, issuer.jwks().to_string()).unwrap();
    let settings = KeySettings::default().timeout(millis(300)).cooldown(Duration::ZERO);
    let trusted = TrustedIssuer::with_jwks_file(issuer.url(), &path).key_settings(settings);
    let layer = layer(trusted);
    get(&layer, &issuer).await.is_let_in();
    std::fs::remove_file(&path).unwrap();
    // Whoever opens a pipe waits for somebody who writes.
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    for _ in 0..3 {
        tokio::time::sleep(millis(1000)).await;
        let start = Instant::now();
        get(&layer, &issuer).await.is_let_in();
        assert!(start.elapsed() < millis(1000), "{:?}", start.elapsed());
    }
    let error = layer.health().remove(0).last_error.unwrap().to_string();
    assert!(error.contains("not answered") || error.contains("time-out"), "{error}");
    // The thread that hangs is released, or the test would not end.
    std::fs::write(&path, issuer.jwks().to_string()).unwrap();
}

#[tokio::test]
async fn an_etag_spares_the_key_set_and_confirms_it() {
    let settings = KeySettings::default().cooldown(Duration::ZERO);
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    let tagged = |tag: &'static str| {
        Answer::json(&server.issuer.jwks()).header(header::ETAG, HeaderValue::from_static(tag))
    };
    let forced = || server.get(server.token().header("kid", "unknown"));
    server.issuer.answer("/jwks", tagged("\"one\""));
    forced().await.is_refused_by(Check::Key, "`kid`");
    // From now on the provider says that nothing has changed.
    server.issuer.answer("/jwks", Answer::status(StatusCode::NOT_MODIFIED));
    forced().await.is_refused_by(Check::Key, "`kid`");
    let health = server.layer.health().remove(0);
    assert_eq!(health.last_error, None, "the tag was sent, and 304 is an answer to it");
    server.get(server.token()).await.is_let_in();
    // Without a tag 304 is no answer.
    server.issuer.answer("/jwks", Answer::json(&server.issuer.jwks()));
    forced().await.is_refused_by(Check::Key, "`kid`");
    server.issuer.answer("/jwks", Answer::status(StatusCode::NOT_MODIFIED));
    forced().await.is_refused_by(Check::Key, "`kid`");
    assert!(server.layer.health()[0].last_error.as_ref().unwrap().to_string().contains("304"));
}

#[tokio::test]
async fn an_rsa_exponent_of_3_is_accepted_by_danger_alone() {
    let issuer = TestIssuer::with_algorithm(Algorithm::Rs256).await.unwrap();
    let mut set = issuer.jwks();
    set["keys"][0]["e"] = "Aw".into();
    issuer.answer("/jwks", Answer::json(&set));
    for (settings, keys) in
        [(KeySettings::default(), 0), (danger::accept_rsa_exponent_3(KeySettings::default()), 1)]
    {
        let layer = FhirAuthLayer::builder(BASE)
            .issuer(issuer.trusted().key_settings(settings))
            .authorizer(authenticated())
            .build()
            .unwrap();
        let _ = tokio::time::timeout(Duration::from_millis(300), layer.ready()).await;
        assert_eq!(layer.health()[0].keys, keys);
    }
}

#[tokio::test]
async fn issuers_are_checked_when_the_layer_is_built() {
    let set = || {
        JwkSet::parse(br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#).unwrap()
    };
    let build = |issuers: Vec<TrustedIssuer>| {
        let builder = FhirAuthLayer::builder(BASE).authorizer(authenticated());
        issuers.into_iter().fold(builder, |builder, issuer| builder.issuer(issuer)).build().err()
    };
    let issuer = || TrustedIssuer::with_keys("https://a", set());
    assert_eq!(build(vec![issuer()]), None);
    assert_eq!(build(vec![]), Some(BuildError::NoIssuer));
    assert_eq!(
        build(vec![issuer(), issuer()]),
        Some(BuildError::DuplicateIssuer("https://a".into()))
    );
    assert_eq!(
        build(vec![issuer().algorithms([])]),
        Some(BuildError::NoAlgorithm("https://a".into()))
    );
    let nobody: [&str; 0] = [];
    let no_audience = issuer().audience(tower_fhir_auth::AudiencePolicy::exact(nobody));
    assert_eq!(build(vec![no_audience]), Some(BuildError::NoAudience("https://a".into())));
    let no_type = issuer().token_types(nobody);
    assert_eq!(build(vec![no_type]), Some(BuildError::NoTokenType("https://a".into())));
}

#[test]
fn without_a_runtime_building_is_an_error_and_no_panic() {
    let built = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::discover("https://idp.example.org"))
        .authorizer(authenticated())
        .build();
    assert!(matches!(built, Err(BuildError::NoRuntime)));
}

#[tokio::test]
async fn settings_that_cannot_work_are_errors_in_code_too() {
    for (settings, is_good) in [
        (KeySettings::default(), true),
        (KeySettings::default().refresh(Duration::ZERO), false),
        (KeySettings::default().refresh(Duration::from_secs(31 * 24 * 3600)), false),
    ] {
        let issuer = TrustedIssuer::discover("https://idp.example.org").key_settings(settings);
        let layer = FhirAuthLayer::builder(BASE).issuer(issuer).authorizer(authenticated());
        assert_eq!(layer.build().is_ok(), is_good);
    }
}
