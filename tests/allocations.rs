//! Allocations of a request, and memory that the layer keeps: figures that must not grow.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a failed step of a test is a failed test"
)]
#[expect(dead_code, reason = "benches use the rest of it")]
#[path = "../benches/support/widest.rs"]
mod widest;
#[expect(dead_code, reason = "benches use the rest of it")]
#[path = "../benches/support/world.rs"]
mod world;

use allocation_counter::measure;
use http::Request;
use tower_fhir_auth::FhirAuth;
use tower_fhir_auth::jose::Algorithm;
use world::{Bare, Key, Requests, call, guarded, layer};

/// Prints a figure beside its bound, as `cargo bench --bench cost` reads it.
fn hold(what: &str, figure: u64, bound: u64) {
    println!("{what} | {figure} | {bound}");
    assert!(figure <= bound, "{what}: {figure}, at most {bound}");
}

fn allocations_of(service: &mut FhirAuth<Bare>, request: Request<()>) -> u64 {
    let with = measure(|| call(service, request, 200)).count_total;
    let bare = Requests::without_token().next();
    let without = measure(|| call(&mut Bare, bare, 200)).count_total;
    with - without
}

#[test]
fn a_token_seen_before_costs_two_values_in_the_extensions_and_nothing_else() {
    let key = Key::new(Algorithm::EdDsa);
    let layer = layer(key.set()).build().expect("a layer");
    let mut service = guarded(&layer);
    for (who, token, bound) in [
        ("a user's", key.token(), 2),
        ("by role", key.token().without("scp"), 2),
        ("200 scopes", key.token().claim("scp", world::scopes(200)), 2),
        (
            "a patient's",
            key.token().claim("scp", "patient/*.rs").claim("patient", world::ID).without("roles"),
            3,
        ),
    ] {
        let mut requests = Requests::with(&token.sign().expect("a token"));
        call(&mut service, requests.next(), 200);
        let what = format!("seen before, allocations, {who}");
        hold(&what, allocations_of(&mut service, requests.next()), bound);
        // Here the layer also has to make the map that its two values go into.
        requests.has_extensions = false;
        let what = format!("{what}, no extensions before");
        hold(&what, allocations_of(&mut service, requests.next()), bound + 2);
    }
}

#[test]
fn a_token_seen_for_the_first_time_allocates_what_is_kept_of_it() {
    let key = Key::new(Algorithm::EdDsa);
    let layer = layer(key.set()).token_cache_capacity(0).build().expect("a layer");
    let mut service = guarded(&layer);
    let requests = Requests::with(&key.token().sign().expect("a token"));
    call(&mut service, requests.next(), 200);
    hold("first sight, allocations", allocations_of(&mut service, requests.next()), 8);
}

#[test]
fn memory_is_bounded_whatever_the_number_of_tokens() {
    const REMEMBERED: usize = 100;
    let key = Key::new(Algorithm::EdDsa);
    let layer = layer(key.set()).token_cache_capacity(REMEMBERED).build().expect("a layer");
    let mut service = guarded(&layer);
    let mut send = |from: usize, to: usize| {
        for n in from..to {
            let token = key.token().claim("rh", n).sign().expect("a token");
            call(&mut service, Requests::with(&token).next(), 200);
        }
    };
    let kept = |bytes: i64| u64::try_from(bytes.max(0)).expect("it is not negative");
    let filled = kept(measure(|| send(0, 4 * REMEMBERED)).bytes_current);
    let more = kept(measure(|| send(4 * REMEMBERED, 8 * REMEMBERED)).bytes_current);
    let allowed = REMEMBERED as u64 * 8 * 1024;
    hold("memory of 100 remembered tokens, bytes", filled, allowed);
    hold("memory that 400 further tokens add, bytes", more, allowed / 20);
}

/// Finding: parsed constraints were not counted, and 1,000 tokens took 97 MiB of 8.
#[test]
fn a_thousand_of_the_widest_tokens_take_no_more_than_is_said() {
    const REMEMBERED: usize = 1000;
    let key = Key::new(Algorithm::EdDsa);
    let mut claims = widest::scope_claims(widest::SCOPES);
    // Very many parameters, in one constraint and in as many as count.
    let parameters: Vec<String> = (0..2900).map(|n| format!("a{n}=")).collect();
    claims.push(format!("user/Flag.rs?{}1", parameters.join("1&")));
    let small: Vec<String> = (0..8).map(|n| format!("a{n}=1")).collect();
    let many = (0..32).map(|n| format!("user/Flag.rs?x={n}&{}", small[..7].join("&")));
    claims.push(many.collect::<Vec<_>>().join(" "));
    let layer = layer(key.set()).token_cache_capacity(REMEMBERED).build().expect("a layer");
    let mut service = guarded(&layer);
    let mut send = |claims: &[String], times: usize| {
        for (n, scopes) in claims.iter().cycle().take(times).enumerate() {
            let token = key.token().claim("scp", scopes.as_str()).claim("rh", n);
            let token = token.sign().expect("a token");
            if token.len() <= 16 * 1024 {
                call(&mut service, Requests::with(&token).next(), 200);
            }
        }
    };
    let bytes = measure(|| send(&claims, 2 * REMEMBERED)).bytes_current;
    let kept = u64::try_from(bytes.max(0)).expect("it is not negative");
    let allowed = REMEMBERED as u64 * 8 * 1024;
    hold("memory of 1,000 of the widest tokens, bytes", kept, allowed);
}
