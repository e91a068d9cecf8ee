//! Header and payload → a proof of possession (RFC 9449), for a token that is bound to its key.
//!
//! The first line is the header, the rest the payload; `@K` stands for the key, `@A` for the hash of the token.
//! After a `?` nobody has signed it, after a `!` the bytes are the header field as it is sent. A proof gets its
//! token in if the model says that it is good, and once.

#![no_main]

use std::sync::LazyLock;

use http::{HeaderValue, Request};
use libfuzzer_sys::fuzz_target;
use tower_fhir_auth::authenticated;
use tower_fhir_auth::{Enforcement, FhirAuthLayer};
use tower_fhir_auth_fuzz::access::layer;
use tower_fhir_auth_fuzz::client::{ATH, BOUND, POINT, prove};
use tower_fhir_auth_fuzz::issuer::forge;
use tower_fhir_auth_fuzz::model::proof::{Wanted, is_good};
use tower_fhir_auth_fuzz::service::send;

/// A good proof: where it does not get in, nothing else says anything.
static GOOD: LazyLock<()> = LazyLock::new(|| {
    let (header, payload) = parts(include_bytes!("../corpus/proof/good"));
    assert!(is_good(&header, &payload, Wanted { point: &POINT, ath: &ATH }));
    let proof = HeaderValue::try_from(prove(&header, &payload)).unwrap();
    assert!(let_in(&layer(authenticated(), Enforcement::ALL, 1), &proof));
});

fuzz_target!(|data: &[u8]| {
    LazyLock::force(&GOOD);
    let wanted = Wanted { point: &POINT, ath: &ATH };
    let (proof, expected) = match data {
        [b'!', raw @ ..] => (raw.to_vec(), None),
        [b'?', rest @ ..] => {
            let (header, payload) = parts(rest);
            (forge(&header, &payload).into_bytes(), Some(false))
        }
        _ => {
            let (header, payload) = parts(data);
            let proof = prove(&header, &payload);
            let is_short = proof.len() <= 8 * 1024;
            (proof.into_bytes(), Some(is_short && is_good(&header, &payload, wanted)))
        }
    };
    let Ok(value) = HeaderValue::from_bytes(&proof) else { return };
    // What it remembers is of this input alone.
    let layer = layer(authenticated(), Enforcement::ALL, 1);
    let first = let_in(&layer, &value);
    match expected {
        Some(expected) => assert_eq!(first, expected),
        // Nothing in it can be a signature of the key but a whole proof that was signed before.
        None => assert!(!first, "not signed"),
    }
    assert!(!let_in(&layer, &value), "twice");
});

/// Header and payload of an input.
fn parts(data: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let text = String::from_utf8_lossy(data).replace("@K", &POINT).replace("@A", &ATH);
    let (header, payload) = text.split_once('\n').unwrap_or((&text, ""));
    (header.into(), payload.into())
}

/// Reports whether the token gets in with a proof. A proof that is no good is told of as one.
fn let_in(layer: &FhirAuthLayer, proof: &HeaderValue) -> bool {
    let request = Request::get("/r4/Patient/1").header("authorization", format!("DPoP {}", *BOUND));
    let reply = send(layer, request.header("dpop", proof).body(()).unwrap());
    if !reply.let_in {
        assert_eq!(reply.status, 401, "{:?}", reply.body);
        let challenge = reply.headers["www-authenticate"].to_str().unwrap();
        assert!(
            challenge.starts_with("DPoP ") && challenge.contains("error=\"invalid_dpop_proof\"")
        );
    }
    reply.let_in
}
