//! Reports of keys for operators: health, metrics, logs, and the causes of errors.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use serde_json::json;
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::authorization::RoleDefinitionsError;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::{JwkSet, JwkSetError};
use tower_fhir_auth::keys::{KeyError, KeySettings};
use tower_fhir_auth::test_util::{Answer, TestClock, TestIssuer};
use tower_fhir_auth::{BuildError, FhirAuthLayer, RolePolicy, TrustedIssuer, authenticated};

use super::refresher::{Mood, Provider, Source};
use crate::support::{BASE, NOW, Server};

const JWKS: &str = "/jwks";

#[tokio::test]
async fn health_is_told_as_data_as_json_and_as_metrics() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);

    let settings = KeySettings::default().cooldown(Duration::ZERO);
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    let ready = server.layer.readiness();
    assert_eq!(ready.status(), StatusCode::OK);
    let document: serde_json::Value = serde_json::from_slice(ready.body()).unwrap();
    assert_eq!(document["ready"], true);
    assert_eq!(document["issuers"][0]["issuer"], server.issuer.url());
    assert_eq!(document["issuers"][0]["keys"], 1);
    assert_eq!(document["issuers"][0]["left_out"], json!([]));

    let mut set = server.issuer.jwks();
    set["keys"].as_array_mut().unwrap().push(json!({"kty": "oct", "kid": "s", "k": "eA"}));
    server.issuer.answer(JWKS, Answer::json(&set));
    server.get(server.token().header("kid", "unknown")).await.is_refused_by(Check::Key, "`kid`");
    let health = server.layer.health().remove(0);
    assert_eq!(health.left_out.len(), 1);
    assert!(json!(health)["left_out"][0]["reason"].as_str().unwrap().contains("symmetric"));
    server.issuer.fail();
    server.get(server.token().header("kid", "unknown")).await.is_refused_by(Check::Key, "`kid`");

    let mut seen = Vec::new();
    for (key, _, _, value) in snapshotter.snapshot().into_vec() {
        let labels: Vec<_> = key.key().labels().map(|label| label.value().to_owned()).collect();
        let value = match value {
            DebugValue::Counter(count) => count.to_string(),
            DebugValue::Gauge(gauge) => gauge.to_string(),
            DebugValue::Histogram(_) => "histogram".to_owned(),
        };
        seen.push(format!("{} {} {value}", key.key().name(), labels.join(" ")));
    }
    let url = server.issuer.url();
    let failed = format!("fhir_auth_key_loads_total {url} failed ");
    assert!(seen.iter().any(|line| line.starts_with(&failed)), "{seen:#?}");
    for expected in [
        format!("fhir_auth_refusals_total invalid-token key {BASE} 2"),
        format!("fhir_auth_key_loads_total {url} ok 2"),
        format!("fhir_auth_keys {url} 1"),
        format!("fhir_auth_keys_left_out {url} 1"),
    ] {
        assert!(seen.contains(&expected), "no `{expected}` in {seen:#?}");
    }
}

/// When keys were loaded last, as the gauge tells it.
fn loaded_at(snapshotter: &Snapshotter) -> Option<String> {
    let gauge = "fhir_auth_keys_loaded_timestamp_seconds";
    let mut all = snapshotter.snapshot().into_vec().into_iter();
    all.find_map(|(key, _, _, value)| match value {
        DebugValue::Gauge(value) if key.key().name() == gauge => Some(value.to_string()),
        DebugValue::Counter(_) | DebugValue::Gauge(_) | DebugValue::Histogram(_) => None,
    })
}

#[tokio::test(start_paused = true)]
async fn the_time_of_the_last_load_is_that_of_one_that_has_succeeded() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let (provider, clock) = (Provider::new(None), TestClock::at(NOW));
    let source = Source(Arc::clone(&provider));
    let settings = KeySettings::default().refresh(Duration::from_secs(1));
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_key_source("https://a", source).key_settings(settings))
        .authorizer(authenticated())
        .clock(clock.clone())
        .build()
        .unwrap();
    layer.ready().await;
    assert_eq!(loaded_at(&snapshotter), Some(NOW.to_string()));
    clock.advance(30);
    provider.mood(Mood::Fails);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(layer.health()[0].last_error.is_some());
    // A snapshot takes what it reads: nothing has been told since.
    assert_eq!(loaded_at(&snapshotter), Some("0".to_owned()));
    provider.mood(Mood::Good);
    tokio::time::sleep(Duration::from_secs(21)).await;
    assert_eq!(loaded_at(&snapshotter), Some((NOW + 30).to_string()));
}

#[tokio::test]
async fn a_layer_is_not_ready_before_each_issuer_has_keys() {
    // Nothing has run yet that could load any.
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_keys("https://a", one_key()))
        .issuer(TrustedIssuer::with_jwks_uri("https://b", "http://127.0.0.1:9/jwks"))
        .authorizer(authenticated())
        .build()
        .unwrap();
    let ready = layer.readiness();
    assert_eq!(ready.status(), StatusCode::SERVICE_UNAVAILABLE);
    let document: serde_json::Value = serde_json::from_slice(ready.body()).unwrap();
    assert_eq!(document["ready"], false);
}

#[tokio::test]
async fn health_reads_the_clock_of_the_layer() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let loaded_at = || loaded_at(&snapshotter);

    let settings = KeySettings::default().cooldown(Duration::ZERO);
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    assert_eq!(server.layer.health()[0].last_success, Some(UnixTime::from_secs(NOW)));
    assert_eq!(loaded_at(), Some(NOW.to_string()));
    server.clock.advance(30);
    let later = server.issuer.token_at(UnixTime::from_secs(NOW + 30)).claim("aud", BASE);
    server.get(later.header("kid", "unknown")).await.is_refused_by(Check::Key, "`kid`");
    assert_eq!(server.layer.health()[0].last_success, Some(UnixTime::from_secs(NOW + 30)));
    assert_eq!(loaded_at(), Some((NOW + 30).to_string()));

    let fixed = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_keys("https://a", one_key()))
        .authorizer(authenticated())
        .clock(server.clock.clone())
        .build()
        .unwrap();
    assert_eq!(fixed.health()[0].last_success, Some(UnixTime::from_secs(NOW + 30)));
}

fn one_key() -> JwkSet {
    JwkSet::parse(
        br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
    )
    .unwrap()
}

#[tokio::test]
async fn health_is_one_object_of_json() {
    let issuer = TestIssuer::start().await.unwrap();
    issuer.answer(JWKS, Answer::status(StatusCode::GONE));
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_jwks_uri("https://a", issuer.jwks_uri()))
        .issuer(TrustedIssuer::with_keys("https://b", one_key()))
        .authorizer(authenticated())
        .clock(TestClock::at(NOW))
        .build()
        .unwrap();
    while layer.health()[0].last_error.is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let [down, fixed] = layer.health().try_into().unwrap();
    let answer = "answered with status 410 and content type `application/json`";
    let error = format!("`{}` {answer}", issuer.jwks_uri());
    assert_eq!(
        json!(down),
        json!({
            "issuer": "https://a",
            "usable": false,
            "keys": 0,
            "age_seconds": null,
            "last_success": null,
            "last_error": error,
            "next_refresh_seconds": 0,
            "loads": 1,
            "left_out": [],
        })
    );
    assert_eq!(
        json!(fixed),
        json!({
            "issuer": "https://b",
            "usable": true,
            "keys": 1,
            "age_seconds": 0,
            "last_success": "2027-01-15T08:00:00Z",
            "last_error": null,
            "next_refresh_seconds": null,
            "loads": 0,
            "left_out": [],
        })
    );
}

/// An error, all that it is caused by, and how programmers see it.
fn said(error: &dyn Error) -> String {
    let mut said = format!("{error:?}");
    let mut next = Some(error);
    while let Some(error) = next {
        said = format!("{said}\n{error}");
        next = error.source();
    }
    said
}

/// The first cause of an error that is one of the operating system.
fn io_cause<'a>(mut error: &'a (dyn Error + 'static)) -> Option<&'a std::io::Error> {
    loop {
        error = error.source()?;
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
    }
}

#[tokio::test]
async fn a_key_error_keeps_its_cause_and_no_secret_of_its_address() {
    let issuer = TestIssuer::start().await.unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address = format!("http://user:hunter2@{closed}/jwks?key=hunter2");
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_jwks_uri(issuer.url(), address))
        .authorizer(authenticated())
        .build()
        .unwrap();
    let error = loop {
        match layer.health().remove(0).last_error {
            Some(error) => break error,
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert!(matches!(error, KeyError::Transport { .. }), "{error}");
    let refused = io_cause(&error).unwrap();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    // The message names the causes, as those who read a log see no others.
    assert!(error.to_string().contains(&refused.to_string()), "{error}");
    let said = said(&error);
    assert!(said.contains(&closed.to_string()) && !said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn a_build_error_keeps_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.json");
    let keys = |trusted: TrustedIssuer| {
        let layer = FhirAuthLayer::builder(BASE).issuer(trusted).authorizer(authenticated());
        layer.build().unwrap_err()
    };
    let roles = || RolePolicy::from_file(&path).unwrap_err();
    let key_file = || keys(TrustedIssuer::with_jwks_file("https://a", &path));
    for missing in [key_file(), roles()] {
        let cause = missing.source().unwrap();
        let cause = cause.downcast_ref::<std::io::Error>().unwrap();
        assert_eq!(cause.kind(), std::io::ErrorKind::NotFound);
        assert!(missing.to_string().ends_with(&format!("`{}`: {cause}", path.display())));
        assert_eq!(missing, missing.clone());
    }
    std::fs::write(&path, "{}").unwrap();
    let malformed = key_file();
    assert!(malformed.source().unwrap().is::<JwkSetError>(), "{malformed:?}");
    let malformed = roles();
    assert!(malformed.source().unwrap().is::<RoleDefinitionsError>(), "{malformed:?}");

    std::fs::write(&path, r#"{"keys": []}"#).unwrap();
    let empty = key_file();
    let words = "expected a key set with at least one usable key";
    assert_eq!(empty.to_string(), format!("key file `{}`: {words}", path.display()));
    assert_eq!(empty.source().unwrap().to_string(), words);
    let none =
        keys(TrustedIssuer::with_keys("https://a", JwkSet::parse(br#"{"keys": []}"#).unwrap()));
    assert!(matches!(none, BuildError::Keys { .. }));
    assert_eq!(none.to_string(), "keys of issuer `https://a`: no usable key among 0 entries");
    assert_eq!(none.source().unwrap().to_string(), "no usable key among 0 entries");
}

/// What is written to a log, kept.
#[derive(Clone, Default)]
struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn operators_read_of_failures_recoveries_keys_left_out_and_refusals_and_of_no_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    crate::operator_log::hear_of_every_event();
    let _guard = tracing::subscriber::set_default(subscriber);

    let settings = KeySettings::default().cooldown(Duration::ZERO);
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    let secret = "a-person-nobody-names";
    let token = || server.token().header("kid", "unknown").claim("sub", secret);
    let mut tokens = Vec::new();
    let mut force = async || {
        let token = token().sign().unwrap();
        server.bearer(&token).await.is_refused_by(Check::Key, "`kid`");
        tokens.push(token);
    };
    server.issuer.fail();
    force().await;
    force().await;
    let mut set = server.issuer.jwks();
    set["keys"].as_array_mut().unwrap().push(json!({"kty": "X\nforged line", "kid": "odd"}));
    server.issuer.recover();
    server.issuer.answer(JWKS, Answer::json(&set));
    force().await;

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    for (words, times) in [
        ("keys could not be loaded", 1),
        ("answered with status 500 and content type `application/json`", 1),
        ("keys could be loaded again", 1),
        ("key left out of the set", 1),
        ("kid=\"odd\"", 1),
        ("tower_fhir_auth::rejection", 3),
        ("check=\"key\"", 3),
    ] {
        let own = text.lines().filter(|line| line.contains("tower_fhir_auth"));
        assert_eq!(own.filter(|line| line.contains(words)).count(), times, "{words} in\n{text}");
    }
    assert!(!text.contains(secret) && !text.contains("\nforged line"));
    for token in tokens {
        assert!(token.split('.').all(|segment| !text.contains(segment)), "{text}");
    }
}
