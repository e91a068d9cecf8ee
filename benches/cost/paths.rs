//! The ways of a request: a token seen for the first time, seen before, refused.

use std::hint::black_box;

use aws_lc_rs::digest::{SHA256, digest};
use tower_fhir_auth::jose::Algorithm;

use super::report::Report;
use super::support::meter::{Case, measure as measure_in_turns};
use super::support::world::{Bare, Key, Requests, call, guarded, in_turn, layer, signed_parts};

/// How many tokens take turns where each has to be new to the layer.
const TOKENS: usize = 400;

/// How many of them it may remember then: one, which it does not hit more than once in so many.
const REMEMBERED: usize = 1;

pub(crate) fn measure(report: &mut Report) {
    for (name, algorithm, bound) in [
        ("first sight, RS256", Algorithm::Rs256, 1.20),
        ("first sight, ES256", Algorithm::Es256, 1.08),
        ("first sight, EdDSA", Algorithm::EdDsa, 1.08),
    ] {
        if report.wants(name) {
            first_sight(report, name, algorithm, bound);
        }
    }
    if report.wants("seen before") {
        seen_before(report);
    }
    if report.wants("refused") {
        refused(report);
    }
}

fn tokens(key: &Key) -> Vec<String> {
    let token = |n| key.token().claim("rh", n).sign().expect("a token");
    (0..TOKENS).map(token).collect()
}

/// The whole layer, less the bare inner service, against the bare check of the same signatures.
fn first_sight(report: &mut Report, name: &str, algorithm: Algorithm, bound: f64) {
    let key = Key::new(algorithm);
    let tokens = tokens(&key);
    let layer = layer(key.set()).token_cache_capacity(REMEMBERED).build().expect("a layer");
    let (mut guarded, mut bare, parsed) = (guarded(&layer), Bare, key.bare());
    let mut parts = tokens.iter().map(|token| signed_parts(token)).cycle();
    let figures = measure_in_turns([
        Case::with(in_turn(&tokens), |request| call(&mut guarded, request, 200)),
        Case::with(in_turn(&tokens), |request| call(&mut bare, request, 200)),
        Case::with(
            || parts.next().expect("there is always a next"),
            |(input, signature)| parsed.verify_sig(&input, &signature).expect("a good signature"),
        ),
    ]);
    let what = format!("{name} ({} bytes) / bare check", tokens[0].len());
    report.ratio_at_most(&what, figures.ratio_without(0, 1, 2), bound);
    report.tell("  bare check, us", &format!("{:.2}", figures.seconds(2) * 1e6));
}

fn seen_before(report: &mut Report) {
    let key = Key::new(Algorithm::Rs256);
    let layer = layer(key.set()).build().expect("a layer");
    let token = key.token().sign().expect("a token");
    let one = Requests::with(&token);
    let (mut guarded, mut bare) = (guarded(&layer), Bare);
    let figures = measure_in_turns([
        Case::with(|| one.next(), |request| call(&mut guarded, request, 200)),
        Case::with(|| one.next(), |request| call(&mut bare, request, 200)),
        Case::new(|| _ = black_box(digest(&SHA256, token.as_bytes()))),
    ]);
    report.ratio_at_most("seen before / SHA-256 of the token", figures.ratio(0, 2), 0.5);
    report.tell("  seen before, us", &format!("{:.3}", figures.seconds(0) * 1e6));
    report.tell("  bare inner service, us", &format!("{:.3}", figures.seconds(1) * 1e6));
}

/// Whoever sends something bad costs less than whoever sends something good.
fn refused(report: &mut Report) {
    let key = Key::new(Algorithm::Rs256);
    let layer = layer(key.set()).token_cache_capacity(0).build().expect("a layer");
    let signed = |token: tower_fhir_auth::test_util::TokenBuilder| token.sign().expect("a token");
    let good = Requests::with(&signed(key.token()));
    for (what, requests) in [
        ("refused, no token", Requests::without_token()),
        ("refused, garbage", Requests::with(&"x".repeat(2000))),
        (
            "refused, unknown issuer",
            Requests::with(&signed(key.token().claim("iss", "https://idp.elsewhere.example"))),
        ),
        ("refused, unknown key", Requests::with(&signed(key.token().header("kid", "unknown")))),
    ] {
        let (mut verifying, mut refusing) = (guarded(&layer), guarded(&layer));
        let figures = measure_in_turns([
            Case::with(|| requests.next(), |request| call(&mut refusing, request, 401)),
            Case::with(|| good.next(), |request| call(&mut verifying, request, 200)),
        ]);
        report.ratio_at_most(&format!("{what} / a verified one"), figures.ratio(0, 1), 0.15);
    }
}
