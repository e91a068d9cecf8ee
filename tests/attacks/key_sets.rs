//! Key sets with entries that no token may be verified by, or with very many.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use serde_json::Value;
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::test_util::{SigningKey, TestClock, TokenBuilder};
use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};

use crate::kit::{Attack, Pair, Refused};
use crate::support::{BASE, NOW, Reply, b64, send};

pub(crate) const ISSUER: &str = "https://idp.example.org";

pub(crate) fn key(kid: &str, algorithm: Algorithm) -> Arc<SigningKey> {
    Arc::new(SigningKey::generate(kid, algorithm).unwrap())
}

pub(crate) fn token(key: &Arc<SigningKey>) -> TokenBuilder {
    TokenBuilder::new(ISSUER, Arc::clone(key), UnixTime::from_secs(NOW)).claim("aud", BASE)
}

pub(crate) fn trusting(keys: &[String]) -> FhirAuthLayer {
    let set = format!(r#"{{"keys": [{}]}}"#, keys.join(","));
    FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_keys(ISSUER, JwkSet::parse(set.as_bytes()).unwrap()))
        .authorizer(authenticated())
        .clock(TestClock::at(NOW))
        .build()
        .unwrap()
}

pub(crate) async fn bearer(layer: &FhirAuthLayer, token: &str) -> Reply {
    let request = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
    send(layer, request).await
}

pub(crate) fn set(jwk: &mut Value, name: &str, value: impl Into<Value>) {
    jwk.as_object_mut().unwrap().insert(name.to_owned(), value.into());
}

pub(crate) fn remove(jwk: &mut Value, name: &str) {
    jwk.as_object_mut().unwrap().remove(name);
}

pub(crate) fn attacks() -> Vec<Attack> {
    let mut attacks: Vec<Attack> = small_orders().into_iter().map(small_order).collect();
    attacks.extend([doubled_member(), unbound_algorithm(), shared_id(), no_id(), costly()]);
    attacks
}

/// Encodings of the points of small order of Ed25519, and ones that are not reduced.
fn small_orders() -> Vec<(&'static str, [u8; 32])> {
    const EIGHT: [u8; 32] = *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\
        \xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05";
    const OTHER: [u8; 32] = *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\
        \x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a";
    fn of(first: u8, middle: u8, last: u8) -> [u8; 32] {
        let mut point = [middle; 32];
        (point[0], point[31]) = (first, last);
        point
    }
    fn negative(mut point: [u8; 32]) -> [u8; 32] {
        point[31] |= 0x80;
        point
    }
    vec![
        ("the identity", of(1, 0, 0)),
        ("the identity, with a sign", of(1, 0, 0x80)),
        ("order 2", of(0xec, 0xff, 0x7f)),
        ("order 2, with a sign", of(0xec, 0xff, 0xff)),
        ("order 4", of(0, 0, 0)),
        ("order 4, with a sign", of(0, 0, 0x80)),
        ("order 8", EIGHT),
        ("order 8, with a sign", negative(EIGHT)),
        ("the other of order 8", OTHER),
        ("the other of order 8, with a sign", negative(OTHER)),
        ("zero, not reduced", of(0xed, 0xff, 0x7f)),
        ("the identity, not reduced", of(0xee, 0xff, 0x7f)),
    ]
}

/// A key under which one signature is good for every text.
fn small_order((name, point): (&'static str, [u8; 32])) -> Attack {
    let reference = "jsonwebtoken: a universal forgery with a key of small order";
    Attack::new(format!("a key that is {name}"), reference, move || async move {
        let (one, good) = (key("one", Algorithm::Ed25519), key("good", Algorithm::Es256));
        let twin = trusting(&[one.jwk().to_string(), good.jwk().to_string()]);
        let twin = bearer(&twin, &token(&one).sign().unwrap()).await;
        let mut entry = one.jwk();
        set(&mut entry, "x", b64(point));
        let layer = trusting(&[entry.to_string(), good.jwk().to_string()]);
        let signed = token(&one).sign().unwrap();
        let (input, _) = signed.rsplit_once('.').unwrap();
        let mut signature = [0; 64];
        signature[0] = 1;
        let attack = bearer(&layer, &format!("{input}.{}", b64(signature))).await;
        Pair::new(twin, attack, Refused::Token(Check::Key, "or is of small order"))
    })
}

fn doubled_member() -> Attack {
    Attack::new("a member twice in an entry", "RFC 7517 section 4", || async {
        let (one, good) = (key("one", Algorithm::Es256), key("good", Algorithm::Es256));
        let token_of_one = token(&one).sign().unwrap();
        let entry = one.jwk().to_string();
        let twin = bearer(&trusting(&[entry.clone(), good.jwk().to_string()]), &token_of_one).await;
        let doubled = entry.replacen('{', r#"{"kty":"RSA","#, 1);
        let layer = trusting(&[doubled, good.jwk().to_string()]);
        bearer(&layer, &token(&good).sign().unwrap()).await.is_let_in();
        let refused = Refused::Token(Check::Key, "has a duplicate member");
        Pair::new(twin, bearer(&layer, &token_of_one).await, refused)
    })
}

fn unbound_algorithm() -> Attack {
    let reference = "CVE-2026-22817, CVE-2026-22818, CVE-2026-48523";
    Attack::new("PSS by a key of PKCS#1", reference, || async {
        let one = key("one", Algorithm::Ps256);
        let signed = token(&one).sign().unwrap();
        let mut entry = one.jwk();
        remove(&mut entry, "alg");
        let twin = bearer(&trusting(&[entry.to_string()]), &signed).await;
        set(&mut entry, "alg", "RS256");
        let attack = bearer(&trusting(&[entry.to_string()]), &signed).await;
        let words = "may not be used with the token's `alg`";
        Pair::new(twin, attack, Refused::Token(Check::Key, words))
    })
}

fn of_one_id(number: usize) -> Vec<Arc<SigningKey>> {
    (0..number).map(|_| key("one", Algorithm::Es256)).collect()
}

fn texts(keys: &[Arc<SigningKey>]) -> Vec<String> {
    keys.iter().map(|key| key.jwk().to_string()).collect()
}

fn shared_id() -> Attack {
    Attack::new("620 keys of one kid", "tried by hand", || async {
        let (few, many) = (of_one_id(4), of_one_id(620));
        let twin = bearer(&trusting(&texts(&few)), &token(&few[3]).sign().unwrap()).await;
        let attack = bearer(&trusting(&texts(&many)), &token(&many[3]).sign().unwrap()).await;
        let words = "too many keys of the issuer have the token's `kid`";
        Pair::new(twin, attack, Refused::Token(Check::Key, words))
    })
}

fn no_id() -> Attack {
    let reference = "jwt-authorizer: without kid the first key of that alg";
    Attack::new("a token without kid and many keys", reference, || async {
        let keys = of_one_id(5);
        let bare = token(&keys[3]).without_header("kid").sign().unwrap();
        let twin = bearer(&trusting(&texts(&keys[1..])), &bare).await;
        let attack = bearer(&trusting(&texts(&keys)), &bare).await;
        let words = "too many keys of the issuer fit the token";
        Pair::new(twin, attack, Refused::Token(Check::Key, words))
    })
}

/// The most that one signature can cost.
fn costly() -> Attack {
    let reference = "tried by hand: RSA-8192 with e = 2^32 - 1";
    Attack::new("a key that is as costly as may be", reference, || async {
        let (one, good) = (key("one", Algorithm::Rs256), key("good", Algorithm::Es256));
        let mut entry = one.jwk();
        set(&mut entry, "n", b64([0xff; 1024]));
        set(&mut entry, "e", b64([0xff; 4]));
        let layer = trusting(&[entry.to_string(), good.jwk().to_string()]);
        let twin = bearer(&layer, &token(&good).sign().unwrap()).await;
        let signed = token(&one).sign().unwrap();
        let (input, _) = signed.rsplit_once('.').unwrap();
        let forged = format!("{input}.{}", b64([0x7f; 1024]));
        let start = Instant::now();
        for _ in 0..50 {
            assert_eq!(bearer(&layer, &forged).await.status, 401);
        }
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        let words = "the signature does not verify";
        Pair::new(twin, bearer(&layer, &forged).await, Refused::Token(Check::Signature, words))
    })
}
