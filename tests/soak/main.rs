//! A soak: keys that rotate every second, good tokens, and a flood of forged ones beside them,
//! over loopback. Bounded, and started by one command:
//!
//! ```text
//! cargo test --test soak -- 180     for as many seconds; 60 without a number
//! ```
//!
//! The last lines are its figures. It fails when a good token was refused, a forged one accepted,
//! the provider asked more often than the permits allow, or memory has grown.

#![expect(clippy::unwrap_used, reason = "a failed step of a soak is a failed soak")]

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::test_util::{SigningKey, TestIssuer};
use tower_fhir_auth::{FhirAuthLayer, authenticated};

const AUDIENCE: &str = "https://fhir.example.org/r4";
const REFRESH: Duration = Duration::from_secs(1);
const COOLDOWN: Duration = Duration::from_secs(5);
/// Providers publish a key before they sign with it; this many rotations ahead.
const AHEAD: usize = 3;
const CLIENTS: usize = 3;
/// How many tokens are remembered.
const REMEMBERED: usize = 500;

/// How much the process may grow after its first tenth, in kilobytes.
const GROWTH: u64 = 16 * 1024;

#[derive(Default)]
struct Figures {
    good: AtomicU64,
    good_refused: AtomicU64,
    forged: AtomicU64,
    forged_accepted: AtomicU64,
    longest_good_micros: AtomicU64,
    over: AtomicBool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let seconds = std::env::args().filter_map(|argument| argument.parse().ok()).next();
    let length = Duration::from_secs(seconds.unwrap_or(60));
    let issuer = Arc::new(TestIssuer::with_algorithm(Algorithm::Ed25519).await.unwrap());
    for _ in 0..AHEAD {
        issuer.publish_next().unwrap();
    }
    let settings = KeySettings::default().refresh(REFRESH).cooldown(COOLDOWN);
    let layer = FhirAuthLayer::builder(AUDIENCE)
        .issuer(issuer.trusted().key_settings(settings))
        .authorizer(authenticated())
        // So few that they are all there before memory is first looked at.
        .token_cache_capacity(REMEMBERED)
        .build()
        .unwrap();
    layer.ready().await;
    let app = Router::new().fallback(get(|| async { "in" })).layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/r4/Patient/1", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());

    let figures = Arc::new(Figures::default());
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(good(url.clone(), Arc::clone(&issuer), Arc::clone(&figures)));
        clients.spawn(forger(url.clone(), Arc::clone(&issuer), Arc::clone(&figures)));
    }

    let start = Instant::now();
    let mut rotations = 0_u64;
    let mut memory_early = resident();
    while start.elapsed() < length {
        tokio::time::sleep(Duration::from_secs(1)).await;
        issuer.publish_next().unwrap();
        issuer.rotate().unwrap();
        rotations += 1;
        if start.elapsed() < length / 10 {
            memory_early = resident();
        }
    }
    figures.over.store(true, Ordering::SeqCst);
    while clients.join_next().await.is_some() {}
    report(&figures, start.elapsed(), rotations, issuer.jwks_requests(), memory_early)
}

/// A client whose tokens are good.
async fn good(url: String, issuer: Arc<TestIssuer>, figures: Arc<Figures>) {
    let client = reqwest::Client::new();
    while !figures.over.load(Ordering::SeqCst) {
        let token = issuer.token().claim("aud", AUDIENCE).sign().unwrap();
        let start = Instant::now();
        let status = client.get(&url).bearer_auth(token).send().await.unwrap().status();
        let micros = u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX);
        figures.longest_good_micros.fetch_max(micros, Ordering::SeqCst);
        figures.good.fetch_add(1, Ordering::SeqCst);
        if status != 200 {
            figures.good_refused.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A client that forges: unknown keys, known keys and other people's signatures, old tokens, and
/// tokens for others. One in sixteen goes away before the answer.
async fn forger(url: String, issuer: Arc<TestIssuer>, figures: Arc<Figures>) {
    let mine = Arc::new(SigningKey::generate("mine", Algorithm::Ed25519).unwrap());
    let client = reqwest::Client::new();
    let mut number = 0_u64;
    while !figures.over.load(Ordering::SeqCst) {
        number += 1;
        let token = issuer.token().claim("aud", AUDIENCE);
        let token = match number % 4 {
            0 => token
                .header("kid", format!("unknown-{}", fastrand::u64(..)))
                .signed_by(Arc::clone(&mine)),
            1 => token.signed_by(Arc::clone(&mine)),
            2 => token.claim("exp", 1),
            _ => token.claim("aud", "https://other.example.org"),
        };
        let request = client.get(&url).bearer_auth(token.sign().unwrap()).send();
        let patience = if number % 16 == 0 { 1 } else { 30_000 };
        let answer = tokio::time::timeout(Duration::from_millis(patience), request).await;
        figures.forged.fetch_add(1, Ordering::SeqCst);
        if answer.is_ok_and(|answer| answer.unwrap().status() != 401) {
            figures.forged_accepted.fetch_add(1, Ordering::SeqCst);
        }
    }
}

fn report(
    figures: &Figures,
    length: Duration,
    rotations: u64,
    loads: u64,
    memory_early: u64,
) -> ExitCode {
    let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
    let windows = |window: Duration| length.as_millis() / window.as_millis() + 1;
    // A scheduled load comes after nine tenths of the refresh at the earliest.
    let permits = windows(REFRESH.mul_f64(0.9)) + windows(COOLDOWN);
    let memory_late = resident();
    let verdicts = [
        read(&figures.good) > 0 && read(&figures.forged) > 0 && rotations > 0,
        read(&figures.good_refused) == 0,
        read(&figures.forged_accepted) == 0,
        u128::from(loads) <= permits,
        memory_late <= memory_early + GROWTH,
    ];
    println!("seconds             {}", length.as_secs());
    println!("rotations           {rotations}");
    println!(
        "good tokens         {} ({} refused)",
        read(&figures.good),
        read(&figures.good_refused)
    );
    println!(
        "forged tokens       {} ({} accepted)",
        read(&figures.forged),
        read(&figures.forged_accepted)
    );
    println!("longest good        {} us", read(&figures.longest_good_micros));
    println!("loads of the keys   {loads} (at most {permits} permitted)");
    println!(
        "resident memory     {memory_early} kB early, {memory_late} kB late (may grow {GROWTH})"
    );
    let passed = verdicts.iter().filter(|verdict| **verdict).count();
    println!("{passed} passed, {} failed", verdicts.len() - passed);
    if passed == verdicts.len() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Resident memory in kilobytes; 0 where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let digits = line.unwrap_or_default().trim().trim_end_matches(" kB");
    digits.parse().unwrap_or(0)
}
