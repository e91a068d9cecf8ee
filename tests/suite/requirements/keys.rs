//! RFC 7517 and RFC 7518: which keys are used, and for what.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::{Algorithm, JwkError, JwkSet};
use tower_fhir_auth::test_util::{SigningKey, TokenBuilder};
use tower_fhir_auth::{BuildError, FhirAuthLayer, TrustedIssuer, authenticated};

use crate::support::{BASE, NOW, Reply, b64, send};

const ISSUER: &str = "https://idp.example.org";

fn key(kid: &str, algorithm: Algorithm) -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(kid, algorithm).unwrap())
}

fn token(key: &Arc<SigningKey>) -> TokenBuilder {
    TokenBuilder::new(ISSUER, Arc::clone(key), UnixTime::from_secs(NOW)).claim("aud", BASE)
}

/// Judges a token with these keys alone.
async fn judge(keys: &[Value], token: TokenBuilder) -> Reply {
    let set = JwkSet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap();
    judge_with(set, token.sign().unwrap()).await
}

async fn judge_with(set: JwkSet, token: String) -> Reply {
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_keys(ISSUER, set))
        .authorizer(authenticated())
        .clock(tower_fhir_auth::test_util::TestClock::at(NOW))
        .build()
        .unwrap();
    let bearer = format!("Bearer {token}");
    send(&layer, http::Request::get("/r4/Patient/1").header("authorization", bearer)).await
}

/// Why an entry is left out; the set keeps its good key in any case.
#[expect(clippy::needless_pass_by_value, reason = "entries are made where they are tried")]
fn left_out(entry: impl ToString) -> Option<JwkError> {
    let good = key("good", Algorithm::Ed25519).jwk();
    let set = format!(r#"{{"keys": [{}, {good}]}}"#, entry.to_string());
    let set = JwkSet::parse(set.as_bytes()).unwrap();
    assert_eq!(set.len() + set.left_out().len(), 2);
    set.left_out().first().map(|entry| entry.reason.clone())
}

fn with(mut jwk: Value, name: &str, value: impl Into<Value>) -> Value {
    jwk.as_object_mut().unwrap().insert(name.to_owned(), value.into());
    jwk
}

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

#[tokio::test]
async fn k1_a_bad_entry_costs_itself_alone_and_is_reported() {
    let rsa = key("r", Algorithm::Rs256).jwk();
    for entry in [
        json!(5),
        json!(null),
        json!([]),
        json!({}),
        json!({"kty": 5}),
        json!({"kty": "XYZ"}),
        json!({"kty": "AKP", "alg": "ML-DSA-44"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "", "y": ""}),
        json!({"kty": "OKP", "crv": "X25519", "x": b64([9; 32])}),
        json!({"kty": "OKP", "crv": "Ed448", "x": b64([9; 57])}),
        without(rsa.clone(), "n"),
        without(rsa.clone(), "e"),
        with(rsa.clone(), "n", 5),
        with(rsa.clone(), "n", "a+b/"),
        with(rsa.clone(), "kid", 5),
        with(rsa.clone(), "alg", 5),
        with(rsa.clone(), "alg", Value::Null),
        with(rsa.clone(), "use", 5),
        with(rsa.clone(), "key_ops", "verify"),
    ] {
        assert!(left_out(&entry).is_some(), "{entry} was taken");
    }
    let doubled = rsa.to_string().replacen('{', r#"{"kty":"RSA","#, 1);
    assert!(matches!(left_out(doubled), Some(JwkError::NotAnObject(_))));
    assert_eq!(left_out(with(rsa.clone(), "x5c", "no list")), None, "x5c is not looked at");
    assert_eq!(left_out(with(rsa, "foo", json!({"bar": 1}))), None);

    for text in ["[[]]", "", "[]", "{}", r#"{"keys":5}"#, r#"{"keys":[],"keys":[]}"#, "<html>"] {
        assert!(JwkSet::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[tokio::test]
async fn k2_use_is_absent_or_sig() {
    let jwk = key("k", Algorithm::Es256).jwk();
    assert_eq!(left_out(without(jwk.clone(), "use")), None);
    for other in ["enc", "SIG", ""] {
        assert_eq!(left_out(with(jwk.clone(), "use", other)), Some(JwkError::Purpose("use")));
    }
}

#[tokio::test]
async fn k3_key_ops_is_absent_or_contains_verify_without_doubles() {
    let jwk = key("k", Algorithm::Es256).jwk();
    let with_ops = |operations: Value| left_out(with(jwk.clone(), "key_ops", operations));
    assert_eq!(with_ops(json!(["verify"])), None);
    assert_eq!(with_ops(json!(["sign", "verify"])), None);
    for purpose in [json!([]), json!(["sign"]), json!(["encrypt", "wrapKey"])] {
        assert_eq!(with_ops(purpose), Some(JwkError::Purpose("key_ops")));
    }
    let crowd = (0..17).map(|n| if n == 0 { "verify".to_owned() } else { n.to_string() });
    let crowd = Value::from(crowd.collect::<Vec<_>>());
    for malformed in [json!(["verify", "verify"]), json!(["verify", 5]), json!({}), crowd] {
        assert_eq!(with_ops(malformed), Some(JwkError::Malformed("key_ops")));
    }
    let contradiction = with(with(jwk, "key_ops", json!(["verify"])), "use", "enc");
    assert_eq!(left_out(contradiction), Some(JwkError::Purpose("use")));
}

#[tokio::test]
async fn k4_the_alg_of_a_key_is_absent_or_that_of_the_token() {
    let rsa = key("k", Algorithm::Ps256);
    let ps256 = rsa.jwk();
    judge(std::slice::from_ref(&ps256), token(&rsa)).await.is_let_in();
    judge(&[without(ps256.clone(), "alg")], token(&rsa)).await.is_let_in();
    let reply = judge(&[with(ps256.clone(), "alg", "RS256")], token(&rsa)).await;
    reply.is_refused_by(Check::Key, "`alg`");
    for other in ["RSA-OAEP", "HS256", "ES256", "none", "ps256", ""] {
        let reason = left_out(with(ps256.clone(), "alg", other));
        assert_eq!(reason, Some(JwkError::Algorithm(other.to_owned())), "{other}");
    }
}

#[tokio::test]
async fn k5_kid_is_compared_exactly_and_may_name_keys_of_several_kinds() {
    let elliptic = key("same", Algorithm::Es256);
    let rsa = key("same", Algorithm::Rs256);
    let both = [elliptic.jwk(), rsa.jwk()];
    judge(&both, token(&elliptic)).await.is_let_in();
    judge(&both, token(&rsa)).await.is_let_in();
    for other in ["SAME", "same ", "sam", "", "same\0"] {
        let reply = judge(&both, token(&rsa).header("kid", other)).await;
        reply.is_refused_by(Check::Key, "`kid`");
    }
    let number = judge(&both, token(&rsa).header("kid", 5)).await;
    number.is_refused_by(Check::Header, "`kid`");
    let crowd: Vec<Value> = (0..5).map(|_| key("same", Algorithm::Es256).jwk()).collect();
    judge(&crowd, token(&elliptic)).await.is_refused_by(Check::Key, "too many keys");
}

#[tokio::test]
async fn k6_points_are_whole_and_on_their_curve() {
    let p256 = key("k", Algorithm::Es256).jwk();
    let p384 = key("k", Algorithm::Es384).jwk();
    for (name, size) in [("x", 31), ("y", 33)] {
        let reason = left_out(with(p256.clone(), name, b64(vec![1; size])));
        let is_that = matches!(reason, Some(JwkError::Coordinate { found, expected: 32, .. }) if found == size);
        assert!(is_that, "{name}: {reason:?}");
    }
    assert_eq!(left_out(with(p256.clone(), "x", b64([1; 32]))), Some(JwkError::Point));
    let mut zero = with(p256.clone(), "x", b64([0; 32]));
    zero = with(zero, "y", b64([0; 32]));
    assert_eq!(left_out(zero), Some(JwkError::Point));
    // A label that is not the curve's.
    assert!(left_out(with(p256.clone(), "crv", "P-384")).is_some());
    assert!(left_out(with(p384, "crv", "P-256")).is_some());
    let crossed = with(without(p256, "alg"), "alg", "ES384");
    assert_eq!(left_out(crossed), Some(JwkError::Algorithm("ES384".to_owned())));

    let edwards = key("k", Algorithm::EdDsa).jwk();
    for size in [0, 31, 33] {
        let reason = left_out(with(edwards.clone(), "x", b64(vec![9; size])));
        let is_that = matches!(reason, Some(JwkError::Coordinate { name: "x", expected: 32, .. }));
        assert!(is_that, "{size}: {reason:?}");
    }
    let mut identity = [0; 32];
    for (first, last) in [(1, 0), (0, 0), (1, 0x80), (0, 0x80)] {
        [identity[0], identity[31]] = [first, last];
        assert_eq!(left_out(with(edwards.clone(), "x", b64(identity))), Some(JwkError::Point));
    }
}

#[tokio::test]
async fn k7_rsa_keys_have_2048_to_8192_bits_and_an_odd_exponent_of_65537_or_more() {
    let good = key("k", Algorithm::Rs256);
    let jwk = good.jwk();
    let modulus = |bits: usize| with(jwk.clone(), "n", b64(vec![0xff; bits / 8]));
    for bits in [512, 1024, 2040, 8200, 16384] {
        assert_eq!(left_out(modulus(bits)), Some(JwkError::Modulus(bits)), "{bits}");
    }
    let mut even = vec![0xff; 256];
    even[255] = 0xfe;
    assert_eq!(left_out(with(jwk.clone(), "n", b64(even))), Some(JwkError::Modulus(2048)));
    for exponent in [&[3][..], &[1], &[0], &[], &[1, 0, 0], &[0xff, 0xff], &[1, 0, 0, 0, 1], &[2]] {
        let reason = left_out(with(jwk.clone(), "e", b64(exponent)));
        assert_eq!(reason, Some(JwkError::Exponent), "{exponent:?}");
    }
    // A leading zero octet is how DER writes a positive number; some providers copy it.
    let n = jwk["n"].as_str().unwrap();
    let n = URL_SAFE_NO_PAD.decode(n).unwrap();
    let padded = with(jwk, "n", b64([vec![0], n].concat()));
    judge(&[padded], token(&good)).await.is_let_in();
}

#[tokio::test]
async fn k8_symmetric_keys_are_ignored() {
    let reason = left_out(json!({"kty": "oct", "k": b64("secret"), "kid": "x"}));
    assert_eq!(reason, Some(JwkError::Private("k")));
    let reason = left_out(json!({"kty": "oct", "kid": "x"}));
    assert_eq!(reason, Some(JwkError::Unsupported("oct".to_owned())));
    let only = JwkSet::parse(br#"{"keys":[{"kty":"oct","k":""}]}"#).unwrap();
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_keys(ISSUER, only))
        .authorizer(authenticated());
    assert!(matches!(layer.build(), Err(BuildError::Keys { .. })));
}

#[tokio::test]
async fn k9_a_published_private_key_is_not_used() {
    let jwk = key("k", Algorithm::Es256).jwk();
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let reason = left_out(with(jwk.clone(), name, "AQAB"));
        assert_eq!(reason, Some(JwkError::Private(name)));
    }
}

#[tokio::test]
async fn k10_without_kid_the_few_keys_that_fit_are_tried() {
    let one = key("one", Algorithm::Es256);
    let rsa = key("rsa", Algorithm::Rs256);
    judge(&[one.jwk(), rsa.jwk()], token(&one).without_header("kid")).await.is_let_in();

    let mut keys: Vec<Value> = (0..3).map(|_| key("old", Algorithm::Es256).jwk()).collect();
    keys.push(one.jwk());
    judge(&keys, token(&one).without_header("kid")).await.is_let_in();
    let stranger = key("one", Algorithm::Es256);
    let forged = judge(&keys, token(&stranger).without_header("kid")).await;
    forged.is_refused_by(Check::Signature, "signature");

    keys.push(key("fifth", Algorithm::Es256).jwk());
    let reply = judge(&keys, token(&one).without_header("kid")).await;
    reply.is_refused_by(Check::Key, "too many keys");
    judge(&keys, token(&one)).await.is_let_in();
    let none = judge(&[rsa.jwk()], token(&one).without_header("kid")).await;
    none.is_refused_by(Check::Key, "`alg`");
}

#[tokio::test]
async fn a_set_of_256_keys_works_and_one_that_lists_a_key_twice_too() {
    let good = key("good", Algorithm::Es256);
    let mut keys: Vec<Value> =
        (0..256).map(|n| key(&format!("k{n}"), Algorithm::Ed25519).jwk()).collect();
    keys.extend([good.jwk(), good.jwk()]);
    judge(&keys, token(&good)).await.is_let_in();
    let too_many: Vec<Value> = (0..1025).map(|_| json!({})).collect();
    let error = JwkSet::parse(json!({ "keys": too_many }).to_string().as_bytes()).unwrap_err();
    assert!(error.to_string().contains("1025"));
}

/// A PKCS#8 key made for this test.
const THEIRS: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg0c0SMi7pASzrFVwosopp7w_y5J3it0e4_znWPkTXhZ2h\
    RANCAATqHOM8hkNTq2PWvR58VALXnSIw5W6CXFnQOLG8xh338v7eid2f39gS3a7HFp3eQpButo0bDlCktvmS7T1I--4X";

#[tokio::test]
async fn keys_and_tokens_of_another_implementation_are_understood() {
    use jsonwebtoken::jwk::{Jwk, JwkSet as TheirSet};
    use jsonwebtoken::{EncodingKey, Header};
    let theirs = EncodingKey::from_ec_der(&URL_SAFE_NO_PAD.decode(THEIRS).unwrap());
    let algorithm = jsonwebtoken::Algorithm::ES256;
    let set = TheirSet { keys: vec![Jwk::from_encoding_key(&theirs, algorithm).unwrap()] };
    let claims = json!({"iss": ISSUER, "aud": BASE, "sub": "alice", "exp": NOW + 60});
    let token = jsonwebtoken::encode(&Header::new(algorithm), &claims, &theirs).unwrap();
    judge_with(JwkSet::try_from(&set).unwrap(), token).await.is_let_in();
}
