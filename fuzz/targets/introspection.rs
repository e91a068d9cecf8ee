//! The answer to an introspection → claims: whatever a provider says of an opaque token (RFC 7662).
//!
//! It is an answer if strict JSON has an object there; the first check that fails is the model's, and of an accepted
//! one the principal says what `serde_json` reads.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use tower_fhir_auth::authentication::{
    AuthenticationError as E, Introspection, IntrospectionClient,
};
use tower_fhir_auth::{AudiencePolicy, Authenticator};
use tower_fhir_auth_fuzz::caller::says_what_was_signed;
use tower_fhir_auth_fuzz::issuer::{StandingStill, trusted};
use tower_fhir_auth_fuzz::model::token::{BASE, judge_answer};

/// An authenticator whose provider is never asked: answers are given to it.
static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    let client = IntrospectionClient::with_secret("fhir", "secret");
    let asked = Introspection::at("https://idp.example.org/introspect", client);
    let authenticator = Authenticator::builder()
        .audience(AudiencePolicy::exact([BASE]))
        .clock(StandingStill)
        .issuer(trusted().introspection(asked))
        .token_cache_capacity(0)
        .build();
    // What was begun on it stays as it is.
    drop(_entered);
    std::mem::forget(runtime);
    let authenticator = authenticator.unwrap();
    // Where a good answer does not get in, nothing else says anything.
    let good = include_bytes!("../corpus/introspection/active");
    assert!(
        authenticator.authenticate_by_answer("opaque", good).is_some_and(|verdict| verdict.is_ok())
    );
    authenticator
});

fuzz_target!(|body: &[u8]| {
    let verdict = AUTHENTICATOR.authenticate_by_answer("opaque", body);
    match (verdict, judge_answer(body)) {
        (None, None) => {}
        (Some(Ok(principal)), Some(Ok(caller))) => says_what_was_signed(&principal, &caller),
        (Some(Err(E::InvalidToken(finding))), Some(Err(check))) => {
            assert_eq!(finding.check().name(), check, "{finding}");
        }
        (verdict, expected) => panic!("{verdict:?}, expected {expected:?}"),
    }
});
