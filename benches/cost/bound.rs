//! Tokens that are more than a plain bearer JWT: bound to a key of the client, or introspected.

use std::sync::Arc;

use http::{Method, Request};
use serde_json::json;
use tokio::runtime::Builder;
use tower_fhir_auth::authentication::{Clock, Introspection, IntrospectionClient, SystemClock};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{Answer, ProofBuilder, TestClock, TestIssuer};
use tower_service::Service;

use super::report::Report;
use super::support::meter::{Case, measure as measure_in_turns};
use super::support::world::{
    BASE, Bare, CLIENT, ID, Key, Requests, call, guarded, issuer, layer, layer_of, signed_parts,
};

/// How many tokens take turns where each has to be new to the layer, which remembers one.
const TOKENS: usize = 400;

pub(crate) fn measure(report: &mut Report) {
    for (name, algorithm) in [
        ("DPoP, RS256 token, ES256 proof", Algorithm::Rs256),
        ("DPoP, ES256 token, ES256 proof", Algorithm::Es256),
    ] {
        if report.wants(name) {
            proven(report, name, algorithm);
        }
    }
    if report.wants("introspected") {
        introspected(report);
    }
}

/// A request with a new token and a new proof, less the bare inner service, against the bare checks
/// of the same two signatures.
fn proven(report: &mut Report, name: &str, algorithm: Algorithm) {
    let (key, client) = (Key::new(algorithm), Key::named("client", Algorithm::Es256));
    let clock = TestClock::at(SystemClock.now().as_secs());
    let far = SystemClock.now().as_secs() + 100_000_000;
    let token = |n: usize| {
        let token = key.token().claim("rh", n).claim("exp", far).bound_to(&client.0);
        token.sign().expect("a token")
    };
    let tokens: Vec<String> = (0..TOKENS).map(token).collect();
    let layer = layer(key.set()).token_cache_capacity(1).clock(clock.clone());
    let layer = layer.build().expect("a layer");
    let url = format!("{BASE}/Patient/{ID}");
    let proof = |token: &str| {
        // Each second one, so that no more are remembered than an eager client leaves behind.
        clock.advance(1);
        let proof = ProofBuilder::new(Arc::clone(&client.0), &Method::GET, &url, clock.now());
        proof.of_token(token).sign().expect("a proof")
    };
    let request = |token: &str| {
        let request = Request::get(format!("/r4/Patient/{ID}")).header("dpop", proof(token));
        request.header("authorization", format!("DPoP {token}")).body(()).expect("a request")
    };
    let in_turn = || {
        let mut tokens = tokens.iter().cycle();
        move || tokens.next().expect("there is always a next")
    };
    let (mut for_layer, mut for_bare, mut for_checks) = (in_turn(), in_turn(), in_turn());
    let (mut guarded, mut bare) = (guarded(&layer), Bare);
    let (of_issuer, of_client) = (key.bare(), client.bare());
    let figures = measure_in_turns([
        Case::with(|| request(for_layer()), |request| call(&mut guarded, request, 200)),
        Case::with(|| request(for_bare()), |request| call(&mut bare, request, 200)),
        Case::with(
            || {
                let token = for_checks();
                (signed_parts(token), signed_parts(&proof(token)))
            },
            |((token, of_token), (proof, of_proof))| {
                of_issuer.verify_sig(&token, &of_token).expect("a good signature");
                of_client.verify_sig(&proof, &of_proof).expect("a good signature");
            },
        ),
    ]);
    report.ratio_at_most(
        &format!("{name} / its two bare checks"),
        figures.ratio_without(0, 1, 2),
        1.15,
    );
    report.tell("  two bare checks, us", &format!("{:.2}", figures.seconds(2) * 1e6));
}

/// Tokens that the provider was asked about before, against a JWT that was seen before.
fn introspected(report: &mut Report) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let provider = runtime.block_on(TestIssuer::start()).expect("a provider");
    let client = IntrospectionClient::with_secret("fhir", "secret");
    let asked = Introspection::at(format!("{}/introspect", provider.url()), client);
    let key = Key::new(Algorithm::Rs256);
    let jwt = key.token().sign().expect("a token");
    let now = SystemClock.now().as_secs();
    provider.answer(
        "/introspect",
        Answer::json(&json!({
            "active": true, "aud": CLIENT, "exp": now + 3600, "roles": ["globalReader"],
            "scope": "user_impersonation user.Patient.read", "scp": "user/Patient.rs",
            "sub": "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ",
        })),
    );
    let plain = layer(key.set()).build().expect("a layer");
    let opaque = "o".repeat(jwt.len());
    for (what, token, asked) in
        [("an opaque token", &opaque, asked.clone()), ("a JWT", &jwt, asked.of_every_token())]
    {
        let _entered = runtime.enter();
        let asked = asked.max_age(std::time::Duration::from_secs(3600));
        let asking = layer_of(issuer(key.set()).introspection(asked)).build().expect("a layer");
        let (known, requests) = (Requests::with(&jwt), Requests::with(token));
        let (mut asking, mut plain) = (guarded(&asking), guarded(&plain));
        let first = runtime.block_on(asking.call(requests.next())).expect("an answer");
        assert_eq!(first.status(), 200, "{what}");
        let figures = measure_in_turns([
            Case::with(|| requests.next(), |request| call(&mut asking, request, 200)),
            Case::with(|| known.next(), |request| call(&mut plain, request, 200)),
        ]);
        let what = format!("introspected and seen before, {what} / a JWT seen before");
        report.ratio_at_most(&what, figures.ratio(0, 1), 1.10);
    }
}
