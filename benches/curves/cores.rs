//! Growth with the number of cores: every thread has a service of its own around one layer.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use plotters::chart::SeriesLabelPosition;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::jose::Algorithm;

use super::plot::Curve;
use super::support::meter::median;
use super::support::world::{self, Key, Requests, call, guarded};
use super::{FIRST, SEEN};

const STRETCH: Duration = Duration::from_millis(300);
const STRETCHES: usize = 7;

pub(crate) fn cores() -> Curve {
    let key = Key::new(Algorithm::Rs256);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let one = vec![key.token().sign().expect("a token"); cores];
    let each: Vec<String> = one.iter().map(|_| key.token().sign().expect("a token")).collect();
    let kinds = [(FIRST, 0, &one), (SEEN, 100, &one), ("seen before, a token each", 100, &each)];
    let lines = kinds.map(|(name, remembered, tokens)| {
        let layer =
            world::layer(key.set()).token_cache_capacity(remembered).build().expect("a layer");
        let mut stretches: Vec<Vec<f64>> = vec![Vec::new(); cores];
        for _ in 0..STRETCHES {
            for (threads, of) in (1..=cores).zip(&mut stretches) {
                of.push(throughput(&layer, &tokens[..threads]));
            }
        }
        let alone = median(stretches[0].clone());
        let relative = stretches.into_iter().map(|of| median(of) / alone);
        (name, (1..).map(f64::from).zip(relative).collect())
    });
    Curve {
        file: "cores",
        axis: "threads",
        unit: "throughput of one thread",
        lines: lines.into(),
        legend: SeriesLabelPosition::LowerRight,
    }
}

/// Requests of a second, of all threads together.
fn throughput(layer: &FhirAuthLayer, tokens: &[String]) -> f64 {
    let start = Barrier::new(tokens.len());
    let work = |token: &str| {
        let (mut service, requests) = (guarded(layer), Requests::with(token));
        start.wait();
        let (began, mut done) = (Instant::now(), 0_u32);
        while began.elapsed() < STRETCH {
            (0..16).for_each(|_| call(&mut service, requests.next(), 200));
            done += 16;
        }
        f64::from(done) / began.elapsed().as_secs_f64()
    };
    let work = &work;
    thread::scope(|scope| {
        let workers: Vec<_> = tokens.iter().map(|token| scope.spawn(move || work(token))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker ends")).sum()
    })
}
