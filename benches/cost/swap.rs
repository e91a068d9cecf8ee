//! A key swap every millisecond: no request waits for it.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use http::Request;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::replace_keys;
use tower_fhir_auth::{FhirAuth, FhirAuthLayer};
use tower_service::Service;

use super::report::Report;
use super::support::meter::median;
use super::support::world::{self, Bare, ISSUER, Key, Requests, guarded};

/// How long requests are timed at a stretch, with swaps and without in turns.
const STRETCH: Duration = Duration::from_millis(700);
const STRETCHES: usize = 7;

pub(crate) fn measure(report: &mut Report) {
    if !report.wants("key swap") {
        return;
    }
    let key = Key::new(Algorithm::Rs256);
    let token = key.token().sign().expect("a token");
    for (path, remember) in [("every request verified", 0), ("tokens remembered", 100)] {
        let layer =
            world::layer(key.set()).token_cache_capacity(remember).build().expect("a layer");
        let (mut calm, mut swapped, mut swaps, mut waited) = (Vec::new(), Vec::new(), 0, 0);
        for _ in 0..STRETCHES {
            calm.push(slowest(&layer, &token).0);
            let ((tail, waits), number) = while_swapping(&layer, &key, || slowest(&layer, &token));
            swapped.push(tail);
            waited += waits;
            swaps += number;
        }
        report.at_most(&format!("key swap, requests that waited, {path}"), waited as f64, 0.0);
        let ratio = median(swapped) / median(calm);
        report.tell(&format!("  p99.9 with {swaps} swaps / without"), &format!("{ratio:.2}"));
    }
}

/// The slowest request of a thousand, in seconds, and how many were not answered at once.
fn slowest(layer: &FhirAuthLayer, token: &str) -> (f64, usize) {
    let (mut service, requests) = (guarded(layer), Requests::with(token));
    let began = Instant::now();
    let mut taken = Vec::with_capacity(1 << 20);
    let mut waited = 0;
    while began.elapsed() < STRETCH {
        let request = requests.next();
        let before = Instant::now();
        waited += usize::from(!is_let_in_at_once(&mut service, request));
        taken.push(before.elapsed().as_secs_f64());
    }
    taken.sort_by(f64::total_cmp);
    (taken[taken.len() * 999 / 1000], waited)
}

fn is_let_in_at_once(service: &mut FhirAuth<Bare>, request: Request<()>) -> bool {
    let future = pin!(service.call(request));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response.status().is_success(),
        Poll::Ready(Err(_)) | Poll::Pending => false,
    }
}

fn while_swapping(
    layer: &FhirAuthLayer,
    key: &Key,
    work: impl FnOnce() -> (f64, usize),
) -> ((f64, usize), usize) {
    let sets = [world::many_names(key, 1), world::many_names(key, 2)];
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            let mut swaps = 0;
            while !over.load(Ordering::Relaxed) {
                assert!(replace_keys(layer, ISSUER, sets[swaps % 2].clone()));
                swaps += 1;
                thread::sleep(Duration::from_millis(1));
            }
            swaps
        });
        let result = work();
        over.store(true, Ordering::Relaxed);
        (result, swapper.join().expect("the swapper has no reason to stop"))
    })
}
