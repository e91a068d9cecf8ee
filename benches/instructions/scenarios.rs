//! The requests whose instructions are counted.

use std::hint::black_box;

use http::Request;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::jose::Algorithm;

use super::world::{self, Key, Requests};

pub(crate) const NAMES: &[&str] = &[
    "seen before",
    "seen before, 200 scopes",
    "seen before, a patient's",
    "read for the first time",
    "no token",
    "garbage",
    "unknown issuer",
    "unknown key",
    "not granted",
];

/// Goes through a scenario a number of times, in a function that valgrind can tell by its name.
pub(crate) fn run(name: &str, turns: usize) {
    let key = Key::new(Algorithm::EdDsa);
    let token = |scope: &str| key.token().claim("scp", scope).without("roles");
    let plain = key.token();
    let (token, status) = match name {
        "seen before" => (plain.sign(), 200),
        "seen before, 200 scopes" => (token(&world::scopes(200)).sign(), 200),
        "seen before, a patient's" => {
            (token("patient/*.rs").claim("patient", world::ID).sign(), 200)
        }
        "read for the first time" => return read_for_the_first_time(&key, turns),
        "no token" => return measured(&layer(&key), &Requests::without_token(), 401, turns),
        "garbage" => (Ok("x".repeat(2000)), 401),
        "unknown issuer" => (plain.claim("iss", "https://elsewhere.example.org").sign(), 401),
        "unknown key" => (plain.header("kid", "unknown").sign(), 401),
        "not granted" => (token("user/Observation.rs").sign(), 403),
        other => panic!("no scenario has the name {other}"),
    };
    measured(&layer(&key), &Requests::with(&token.expect("a token")), status, turns);
}

fn layer(key: &Key) -> FhirAuthLayer {
    world::layer(key.set()).build().expect("a layer")
}

fn measured(layer: &FhirAuthLayer, requests: &Requests, status: u16, turns: usize) {
    let mut service = world::guarded(layer);
    world::call(&mut service, requests.next(), status);
    let ready: Vec<Request<()>> = (0..turns).map(|_| requests.next()).collect();
    measured_turns(ready, |request| world::call(&mut service, request, status));
}

/// The whole of a first sight but for the signature: a token of a key that is known, which has
/// another signature, less the check that finds that out.
fn read_for_the_first_time(key: &Key, turns: usize) {
    let token = key.token().sign().expect("a token");
    let layer = world::layer(key.set()).token_cache_capacity(0).build().expect("a layer");
    measured(&layer, &Requests::with(&token), 200, turns);
}

#[inline(never)]
fn measured_turns<T>(inputs: Vec<T>, work: impl FnMut(T)) {
    inputs.into_iter().for_each(black_box(work));
}
