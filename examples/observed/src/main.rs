//! A server that operators can see into: metrics for Prometheus, spans that know the caller, refusals in the log.
//!
//! ```text
//! cargo run --example observed                      serves, with an issuer of its own
//! cargo run --example observed -- write             writes the dashboard and the alert rules anew
//! ```
//!
//! `LISTEN` and `METRICS` are the addresses of the API and of what is for operators alone. `dashboard.json` is for
//! Grafana, `alerts.yaml` for Prometheus, and `alerts_test.yaml` for `promtool test rules`: all three are made of the
//! names of the metrics, and a test compares them with what would be written now.

mod alerts;
mod dashboard;
mod query;

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
use tower_fhir_auth::middleware::request_span;
use tower_fhir_auth::test_util::{Answer, TestIssuer};
use tower_fhir_auth::{FhirAuthLayer, Principal, ScopePolicy};
use tower_http::trace::TraceLayer;
use tracing_subscriber::prelude::*;

type Error = Box<dyn std::error::Error>;

/// The bounds of durations in seconds: a cached token, a signature, a slow decision, a wait for a key.
const BUCKETS: [f64; 11] = [5e-7, 1e-6, 5e-6, 2.5e-5, 1e-4, 5e-4, 2.5e-3, 1e-2, 1e-1, 1.0, 5.0];

/// A file, and the text that belongs into it.
type Written = (&'static str, String);

#[tokio::main]
async fn main() -> Result<(), Error> {
    match std::env::args().nth(1).as_deref() {
        None => serve().await,
        Some("write") => {
            for (file, text) in written()? {
                std::fs::write(folder().join(file), text)?;
            }
            Ok(())
        }
        Some(other) => Err(format!("`write`, or nothing, is expected, not `{other}`").into()),
    }
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn written() -> Result<[Written; 3], Error> {
    Ok([
        ("dashboard.json", dashboard::text()?),
        ("alerts.yaml", alerts::rules()?),
        ("alerts_test.yaml", alerts::tests()?),
    ])
}

async fn serve() -> Result<(), Error> {
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let level = tracing_subscriber::filter::LevelFilter::INFO;
    tracing_subscriber::registry().with(log.with_filter(level)).init();
    // Before the layer, which keeps its handles.
    let durations = Matcher::Suffix("_duration_seconds".to_owned());
    let figures =
        PrometheusBuilder::new().set_buckets_for_metric(durations, &BUCKETS)?.install_recorder()?;
    tokio::spawn(keep_up(figures.clone()));

    let listener = bind("LISTEN", "127.0.0.1:8080").await?;
    let base = format!("http://{}/r4", listener.local_addr()?);
    let issuer = TestIssuer::start().await?;
    // Opaque tokens are asked about, so that all figures are there.
    issuer.answer("/introspect", Answer::json(&active(&base)));
    let secret = IntrospectionClient::with_secret("observed", "a secret of this example");
    let endpoint = format!("{}/introspect", issuer.url());
    let auth = FhirAuthLayer::builder(&base)
        .issuer(issuer.trusted().introspection(Introspection::at(endpoint, secret)))
        .authorizer(ScopePolicy::new())
        .build()?;
    auth.ready().await;
    let trace = TraceLayer::new_for_http().make_span_with(request_span::<Body>).on_response(
        |response: &Response<_>, took: Duration, span: &tracing::Span| {
            span.record("http.response.status_code", response.status().as_u16());
            tracing::info!(?took, "answered");
        },
    );
    let api =
        Router::new().route("/r4/Patient/{id}", get(patient)).layer(auth.clone()).layer(trace);

    let operators = bind("METRICS", "127.0.0.1:9464").await?;
    println!("listening on {base}");
    println!("metrics at http://{}/metrics", operators.local_addr()?);
    let token = issuer.token_for(&auth).claim("scope", "user/Patient.r").sign()?;
    println!("curl -H 'Authorization: Bearer {token}' {base}/Patient/1");
    tokio::try_join!(async { axum::serve(listener, api).await }, async {
        axum::serve(operators, for_operators(figures, auth)).await
    },)?;
    Ok(())
}

/// Puts what was measured into buckets: until then each measurement is kept, whether somebody scrapes or not.
async fn keep_up(figures: PrometheusHandle) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        figures.run_upkeep();
    }
}

/// Returns what the issuer says of every opaque token.
fn active(base: &str) -> serde_json::Value {
    let forever = 4_102_444_800_i64;
    serde_json::json!({"active": true, "sub": "grace", "aud": base, "scope": "user/Patient.r", "exp": forever})
}

async fn bind(variable: &str, otherwise: &str) -> std::io::Result<TcpListener> {
    let address = std::env::var(variable).unwrap_or_else(|_| otherwise.to_owned());
    TcpListener::bind(address).await
}

async fn patient(caller: Principal) -> String {
    format!("a patient, read by {}", caller.subject().unwrap_or("?"))
}

/// The routes that only operators may reach.
fn for_operators(figures: PrometheusHandle, auth: FhirAuthLayer) -> Router {
    let ready = move || {
        let answer = auth.readiness();
        async move { answer.map(Body::from) }
    };
    let figures = move || {
        let text = figures.render();
        async move { text }
    };
    Router::new().route("/metrics", get(figures)).route("/ready", get(ready))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashboard_and_rules_are_those_that_the_command_writes() {
        for (file, text) in written().unwrap() {
            let committed = std::fs::read_to_string(folder().join(file)).unwrap_or_default();
            assert!(committed == text, "{file}: run `cargo run --example observed -- write`");
        }
    }
}
