//! The authentication of this server to the provider.

use std::fs;
use std::time::Duration;

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
use tower_fhir_auth::jose::JwkSet;
use tower_fhir_auth::test_util::TestClock;
use tower_fhir_auth::{
    AudiencePolicy, Authenticator, BuildError, FhirAuthLayer, TrustedIssuer, authenticated,
};

use super::kit::{CLIENT, Guarded, OPAQUE, Provider, SECRET, bearer};
use crate::support::{BASE, NOW, b64};

/// A private key as a JWK, and its public half.
fn p256(kid: &str) -> (Value, Value) {
    on_curve("P-256", &ECDSA_P256_SHA256_FIXED_SIGNING, kid)
}

fn on_curve(curve: &str, signing: &'static EcdsaSigningAlgorithm, kid: &str) -> (Value, Value) {
    let pair = EcdsaKeyPair::generate(signing).unwrap();
    let point = pair.public_key().as_ref();
    let (x, y) = point[1..].split_at(point.len() / 2);
    let public = json!({"kty": "EC", "crv": curve, "kid": kid, "x": b64(x), "y": b64(y)});
    let mut private = public.clone();
    let secret: aws_lc_rs::encoding::EcPrivateKeyBin<'_> =
        pair.private_key().as_be_bytes().unwrap();
    private["d"] = b64(secret.as_ref()).into();
    (private, public)
}

fn ed25519(kid: &str) -> (Value, Value) {
    let pair = Ed25519KeyPair::generate().unwrap();
    let seed = pair.seed().unwrap();
    let seed: aws_lc_rs::encoding::Curve25519SeedBin<'_> = seed.as_be_bytes().unwrap();
    let public = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(pair.public_key().as_ref()),
    });
    let mut private = public.clone();
    private["d"] = b64(seed.as_ref()).into();
    (private, public)
}

/// An RSA key of 2048 bits, made once for these tests.
fn rsa(kid: &str) -> (Value, Value) {
    let mut private: Value = serde_json::from_str(include_str!("rsa_key.json")).unwrap();
    private["kid"] = kid.into();
    let public = json!({"kty": "RSA", "kid": kid, "n": private["n"], "e": private["e"]});
    (private, public)
}

/// The claims of an assertion that a key has signed, for a provider of this name.
async fn verified(assertion: &str, public: &Value, issuer: &str) -> Value {
    let keys = JwkSet::parse(json!({"keys": [public]}).to_string().as_bytes()).unwrap();
    let judge = Authenticator::builder()
        .issuer(TrustedIssuer::with_keys(CLIENT, keys))
        .audience(AudiencePolicy::exact([issuer]))
        .clock(TestClock::at(NOW))
        .build()
        .unwrap();
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", format!("Bearer {assertion}").parse().unwrap());
    let caller = judge.authenticate(&headers, &"/".parse().unwrap()).await.unwrap();
    caller.claims().unwrap()
}

/// A layer that authenticates by the key of a file.
async fn by_key(path: &std::path::Path) -> (Provider, FhirAuthLayer) {
    let provider = Provider::start().await;
    let client = IntrospectionClient::with_key_file(CLIENT, path);
    let introspection = Introspection::discover(client).max_age(Duration::ZERO);
    let issuer = TrustedIssuer::discover(&provider.url).introspection(introspection);
    let builder = FhirAuthLayer::builder(BASE).issuer(issuer).clock(TestClock::at(NOW));
    let layer = builder.authorizer(authenticated()).build().unwrap();
    provider.says(OPAQUE, provider.good());
    (provider, layer)
}

#[tokio::test]
async fn n2_a_secret_is_sent_in_the_header_encoded_as_a_form_is() {
    let server = Guarded::start().await;
    server.bearer(OPAQUE).await;
    let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
    let asked = server.provider.asked();
    assert_eq!(asked[0].headers["authorization"], expected);
    assert!(!asked[0].form.contains_key("client_assertion"));
    assert!(!asked[0].form.contains_key("client_id"));

    // RFC 6749 section 2.3.1, appendix B.
    let client = IntrospectionClient::with_secret("a:b c", "p%s:é+");
    let issuer = TrustedIssuer::discover(&server.provider.url)
        .introspection(Introspection::discover(client));
    let builder = FhirAuthLayer::builder(BASE).issuer(issuer).clock(server.clock.clone());
    let layer = builder.authorizer(authenticated()).build().unwrap();
    bearer(&layer, OPAQUE).await;
    let expected = format!("Basic {}", STANDARD.encode("a%3Ab+c:p%25s%3A%C3%A9%2B"));
    assert_eq!(server.provider.asked()[1].headers["authorization"], expected);
}

#[tokio::test]
async fn n2_an_assertion_is_signed_for_the_issuer_once_each_and_for_a_minute() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.jwk");
    for (private, public) in [p256("a"), ed25519("b"), rsa("c")] {
        for alg in [None, Some("PS256")] {
            if alg.is_some() && private["kty"] != "RSA" {
                continue;
            }
            let mut private = private.clone();
            if let Some(alg) = alg {
                private["alg"] = alg.into();
            }
            fs::write(&path, private.to_string()).unwrap();
            let (provider, layer) = by_key(&path).await;
            bearer(&layer, OPAQUE).await.is_let_in();
            bearer(&layer, OPAQUE).await.is_let_in();
            let mut ids = Vec::new();
            for asked in provider.asked() {
                assert!(!asked.headers.contains_key("authorization"));
                assert_eq!(asked.form["client_id"], CLIENT);
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                assert_eq!(asked.form["client_assertion_type"], kind);
                let claims =
                    verified(&asked.form["client_assertion"], &public, &provider.url).await;
                assert_eq!(claims["iss"], CLIENT);
                assert_eq!(claims["sub"], CLIENT);
                assert_eq!(claims["aud"], provider.url);
                assert_eq!((&claims["iat"], &claims["exp"]), (&json!(NOW), &json!(NOW + 60)));
                ids.push(claims["jti"].clone());
            }
            assert_ne!(ids[0], ids[1]);
        }
    }
}

#[tokio::test]
async fn n2_a_key_signs_with_the_algorithm_that_it_names_else_with_one_of_its_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.jwk");
    let p384 = || on_curve("P-384", &ECDSA_P384_SHA384_FIXED_SIGNING, "a");
    let p521 = || on_curve("P-521", &ECDSA_P521_SHA512_FIXED_SIGNING, "a");
    for ((mut private, public), named, alg) in [
        (p256("a"), None, "ES256"),
        (p384(), None, "ES384"),
        (p384(), Some("ES384"), "ES384"),
        (p521(), None, "ES512"),
        (ed25519("a"), None, "EdDSA"),
        (rsa("a"), None, "RS256"),
        (rsa("a"), Some("RS384"), "RS384"),
        (rsa("a"), Some("RS512"), "RS512"),
        (rsa("a"), Some("PS384"), "PS384"),
        (rsa("a"), Some("PS512"), "PS512"),
    ] {
        if let Some(named) = named {
            private["alg"] = named.into();
        }
        fs::write(&path, private.to_string()).unwrap();
        let (provider, layer) = by_key(&path).await;
        bearer(&layer, OPAQUE).await.is_let_in();
        let asked = provider.asked();
        let assertion = &asked[0].form["client_assertion"];
        let header = b64(format!(r#"{{"alg":"{alg}","kid":"a","typ":"JWT"}}"#));
        assert_eq!(assertion.split('.').next().unwrap(), header, "{alg}");
        verified(assertion, &public, &provider.url).await;
    }
}

#[tokio::test]
async fn n2_a_key_that_is_rotated_signs_within_10_s_and_a_broken_file_keeps_the_last_good_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.jwk");
    let ((first, first_public), (second, second_public)) = (p256("first"), p256("second"));
    fs::write(&path, first.to_string()).unwrap();
    let (provider, layer) = by_key(&path).await;
    bearer(&layer, OPAQUE).await.is_let_in();
    let assertion = |asked: &super::kit::Asked| asked.form["client_assertion"].clone();
    let asked = provider.asked();
    verified(&assertion(&asked[0]), &first_public, &provider.url).await;

    fs::write(&path, "broken").unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    bearer(&layer, OPAQUE).await.is_let_in();
    verified(&assertion(provider.asked().last().unwrap()), &first_public, &provider.url).await;

    // A set, of which the first signs.
    fs::write(&path, json!({"keys": [second, first]}).to_string()).unwrap();
    let begun = std::time::Instant::now();
    loop {
        bearer(&layer, OPAQUE).await.is_let_in();
        let last = assertion(provider.asked().last().unwrap());
        let header = last.split('.').next().unwrap().to_owned();
        if header == b64(r#"{"alg":"ES256","kid":"second","typ":"JWT"}"#) {
            verified(&last, &second_public, &provider.url).await;
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_file_without_a_key_to_sign_with_is_an_error_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let (private, public) = p256("a");
    let (_, of_another) = p256("a");
    let mut inconsistent = private.clone();
    inconsistent["x"] = of_another["x"].clone();
    let mut wrong_alg = private.clone();
    wrong_alg["alg"] = "RS256".into();
    let mut symmetric = private.clone();
    symmetric["alg"] = "HS256".into();
    for (content, words) in [
        (Some("".to_owned()), "expected a JWK"),
        (Some("[]".to_owned()), "expected a JWK"),
        (Some(r#"{"keys":[]}"#.to_owned()), "expected a JWK"),
        (Some(public.to_string()), "`d` is missing"),
        (Some(inconsistent.to_string()), "inconsistent"),
        (Some(wrong_alg.to_string()), "`alg`"),
        (Some(symmetric.to_string()), "`alg`"),
        (Some(json!({"kty": "oct", "k": "c2VjcmV0"}).to_string()), "expected an RSA key"),
        (None, "No such file"),
    ] {
        let path = folder.path().join("key.jwk");
        let _ = fs::remove_file(&path);
        if let Some(content) = &content {
            fs::write(&path, content).unwrap();
        }
        let client = IntrospectionClient::with_key_file(CLIENT, &path);
        let issuer = TrustedIssuer::discover("https://idp.example.org")
            .introspection(Introspection::discover(client));
        let builder = FhirAuthLayer::builder(BASE).issuer(issuer).authorizer(authenticated());
        let error = builder.build().unwrap_err();
        assert!(matches!(error, BuildError::ClientKeyFile { .. }), "{error}");
        let told = error.to_string();
        assert!(told.contains(words) && told.contains("key.jwk"), "{words}: {told}");
        let secret = private["d"].as_str().unwrap();
        assert!(!told.contains(secret), "{told}");
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_errors_at_start() {
    let build = |introspection: Introspection, name: &str| {
        let jwks = "https://idp.example.org/jwks";
        let issuer = TrustedIssuer::with_jwks_uri(name, jwks).introspection(introspection);
        let builder = FhirAuthLayer::builder(BASE).issuer(issuer).authorizer(authenticated());
        builder.build().map(drop)
    };
    let client = || IntrospectionClient::with_secret(CLIENT, SECRET);
    let (endpoint, name) = ("https://idp.example.org/i", "https://idp.example.org");
    build(Introspection::at(endpoint, client()), "urn:idp").unwrap();
    build(Introspection::discover(client()), name).unwrap();
    for (introspection, name, words) in [
        (
            Introspection::at("http://idp.example.org/i", client()),
            name,
            "expected an absolute https",
        ),
        (Introspection::at("/introspect", client()), name, "expected an absolute https"),
        (Introspection::discover(client()), "urn:idp", "expected an https URL"),
        (Introspection::at(endpoint, IntrospectionClient::with_secret("", "x")), name, "client_id"),
        (
            Introspection::at(endpoint, IntrospectionClient::with_secret("x", "")),
            name,
            "client_secret",
        ),
        (Introspection::at(endpoint, client()).max_age(Duration::from_secs(86_401)), name, "24h"),
    ] {
        let error = build(introspection, name).unwrap_err().to_string();
        assert!(error.contains(words), "{words}: {error}");
    }
}

#[tokio::test]
async fn no_secret_is_in_what_can_be_printed() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_let_in();
    let printed = format!("{:?} {:?}", server.layer, server.layer.authenticator());
    let client = IntrospectionClient::with_secret(CLIENT, SECRET);
    let settings = format!("{:?}", Introspection::discover(client));
    for text in [printed, settings] {
        assert!(!text.contains(SECRET) && !text.contains(OPAQUE), "{text}");
    }
}
