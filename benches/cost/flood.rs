//! A flood of forged tokens, each naming another key.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::keys::{KeySettings, KeySource, KeyTag, LoadFuture, LoadedKeys};
use tower_fhir_auth::test_util::SigningKey;
use tower_fhir_auth::{AudiencePolicy, TrustedIssuer};
use tower_service::Service;

use super::report::Report;
use super::support::meter::{median, thread_time};
use super::support::world::{self, CLIENT, ISSUER, Key, Requests, call, guarded};

const COOLDOWN: Duration = Duration::from_secs(1);
const LASTS: Duration = Duration::from_secs(5);

/// How many forged requests come between two good ones.
const FORGED: usize = 20;

/// A provider that counts how often it is asked.
#[derive(Debug)]
struct Counting {
    keys: JwkSet,
    loads: Arc<AtomicU64>,
}

impl KeySource for Counting {
    fn load(&self, _: Option<KeyTag>) -> LoadFuture<'_> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(LoadedKeys::new(self.keys.clone())) })
    }
}

pub(crate) fn measure(report: &mut Report) {
    if !report.wants("flood") {
        return;
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let key = Key::new(Algorithm::Rs256);
    let loads = Arc::new(AtomicU64::new(0));
    let source = Counting { keys: key.set(), loads: Arc::clone(&loads) };
    let issuer = TrustedIssuer::with_key_source(ISSUER, source)
        .audience(AudiencePolicy::exact([CLIENT]))
        .key_settings(KeySettings::default().cooldown(COOLDOWN));
    let layer = world::layer_of(issuer).token_cache_capacity(0).build().expect("a layer");
    runtime.block_on(layer.authenticator().ready());

    let good = Requests::with(&key.token().sign().expect("a token"));
    let forger = Key(Arc::new(SigningKey::generate("forged", Algorithm::EdDsa).expect("a key")));
    let forged: Vec<Requests> = (0..500)
        .map(|n| forger.token().header("alg", "RS256").header("kid", format!("{n:x}-none")))
        .map(|token| Requests::with(&token.sign().expect("a token")))
        .collect();

    let mut service = guarded(&layer);
    let mut one_good = || {
        let request = good.next();
        let before = thread_time();
        call(&mut service, request, 200);
        (thread_time() - before).as_secs_f64()
    };
    let mut flooded_service = guarded(&layer);
    let mut forged = forged.iter().cycle();
    let mut one_forged = || {
        let request = forged.next().expect("there is always a next").next();
        // Whether it is refused or waits for a load: whoever sends it does not wait for the answer.
        let mut future = std::pin::pin!(flooded_service.call(request));
        let _ = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    };
    let before = loads.load(Ordering::SeqCst);
    let began = Instant::now();
    let (mut calm, mut flooded) = (Vec::new(), Vec::new());
    while began.elapsed() < LASTS {
        for _ in 0..20 {
            (0..FORGED).for_each(|_| one_forged());
            flooded.push(one_good());
        }
        // The first one after the flood finds caches cold, and belongs to it.
        one_good();
        calm.extend((0..20).map(|_| one_good()));
    }
    let loads = loads.load(Ordering::SeqCst) - before;
    let kept = median(calm) / median(flooded);
    report.at_least("flood of forged tokens, throughput that good ones keep", kept, 0.9);
    let windows = began.elapsed().div_duration_f64(COOLDOWN).ceil();
    report.at_most("flood of forged tokens, loads / cooldowns", loads as f64 / windows, 1.0);
}
