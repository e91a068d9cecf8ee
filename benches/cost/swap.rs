//! A key swap every millisecond: no request waits for it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tower_fhir_auth::test_util::replace_keys;
use tower_fhir_auth::{Algorithm, FhirAuthLayer};

use super::report::Report;
use super::support::meter::median;
use super::support::world::{self, ISSUER, Key, Requests, call, guarded};

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
        let layer = world::layer(key.set()).remember_tokens(remember).build().expect("a layer");
        let (mut calm, mut swapped, mut swaps) = (Vec::new(), Vec::new(), 0);
        for _ in 0..STRETCHES {
            calm.push(slowest(&layer, &token));
            let (tail, number) = while_swapping(&layer, &key, || slowest(&layer, &token));
            swapped.push(tail);
            swaps += number;
        }
        // `call` has held every future to be ready at once: a request that waits ends the run.
        report.at_most(&format!("key swap, requests that waited, {path}"), 0.0, 0.0);
        let ratio = median(swapped) / median(calm);
        report.tell(&format!("  p99.9 with {swaps} swaps / without"), &format!("{ratio:.2}"));
    }
}

/// The slowest request of a thousand, in seconds.
fn slowest(layer: &FhirAuthLayer, token: &str) -> f64 {
    let (mut service, requests) = (guarded(layer), Requests::with(token));
    let began = Instant::now();
    let mut taken = Vec::with_capacity(1 << 20);
    while began.elapsed() < STRETCH {
        let request = requests.next();
        let before = Instant::now();
        call(&mut service, request, 200);
        taken.push(before.elapsed().as_secs_f64());
    }
    taken.sort_by(f64::total_cmp);
    taken[taken.len() * 999 / 1000]
}

fn while_swapping(layer: &FhirAuthLayer, key: &Key, work: impl FnOnce() -> f64) -> (f64, usize) {
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
