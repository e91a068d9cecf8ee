//! Each stage of a request by itself: `cargo bench --bench stages`. For orientation; what is judged
//! stands in `benches/cost` and `benches/instructions`.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on ends"
)]

#[expect(dead_code, reason = "other measurements use the rest of it")]
#[path = "support/world.rs"]
mod world;

use divan::{Bencher, black_box};
use http::{HeaderMap, HeaderValue, Method, Uri, header::AUTHORIZATION};
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::smart::SmartScope;
use tower_fhir_auth::{
    AccessRequest, Authenticator, Authorizer, Interaction, Principal, RoleDefinitions,
};
use world::{BASE, Key, Requests, call, guarded};

fn main() {
    divan::main();
}

#[divan::bench]
fn key_set_of_one(bencher: Bencher<'_, '_>) {
    let key = Key::new(Algorithm::Rs256);
    let text = serde_json::json!({"keys": [key.0.jwk()]}).to_string();
    bencher.bench_local(|| JwkSet::parse(black_box(text.as_bytes())));
}

#[divan::bench]
fn scope() -> Option<SmartScope> {
    black_box("patient/Observation.rs?category=laboratory").parse().ok()
}

#[divan::bench(args = ["/r4/Patient/1", "/r4/Patient?name=x&_include=Patient:organization"])]
fn interaction(bencher: Bencher<'_, '_>, path: &str) {
    let base: BaseUrl = BASE.parse().expect("a base URL");
    let uri: Uri = path.parse().expect("an address");
    let headers = HeaderMap::new();
    bencher.bench_local(|| Interaction::parse(&base, &Method::GET, black_box(&uri), &headers));
}

/// An authenticator, and a request's headers for it.
fn authentication(algorithm: Algorithm, remembered: usize) -> (Authenticator, HeaderMap) {
    let key = Key::new(algorithm);
    let authenticator = Authenticator::builder()
        .issuer(world::issuer(key.set()))
        .token_cache_capacity(remembered)
        .build()
        .expect("an authenticator");
    let bearer = format!("Bearer {}", key.token().sign().expect("a token"));
    let value = HeaderValue::try_from(bearer).expect("a header");
    (authenticator, HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

fn authenticate(authenticator: &Authenticator, headers: &HeaderMap) -> Principal {
    let uri = Uri::from_static("/r4/Patient/1");
    let principal = world::at_once(authenticator.authenticate(headers, &uri));
    principal.expect("a good token")
}

#[divan::bench(args = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa])]
fn bare_check(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let key = Key::new(algorithm);
    let (input, signature) = world::signed_parts(&key.token().sign().expect("a token"));
    let key = key.bare();
    bencher.bench_local(|| key.verify_sig(black_box(&input), &signature));
}

#[divan::bench(args = [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa])]
fn authentication_at_first_sight(bencher: Bencher<'_, '_>, algorithm: Algorithm) {
    let (authenticator, headers) = authentication(algorithm, 0);
    bencher.bench_local(|| authenticate(&authenticator, black_box(&headers)));
}

#[divan::bench]
fn authentication_seen_before(bencher: Bencher<'_, '_>) {
    let (authenticator, headers) = authentication(Algorithm::Rs256, 10);
    bencher.bench_local(|| authenticate(&authenticator, black_box(&headers)));
}

#[divan::bench]
fn policy(bencher: Bencher<'_, '_>) {
    let (authenticator, headers) = authentication(Algorithm::EdDsa, 0);
    let principal = authenticate(&authenticator, &headers);
    let policy = world::policy(RoleDefinitions::microsoft());
    let base: BaseUrl = BASE.parse().expect("a base URL");
    let uri = Uri::from_static("/r4/Patient/1");
    let read = Interaction::parse(&base, &Method::GET, &uri, &HeaderMap::new());
    bencher.bench_local(|| policy.authorize(&AccessRequest::new(black_box(&principal), &read)));
}

#[divan::bench(args = [0, 100])]
fn whole_layer(bencher: Bencher<'_, '_>, remembered: usize) {
    let key = Key::new(Algorithm::Rs256);
    let layer = world::layer(key.set()).token_cache_capacity(remembered).build().expect("a layer");
    let requests = Requests::with(&key.token().sign().expect("a token"));
    let mut service = guarded(&layer);
    bencher.with_inputs(|| requests.next()).bench_local_values(|request| {
        call(&mut service, request, 200);
    });
}

#[divan::bench]
fn refusal(bencher: Bencher<'_, '_>) {
    let layer = world::layer(Key::new(Algorithm::EdDsa).set()).build().expect("a layer");
    let requests = Requests::without_token();
    let mut service = guarded(&layer);
    bencher.with_inputs(|| requests.next()).bench_local_values(|request| {
        call(&mut service, request, 401);
    });
}
