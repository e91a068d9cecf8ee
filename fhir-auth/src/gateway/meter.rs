//! Figures for dashboards, in the text format of Prometheus, on the port for operators alone.
//!
//! | metric | kind | labels |
//! |---|---|---|
//! | `fhir_auth_gateway_requests_total` | counter, answers to clients | `status`: `1xx` to `5xx` |
//! | `fhir_auth_gateway_upstream_faults_total` | counter | `kind`: `not_for_clients`, `out_of_reach`, `too_late` |
//! | `fhir_auth_gateway_over_limit_total` | counter, requests beyond `max_buffered`, or beyond one request's share of it | |
//! | `fhir_auth_gateway_buffered_bytes` | gauge, held of all requests together | |
//!
//! Beside them stand those of the layer, whose labels are words of its own and the issuers of the file: nothing
//! that a client sends becomes a label.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use metrics::{Counter, Gauge, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::gateway_error::GatewayError;
use crate::server::App;

const REQUESTS: &str = "fhir_auth_gateway_requests_total";
const FAULTS: &str = "fhir_auth_gateway_upstream_faults_total";
const OVER_LIMIT: &str = "fhir_auth_gateway_over_limit_total";
const BUFFERED: &str = "fhir_auth_gateway_buffered_bytes";

/// The bounds of durations in seconds: a cached token, a signature, a slow decision, a wait for a key.
const BUCKETS: [f64; 11] = [5e-7, 1e-6, 5e-6, 2.5e-5, 1e-4, 5e-4, 2.5e-3, 1e-2, 1e-1, 1.0, 5.0];

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The figures, as operators read them.
#[derive(Clone)]
pub(super) struct GatewayMetrics(Option<PrometheusHandle>);

impl GatewayMetrics {
    /// Collects figures from now on. Where somebody else does already, there are none here.
    pub(super) fn collect() -> Self {
        let durations = Matcher::Suffix("_duration_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(durations, &BUCKETS);
        let handle = builder.and_then(PrometheusBuilder::install_recorder).ok();
        if let Some(handle) = handle.clone() {
            tokio::spawn(keep_up(handle));
        }
        metrics::describe_counter!(REQUESTS, "Answers to clients, by the class of their status.");
        metrics::describe_counter!(
            FAULTS,
            "Requests that the upstream server has failed, by kind."
        );
        metrics::describe_counter!(OVER_LIMIT, "Requests that were beyond `max_buffered`.");
        metrics::describe_gauge!(BUFFERED, Unit::Bytes, "Bytes held of all requests together.");
        // What has not happened yet is there as 0, so that its rate is known from the first time on.
        CLASSES.iter().for_each(|class| of_class(class).increment(0));
        for fault in [GatewayError::NotForClients, GatewayError::OutOfReach, GatewayError::TooLate]
        {
            if let Some(kind) = upstream_fault(fault) {
                of_kind(kind).increment(0);
            }
        }
        metrics::counter!(OVER_LIMIT).increment(0);
        buffered().set(0.0);
        Self(handle)
    }

    pub(super) fn respond(&self) -> Response<Bytes> {
        let text = self.0.as_ref().map(PrometheusHandle::render).unwrap_or_default();
        let mut response = Response::new(Bytes::from(text));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Moves measurements into buckets regularly: otherwise they would pile up until somebody reads the metrics.
async fn keep_up(handle: PrometheusHandle) {
    loop {
        tokio::time::sleep(Duration::from_secs(5)).await;
        handle.run_upkeep();
    }
}

/// Counts the answers to clients.
pub(super) fn around(app: App) -> App {
    // Looking one up takes longer than counting.
    let answers: Arc<[Counter; 5]> = Arc::new(CLASSES.map(of_class));
    App::from_fn(move |request| {
        let (answer, answers) = (app.answer(request), Arc::clone(&answers));
        Box::pin(async move {
            let response = answer.await;
            if let Some(answers) = of_status(&answers, response.status()) {
                answers.increment(1);
            }
            response
        })
    })
}

/// Returns the counter of the class of a status.
fn of_status(answers: &[Counter; 5], status: StatusCode) -> Option<&Counter> {
    answers.get(usize::from(status.as_u16() / 100).checked_sub(1)?)
}

/// Counts what has gone wrong with a request.
pub(super) fn failed(fault: GatewayError) {
    if matches!(fault, GatewayError::Busy | GatewayError::OverShare) {
        metrics::counter!(OVER_LIMIT).increment(1);
    } else if let Some(kind) = upstream_fault(fault) {
        of_kind(kind).increment(1);
    }
}

/// Returns the bytes that are held.
pub(super) fn buffered() -> Gauge {
    metrics::gauge!(BUFFERED)
}

fn of_class(class: &'static str) -> Counter {
    metrics::counter!(REQUESTS, "status" => class)
}

fn of_kind(kind: &'static str) -> Counter {
    metrics::counter!(FAULTS, "kind" => kind)
}

/// Returns the kind of a fault of the upstream server.
fn upstream_fault(fault: GatewayError) -> Option<&'static str> {
    match fault {
        GatewayError::NotForClients => Some("not_for_clients"),
        GatewayError::OutOfReach => Some("out_of_reach"),
        GatewayError::TooLate => Some("too_late"),
        GatewayError::Busy
        | GatewayError::Elsewhere
        | GatewayError::LongForm
        | GatewayError::LongHeader
        | GatewayError::OverShare
        | GatewayError::Provenance
        | GatewayError::Unsent => None,
    }
}
