//! Counts and measurements, and that nothing a client sends becomes a label.

use std::collections::BTreeMap;

use axum::Router;
use http::Request;
use metrics::{LocalRecorderGuard, Unit};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tower_fhir_auth::telemetry::{METRICS, MetricKind, describe_metrics};
use tower_fhir_auth::{FhirAuthLayer, ScopePolicy};

use crate::kit::{application, ask, bearer, by_scopes, send};
use crate::support::{BASE, Server};

/// All figures of this thread.
struct Figures {
    snapshotter: Snapshotter,
    _guard: LocalRecorderGuard<'static>,
}

#[derive(Debug)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    unit: Option<Unit>,
    help: Option<String>,
    kind: MetricKind,
    /// The value, or how often something was measured.
    value: f64,
}

impl Figures {
    fn start() -> Self {
        let recorder: &'static DebuggingRecorder = Box::leak(Box::default());
        let guard = metrics::set_default_local_recorder(recorder);
        Self { snapshotter: recorder.snapshotter(), _guard: guard }
    }

    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "the counts of a test are small"
    )]
    fn all(&self) -> Vec<Series> {
        let series = self.snapshotter.snapshot().into_vec().into_iter();
        let series = series.map(|(key, unit, help, value)| {
            let (kind, value) = match value {
                DebugValue::Counter(count) => (MetricKind::Counter, count as f64),
                DebugValue::Gauge(value) => (MetricKind::Gauge, value.into_inner()),
                DebugValue::Histogram(values) => {
                    assert!(values.iter().all(|value| (0.0..60.0).contains(&value.into_inner())));
                    (MetricKind::Histogram, values.len() as f64)
                }
            };
            let labels = key.key().labels();
            let labels = labels.map(|label| (label.key().to_owned(), label.value().to_owned()));
            Series {
                name: key.key().name().to_owned(),
                labels: labels.collect(),
                unit,
                help: help.map(|text| text.to_string()),
                kind,
                value,
            }
        });
        series.collect()
    }
}

/// The value of the series with this name and these labels, since the last look.
#[track_caller]
fn value(all: &[Series], name: &str, labels: &[(&str, &str)]) -> f64 {
    let found = all.iter().find(|one| {
        one.name == name
            && labels
                .iter()
                .all(|(label, value)| one.labels.get(*label).is_some_and(|found| found == value))
    });
    found.unwrap_or_else(|| panic!("no {name} {labels:?} in {all:#?}")).value
}

fn guarded(server: &Server) -> Router {
    application().layer(server.layer.clone())
}

#[tokio::test]
async fn decisions_are_counted_by_verdict_with_the_time_they_took() {
    let figures = Figures::start();
    let server = by_scopes().await;
    let app = guarded(&server);
    let token = bearer(&server, "user/Patient.rs");
    for (path, credentials, status) in [
        ("/r4/Patient/1", Some(token.as_str()), 200),
        ("/r4/Patient/2", Some(token.as_str()), 200),
        ("/r4/Observation/1", Some(token.as_str()), 403),
        ("/r4/Patient/1", None, 401),
        ("/r4/metadata", None, 200),
    ] {
        assert_eq!(ask(&app, path, credentials).await.status, status, "{path}");
    }
    let all = figures.all();
    for (verdict, count) in [("granted", 2.0), ("refused", 2.0), ("open", 1.0)] {
        let labels = [("layer", BASE), ("verdict", verdict)];
        assert_eq!(value(&all, "fhir_auth_decisions_total", &labels), count, "{verdict}");
    }
    let layer = [("layer", BASE)];
    assert_eq!(value(&all, "fhir_auth_decision_duration_seconds", &layer), 5.0);
    assert_eq!(value(&all, "fhir_auth_wait_duration_seconds", &layer), 0.0);
    let refused = [("kind", "forbidden"), ("check", "authorization"), ("layer", BASE)];
    assert_eq!(value(&all, "fhir_auth_refusals_total", &refused), 1.0);
    let issuer = [("issuer", server.issuer.url())];
    assert_eq!(value(&all, "fhir_auth_verified_total", &issuer), 1.0);
    assert_eq!(value(&all, "fhir_auth_token_cache_hits_total", &issuer), 2.0);
}

#[tokio::test]
async fn a_known_token_that_comes_by_the_wrong_scheme_is_none_from_the_cache() {
    let figures = Figures::start();
    let server = by_scopes().await;
    let app = guarded(&server);
    let token = bearer(&server, "user/Patient.rs");
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&token)).await.status, 200);
    let other = token.replace("Bearer ", "DPoP ");
    assert_eq!(ask(&app, "/r4/Patient/1", Some(&other)).await.status, 401);
    let issuer = [("issuer", server.issuer.url())];
    assert_eq!(value(&figures.all(), "fhir_auth_token_cache_hits_total", &issuer), 0.0);
}

#[tokio::test]
async fn what_has_not_happened_yet_is_there_as_zero() {
    let figures = Figures::start();
    let _server = by_scopes().await;
    let all = figures.all();
    for verdict in ["granted", "refused", "open"] {
        assert_eq!(value(&all, "fhir_auth_decisions_total", &[("verdict", verdict)]), 0.0);
    }
}

#[tokio::test]
async fn a_wait_for_a_key_is_measured_and_is_no_time_of_a_decision() {
    let figures = Figures::start();
    let server = by_scopes().await;
    server.issuer.rotate().unwrap();
    let token = bearer(&server, "user/Patient.rs");
    assert_eq!(ask(&guarded(&server), "/r4/Patient/1", Some(&token)).await.status, 200);
    let all = figures.all();
    assert_eq!(value(&all, "fhir_auth_wait_duration_seconds", &[("layer", BASE)]), 1.0);
    assert_eq!(value(&all, "fhir_auth_decision_duration_seconds", &[("layer", BASE)]), 1.0);
    let granted = [("layer", BASE), ("verdict", "granted")];
    assert_eq!(value(&all, "fhir_auth_decisions_total", &granted), 1.0);
}

#[tokio::test]
async fn layers_are_told_apart_by_their_base_or_the_name_that_they_are_given() {
    let figures = Figures::start();
    let server = by_scopes().await;
    let named = FhirAuthLayer::builder(BASE)
        .issuer(server.issuer.trusted())
        .authorizer(ScopePolicy::new())
        .name("second")
        .build()
        .unwrap();
    let second = application().layer(named);
    for app in [&guarded(&server), &second, &second] {
        assert_eq!(ask(app, "/r4/Patient/1", None).await.status, 401);
    }
    let all = figures.all();
    for (layer, count) in [(BASE, 1.0), ("second", 2.0)] {
        for labels in [&[("layer", layer), ("verdict", "refused")][..], &[("layer", layer)]] {
            let name = match labels.len() {
                1 => "fhir_auth_refusals_total",
                _ => "fhir_auth_decisions_total",
            };
            assert_eq!(value(&all, name, labels), count, "{layer}");
        }
    }
}

#[tokio::test]
async fn every_series_is_one_of_the_table_described_and_with_its_labels() {
    let figures = Figures::start();
    let server = by_scopes().await;
    let app = guarded(&server);
    let token = bearer(&server, "user/Patient.rs");
    for credentials in [None, Some(token.as_str()), Some(token.as_str()), Some("Bearer x")] {
        ask(&app, "/r4/Patient/1", credentials).await;
    }
    let all = figures.all();
    for series in &all {
        let metric = METRICS.iter().find(|metric| metric.name == series.name);
        let metric = metric.unwrap_or_else(|| panic!("{} is not in the table", series.name));
        assert_eq!(series.kind, metric.kind, "{}", metric.name);
        assert_eq!(series.help.as_deref(), Some(metric.help), "{}", metric.name);
        let unit = if metric.unit == "seconds" { Unit::Seconds } else { Unit::Count };
        assert_eq!(series.unit, Some(unit), "{}", metric.name);
        let mut labels = metric.labels.to_vec();
        labels.sort_unstable();
        assert!(series.labels.keys().eq(labels.iter()), "{series:?}");
    }
    for metric in METRICS {
        let is_there = all.iter().any(|series| series.name == metric.name);
        // Nobody asks a provider here.
        assert!(is_there || metric.name == "fhir_auth_introspections_total", "{}", metric.name);
    }
    // Once more is no harm, where the exporter comes later.
    describe_metrics();
}

#[tokio::test]
async fn nothing_that_a_client_sends_becomes_a_label() {
    let figures = Figures::start();
    let server = by_scopes().await;
    let app = guarded(&server);
    let go = async |from: usize| {
        for n in from..from + 40 {
            let forged = format!(
                "Bearer {}",
                server.token().claim("iss", format!("https://{n}")).sign().unwrap()
            );
            let good = bearer(&server, &format!("user/Patient.rs of-{n}"));
            for credentials in [&forged, &good, &format!("X{n} y")] {
                let request = Request::get(format!("/r4/Patient/{n}?q{n}={n}"));
                let request = request.header("x-request-id", n.to_string());
                send(&app, request, Some(credentials)).await;
            }
        }
        figures.all().len()
    };
    let first = go(0).await;
    assert_eq!(go(1000).await, first);
}

#[tokio::test]
async fn the_age_of_keys_begins_anew_when_the_provider_confirms_them() {
    use std::time::Duration;
    use tower_fhir_auth::authentication::UnixTime;
    use tower_fhir_auth::keys::KeySettings;
    use tower_fhir_auth::test_util::Answer;
    let figures = Figures::start();
    let settings = KeySettings::default().cooldown(Duration::ZERO);
    let server = Server::trusting(|issuer| issuer.key_settings(settings)).await;
    let loaded = || {
        let all = figures.all();
        value(&all, "fhir_auth_keys_loaded_timestamp_seconds", &[("issuer", server.issuer.url())])
    };
    let before = loaded();
    // A set with an `ETag`, and then the answer that it is still the one.
    let etag = http::HeaderValue::from_static("\"one\"");
    let tagged = Answer::json(&server.issuer.jwks()).header(http::header::ETAG, etag);
    server.issuer.answer("/jwks", tagged);
    for (later, answer) in [(100, None), (200, Some(http::StatusCode::NOT_MODIFIED))] {
        if let Some(status) = answer {
            server.issuer.answer("/jwks", Answer::status(status));
        }
        server.clock.advance(100);
        let now = UnixTime::from_secs(crate::support::NOW + later);
        let unknown = server.issuer.token_at(now).claim("aud", BASE).header("kid", "unknown");
        server.get(unknown).await;
        assert_eq!(server.layer.health()[0].last_error, None);
        assert_eq!(loaded(), before + f64::from(i32::try_from(later).unwrap()));
    }
}
