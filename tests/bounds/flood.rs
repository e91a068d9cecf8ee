//! Floods: what is left of very many requests.

use std::sync::Arc;
use std::time::Duration;

use allocation_counter::measure;
use http::{Request, Response};
use http_body_util::Empty;
use metrics_util::debugging::DebuggingRecorder;
use tower::{Layer, Service, service_fn};
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::test_util::SigningKey;

use crate::log_lines::LogLines;
use crate::page::Page;
use crate::requests::at_once;
use crate::waiting::{Source, layer, request};

const FLOOD: usize = 1_000;

pub(crate) fn hold(page: &mut Page) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    forged(page, &runtime);
    left_out(page, &runtime);
}

/// Requests that differ in all that a stranger chooses.
fn forged(page: &mut Page, runtime: &tokio::runtime::Runtime) {
    // A recorder keeps the durations that nobody reads, so that memory is measured without one.
    let kept = flood(runtime, |send| {
        // What is made once is made.
        send(0);
        measure(|| send(FLOOD)).bytes_current
    });
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let log = metrics::with_local_recorder(&recorder, || {
        flood(runtime, |send| LogLines::of(tracing::Level::WARN, || send(0)))
    });
    let series = snapshotter.snapshot().into_vec().len() as u64;
    let kept = u64::try_from(kept.max(0)).unwrap();
    page.hold("1,000 forged tokens, all different", "kept, bytes", kept);
    page.hold("1,000 forged tokens, all different", "series of metrics", series);
    page.hold("1,000 forged tokens, all different", "lines of warnings", log.lines);
}

/// Lends what sends so many different requests, from a number on, to a layer of its own.
fn flood<T>(runtime: &tokio::runtime::Runtime, act: impl FnOnce(&mut dyn FnMut(usize)) -> T) -> T {
    let _entered = runtime.enter();
    let layer = layer(Source { set: Some(set_with(Vec::new())), loads: Arc::default() });
    runtime.block_on(layer.ready());
    let uri = "/r4".parse().unwrap();
    let first = request("a");
    // The one forced load of the cooldown.
    let forced = layer.authenticator();
    drop(runtime.block_on(forced.authenticate(first.headers(), &uri)));
    let inner = service_fn(|_: Request<Empty<bytes::Bytes>>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Empty::<bytes::Bytes>::new()))
    });
    let mut service = layer.layer(inner);
    act(&mut |from| {
        for n in from..from + FLOOD {
            let mut request = request(&format!("kid-{n}"));
            *request.uri_mut() = format!("/r4/X{n}?a{n}={n}").parse().unwrap();
            *request.method_mut() = format!("M{n}").parse().unwrap();
            drop(at_once(service.call(request)));
        }
    })
}

/// Loads that strangers force, of a set of which much cannot be used.
fn left_out(page: &mut Page, runtime: &tokio::runtime::Runtime) {
    let bad = |n| serde_json::json!({"kty": "oct", "kid": format!("{n}"), "k": "AAAA"});
    let set = set_with((0..100).map(bad).collect());
    let log = LogLines::of(tracing::Level::WARN, || {
        runtime.block_on(async {
            let layer = layer(Source { set: Some(set), loads: Arc::default() });
            layer.ready().await;
            let template = request("unknown");
            for _ in 0..600 {
                let headers = template.headers();
                let _ = layer.authenticator().authenticate(headers, template.uri()).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    });
    page.hold(
        "10 minutes of unknown kids, where 100 keys are left out",
        "lines of warnings",
        log.lines,
    );
}

/// A key set of which one key, after these, is good.
fn set_with(mut keys: Vec<serde_json::Value>) -> JwkSet {
    keys.push(SigningKey::generate("known", Algorithm::EdDsa).unwrap().jwk());
    let set = serde_json::json!({ "keys": keys }).to_string();
    JwkSet::parse(set.as_bytes()).unwrap()
}
