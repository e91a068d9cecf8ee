//! A token whose `kid` names a key that was left out of the set is told why, and that the provider
//! has to mend it.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::explanation::{Check, KeyReason, Reason, Side};
use tower_fhir_auth::jose::{Algorithm, JwkError, JwkSet};
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::test_util::{Answer, SigningKey, TestIssuer};
use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};

use super::provider::{JWKS, last_error, loaded};
use crate::support::{BASE, Reply, Server, b64};

const KID: &str = "signs-now";

/// A public key with these members in place of its own; `null` takes one out.
#[expect(clippy::needless_pass_by_value, reason = "members are made where they are tried")]
fn entry(algorithm: Algorithm, members: Value) -> Value {
    let mut jwk = SigningKey::generate(KID, algorithm).unwrap().jwk();
    for (name, value) in members.as_object().unwrap() {
        jwk.as_object_mut().unwrap().insert(name.clone(), value.clone());
    }
    jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    jwk
}

/// The refusal of a token that names `KID` where the set has a good key beside this entry.
async fn judged(entry: &str) -> (Reply, Reason, Vec<(Side, String)>) {
    let server = Server::start().await;
    let good = server.issuer.key().jwk();
    let set = JwkSet::parse(format!("{{\"keys\": [{good}, {entry}]}}").as_bytes()).unwrap();
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_keys(server.issuer.url(), set))
        .authorizer(authenticated())
        .clock(server.clock.clone())
        .build()
        .unwrap();
    let bearer = format!("Bearer {}", server.token().header("kid", KID).sign().unwrap());
    let request = || Request::get("/r4/Patient/1").header("authorization", &bearer);
    let reply = crate::support::send(&layer, request()).await;
    let (parts, ()) = request().body(()).unwrap().into_parts();
    let explanation = layer.explain(&parts).await;
    let finding = explanation.failure().unwrap();
    let advice = finding.advice().into_iter().map(|advice| (advice.side, advice.text));
    (reply, finding.reason().clone(), advice.collect())
}

/// Each fault: its name, the entry, the value of the reason, and words of refusal and advice.
fn faults() -> Vec<(&'static str, Value, &'static str, &'static str, &'static str)> {
    let (rsa, p256) = (Algorithm::Rs256, Algorithm::Es256);
    let certificate = json!({"n": null, "e": null, "x5c": ["MIIBcertificate"]});
    let point_alone = json!({"x": null, "y": null, "x5c": ["MIIBcertificate"]});
    let in_bits = |bits: usize| json!({"n": b64(vec![0xff; bits / 8])});
    vec![
        ("x5c", entry(rsa, certificate), "CertificateAlone", "`x5c` alone", "`n` and `e`"),
        ("x5c of EC", entry(p256, point_alone), "CertificateAlone", "`x5c` alone", "`x`"),
        (
            "31 bytes",
            entry(p256, json!({"x": b64([7; 31])})),
            "Coordinate { name: \"x\", found: 31, expected: 32 }",
            "`x` has 31 bytes instead of 32",
            "leading zeros",
        ),
        (
            "33 bytes",
            entry(p256, json!({"y": b64([7; 33])})),
            "Coordinate { name: \"y\", found: 33, expected: 32 }",
            "`y` has 33 bytes instead of 32",
            "leading zeros",
        ),
        ("off", entry(p256, json!({"y": b64([7; 32])})), "Point", "curve", "point"),
        (
            "1024 bits",
            entry(rsa, in_bits(1024)),
            "Modulus(1024)",
            "1024 bits",
            "of 2048 to 8192 bits",
        ),
        ("e = 3", entry(rsa, json!({"e": "Aw"})), "Exponent", "exponent", "exponent 65537"),
        ("no e", entry(rsa, json!({"e": null})), "Missing(\"e\")", "`e` is missing", "`e`"),
        ("e", entry(rsa, json!({"e": "!"})), "Malformed(\"e\")", "`e` is malformed", "`e`"),
        (
            "use",
            entry(rsa, json!({"use": "enc"})),
            "Purpose(\"use\")",
            "`use`",
            "let `use` be `sig`",
        ),
        (
            "key_ops",
            entry(rsa, json!({"key_ops": ["sign"]})),
            "Purpose(\"key_ops\")",
            "`key_ops`",
            "`verify`",
        ),
        (
            "alg",
            entry(rsa, json!({"alg": "RSA-OAEP"})),
            "Algorithm(\"RSA-OAEP\")",
            "`RSA-OAEP`",
            "`alg`",
        ),
        (
            "curve",
            entry(p256, json!({"crv": "secp256k1", "alg": null})),
            "Unsupported(\"secp256k1\")",
            "`secp256k1`",
            "P-256",
        ),
        ("d", entry(rsa, json!({"d": "AQAB"})), "Private(\"d\")", "`d`", "another key"),
    ]
}

#[tokio::test]
async fn a_token_that_names_a_key_left_out_is_told_why_and_the_provider_is_to_mend_it() {
    for (name, entry, expected, words, step) in faults() {
        let (reply, reason, advice) = judged(&entry.to_string()).await;
        let Reason::Key(KeyReason::LeftOut(fault)) = reason else { panic!("{name}: {reason:?}") };
        assert_eq!(format!("{fault:?}"), expected, "{name}");
        reply.is_refused_by(Check::Key, words);
        assert!(reply.body.contains("left out"), "{name}: {}", reply.body);
        let told = format!("{advice:?}");
        assert!(told.contains(step), "{name}: no `{step}` in {told}");
        assert!(advice.iter().all(|(side, _)| *side == Side::Provider), "{name}: {told}");
        assert!(!told.contains("publish the key that signs in the key set"), "{name}: {told}");
        // Its `kid` may be told, and the kind of fault, but nothing of the key itself.
        for member in ["n", "e", "x", "y", "d"] {
            let Some(value) = entry[member].as_str().filter(|value| value.len() > 8) else {
                continue;
            };
            let shown = format!("{:?}{}{told}", reply.headers, reply.body);
            assert!(!shown.contains(value), "{name}: `{member}` is shown");
        }
        assert!(!reply.body.contains("MIIB"), "{name}: {}", reply.body);
    }
}

#[tokio::test]
async fn an_entry_with_a_doubled_member_is_told_as_that() {
    let jwk = entry(Algorithm::Es256, json!({})).to_string();
    let doubled = jwk.replacen('{', "{\"use\": \"sig\", \"use\": \"sig\", ", 1);
    let (reply, reason, advice) = judged(&doubled).await;
    let is_that = matches!(reason, Reason::Key(KeyReason::LeftOut(JwkError::NotAnObject(_))));
    assert!(is_that, "{reason:?}");
    reply.is_refused_by(Check::Key, "left out");
    assert!(format!("{advice:?}").contains("once"), "{advice:?}");
}

#[tokio::test]
async fn a_good_key_of_the_same_kid_is_used_and_another_kid_is_as_unknown_as_before() {
    let server = Server::start().await;
    let good = server.issuer.key().jwk();
    let bad = json!({"kty": "RSA", "kid": good["kid"], "x5c": ["MIIB"]});
    let set = JwkSet::parse(json!({"keys": [bad, good]}).to_string().as_bytes()).unwrap();
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_keys(server.issuer.url(), set))
        .authorizer(authenticated())
        .clock(server.clock.clone())
        .build()
        .unwrap();
    let get = async |kid: Option<&str>| {
        let token = kid.map_or_else(|| server.token(), |kid| server.token().header("kid", kid));
        let bearer = format!("Bearer {}", token.sign().unwrap());
        let request = Request::get("/r4/Patient/1").header("authorization", bearer);
        crate::support::send(&layer, request).await
    };
    get(None).await.is_let_in();
    get(Some("other")).await.is_refused_by(Check::Key, "no key of the issuer");
}

#[tokio::test]
async fn what_is_remembered_of_keys_left_out_is_bounded_in_number_and_length() {
    let issuer = TestIssuer::start().await.unwrap();
    let long = "k".repeat(257);
    let mut keys = vec![json!(issuer.key().jwk()), json!({"kty": "oct", "kid": long})];
    keys.extend((0..300).map(|number| json!({"kty": "oct", "kid": format!("k-{number}")})));
    let set = JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    assert_eq!(set.left_out().len(), 301);
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_keys(issuer.url(), set))
        .authorizer(authenticated())
        .build()
        .unwrap();
    for (kid, words) in [
        ("k-0", "left out"),
        ("k-255", "left out"),
        ("k-256", "no key of the issuer has"),
        (long.as_str(), "no key of the issuer has"),
    ] {
        let token = issuer.token().claim("aud", BASE).header("kid", kid).sign().unwrap();
        let request = Request::get("/r4/Patient/1");
        let request = request.header("authorization", format!("Bearer {token}"));
        crate::support::send(&layer, request).await.is_refused_by(Check::Key, words);
    }
}

#[tokio::test]
async fn a_set_of_nothing_but_keys_left_out_says_why_in_health() {
    let issuer = TestIssuer::start().await.unwrap();
    let only =
        json!({"keys": [entry(Algorithm::Rs256, json!({"n": null, "e": null, "x5c": ["MIIB"]}))]});
    issuer.answer(JWKS, Answer::json(&only));
    let layer = loaded(issuer.trusted(), KeySettings::default()).await;
    let error = last_error(&layer);
    assert!(error.contains("no usable key among 1 entries"), "{error}");
    assert!(error.contains("`x5c` alone"), "{error}");
    assert!(!error.contains("MIIB"), "{error}");
}
