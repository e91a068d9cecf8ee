//! Answers when the configuration is replaced.

use std::time::Duration;

use base64::Engine;
use serde_json::json;
use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::test_util::{SigningKey, TestClock};
use tower_fhir_auth::{AudiencePolicy, FhirAuthLayer, TrustedIssuer, authenticated};

use super::kit::{CLIENT, Guarded, OPAQUE, SECRET, quick};
use crate::support::{BASE, NOW};

fn issuer(server: &Guarded, secret: &str) -> TrustedIssuer {
    let client = IntrospectionClient::with_secret(CLIENT, secret);
    let introspection = Introspection::at(server.provider.endpoint(), client);
    TrustedIssuer::discover(server.provider.url.clone()).introspection(introspection)
}

fn replace(server: &Guarded, issuer: TrustedIssuer) {
    let next = FhirAuthLayer::builder(BASE).issuer(issuer).authorizer(authenticated());
    server.layer.replace(next).unwrap();
}

#[tokio::test]
async fn answers_are_kept_where_nothing_has_changed_and_are_judged_by_the_new_rules() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    replace(&server, issuer(&server, SECRET));
    server.bearer(OPAQUE).await.is_let_in();
    let asked = server.provider.times();
    replace(&server, issuer(&server, SECRET));
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), asked, "the answer is kept");
    let stricter = AudiencePolicy::exact(["https://other.test"]);
    replace(&server, issuer(&server, SECRET).audience(stricter));
    server.bearer(OPAQUE).await.is_refused_by(Check::Audience, "`aud`");
    assert_eq!(server.provider.times(), asked, "and judged");
}

#[tokio::test]
async fn a_provider_that_is_asked_otherwise_is_asked_again() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    replace(&server, issuer(&server, SECRET));
    server.bearer(OPAQUE).await.is_let_in();
    let asked = server.provider.times();
    replace(&server, issuer(&server, "another secret"));
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), asked + 1);
}

#[tokio::test]
async fn rules_by_which_a_signed_answer_would_be_judged_otherwise_have_it_asked_again() {
    let same = |issuer: TrustedIssuer| issuer.audience(AudiencePolicy::exact([BASE]));
    let changed: [fn(TrustedIssuer) -> TrustedIssuer; 3] = [
        |issuer| issuer.algorithms([Algorithm::Es256]),
        |issuer| issuer.leeway(Duration::from_secs(1)),
        |issuer| issuer.key_settings(quick().timeout(Duration::from_secs(2))),
    ];
    for change in changed {
        let server = Guarded::start().await;
        server.provider.says(OPAQUE, server.provider.good());
        replace(&server, same(issuer(&server, SECRET)));
        server.bearer(OPAQUE).await.is_let_in();
        let asked = server.provider.times();
        replace(&server, same(issuer(&server, SECRET)));
        server.bearer(OPAQUE).await.is_let_in();
        assert_eq!(server.provider.times(), asked, "nothing has changed");
        replace(&server, change(same(issuer(&server, SECRET))));
        server.bearer(OPAQUE).await.is_let_in();
        assert_eq!(server.provider.times(), asked + 1);
    }
    // A signed answer may be for the base URL.
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    replace(&server, same(issuer(&server, SECRET)));
    server.bearer(OPAQUE).await.is_let_in();
    let asked = server.provider.times();
    let elsewhere = FhirAuthLayer::builder("https://other.test/r4");
    let elsewhere = elsewhere.issuer(same(issuer(&server, SECRET))).authorizer(authenticated());
    server.layer.replace(elsewhere).unwrap();
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), asked + 1);
}

#[tokio::test]
async fn another_clock_or_another_authority_in_the_same_file_has_it_asked_again() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let write = || {
        let made = rcgen::generate_simple_self_signed(["idp.example.org".to_owned()]).unwrap();
        let der = base64::engine::general_purpose::STANDARD.encode(made.cert.der());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
        std::fs::write(&file, pem).unwrap();
    };
    let key = SigningKey::generate("one", Algorithm::Es256).unwrap();
    let of_file = || of_fixed_keys(&server, &key).key_settings(quick().ca_file(&file));
    write();
    replace(&server, of_file());
    server.bearer(OPAQUE).await.is_let_in();
    let asked = server.provider.times();
    replace(&server, of_file());
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), asked, "nothing has changed");
    write();
    replace(&server, of_file());
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), asked + 1);
    let next = FhirAuthLayer::builder(BASE).issuer(of_file()).authorizer(authenticated());
    server.layer.replace(next.clock(TestClock::at(NOW))).unwrap();
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), asked + 2);
}

/// An issuer whose keys are given with the settings, and are read anew with each of them.
fn of_fixed_keys(server: &Guarded, key: &SigningKey) -> TrustedIssuer {
    let keys = json!({"keys": [key.jwk()]}).to_string();
    let keys = JwkSet::parse(keys.as_bytes()).unwrap();
    let client = IntrospectionClient::with_secret(CLIENT, SECRET);
    let introspection = Introspection::at(server.provider.endpoint(), client);
    TrustedIssuer::with_keys(server.provider.url.clone(), keys).introspection(introspection)
}

#[tokio::test]
async fn answers_are_kept_where_the_keys_of_the_issuer_are_given_and_are_the_same() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    let key = SigningKey::generate("one", Algorithm::Es256).unwrap();
    replace(&server, of_fixed_keys(&server, &key));
    server.bearer(OPAQUE).await.is_let_in();
    let asked = server.provider.times();
    for _ in 0..3 {
        replace(&server, of_fixed_keys(&server, &key));
        server.bearer(OPAQUE).await.is_let_in();
        assert_eq!(server.provider.times(), asked, "the answer is kept");
    }
    // Other keys would verify other answers.
    let other = SigningKey::generate("one", Algorithm::Es256).unwrap();
    replace(&server, of_fixed_keys(&server, &other));
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), asked + 1);
}

#[tokio::test]
async fn a_provider_of_given_keys_that_is_reached_otherwise_is_asked_again() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    let key = SigningKey::generate("one", Algorithm::Es256).unwrap();
    replace(&server, of_fixed_keys(&server, &key).key_settings(quick()));
    server.bearer(OPAQUE).await.is_let_in();
    let asked = server.provider.times();
    replace(&server, of_fixed_keys(&server, &key).key_settings(quick()));
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), asked, "the answer is kept");
    let longer = quick().timeout(Duration::from_secs(2));
    replace(&server, of_fixed_keys(&server, &key).key_settings(longer));
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), asked + 1);
}
