//! Tokens that are remembered: the same verdict as without, until anything changes.

use std::time::Duration;

use http::{Request, StatusCode};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use proptest::prelude::*;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::test_util::{SigningKey, replace_keys};
use tower_fhir_auth::{FhirAuthLayer, RejectionKind, RoleDefinitions, RolePolicy};

use crate::support::{BASE, NOW, Server, send};

/// Counts how many tokens were verified, not only recognised.
struct Verified(Snapshotter);

impl Verified {
    fn since_last(&self) -> u64 {
        let counters = self.0.snapshot().into_vec().into_iter();
        let of_ours = counters.filter(|(key, ..)| key.key().name() == "fhir_auth_verified_total");
        let counts = of_ours.map(|(.., value)| match value {
            DebugValue::Counter(count) => count,
            DebugValue::Gauge(_) | DebugValue::Histogram(_) => panic!("it is a counter"),
        });
        counts.sum()
    }
}

/// Counts from here on, in this thread.
fn counting() -> (Verified, metrics::LocalRecorderGuard<'static>) {
    let recorder: &'static DebuggingRecorder = Box::leak(Box::default());
    let guard = metrics::set_default_local_recorder(recorder);
    (Verified(recorder.snapshotter()), guard)
}

#[tokio::test]
async fn the_same_token_is_verified_once_unless_that_is_turned_off() {
    let (verified, _guard) = counting();
    let server = Server::start().await;
    let token = server.token().claim("patient", "1").sign().unwrap();
    let first = server.bearer(&token).await;
    for _ in 0..5 {
        let again = server.bearer(&token).await;
        assert_eq!(again.is_let_in().patient(), first.is_let_in().patient());
    }
    assert_eq!(verified.since_last(), 1);
    server.get(server.token()).await.is_let_in();
    assert_eq!(verified.since_last(), 1, "another token is another token");

    let server = Server::layered(|layer| layer.token_cache_capacity(0)).await;
    let token = server.token().sign().unwrap();
    for _ in 0..3 {
        server.bearer(&token).await.is_let_in();
    }
    assert_eq!(verified.since_last(), 3);
}

#[tokio::test]
async fn a_remembered_token_dies_at_its_exp_and_lives_from_its_nbf() {
    let server = Server::start().await;
    let token = server.token().claim("exp", NOW + 100).claim("nbf", NOW).sign().unwrap();
    server.bearer(&token).await.is_let_in();
    server.clock.advance(159);
    server.bearer(&token).await.is_let_in();
    server.clock.advance(1);
    let late = server.bearer(&token).await;
    late.is_refused_by(Check::Expiry, "`exp`");
    assert_eq!(late.kind(), RejectionKind::ExpiredToken);
    server.clock.advance(-160);
    server.bearer(&token).await.is_let_in();
    server.clock.advance(-61);
    server.bearer(&token).await.is_refused_by(Check::NotBefore, "`nbf`");

    let age = Duration::from_secs(50);
    let server = Server::trusting(|issuer| issuer.max_token_age(age)).await;
    let token = server.token().sign().unwrap();
    server.bearer(&token).await.is_let_in();
    server.clock.advance(110);
    server.bearer(&token).await.is_let_in();
    server.clock.advance(1);
    server.bearer(&token).await.is_refused_by(Check::IssuedAt, "`iat`");
}

fn key_set(keys: &[&SigningKey]) -> JwkSet {
    let keys: Vec<_> = keys.iter().map(|key| key.jwk()).collect();
    JwkSet::parse(serde_json::json!({"keys": keys}).to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn a_change_of_the_key_set_forgets_every_token_of_the_issuer_and_the_same_keys_do_not() {
    let (verified, _guard) = counting();
    let server = Server::start().await;
    let replace = |keys: &[&SigningKey]| {
        assert!(replace_keys(&server.layer, server.issuer.url(), key_set(keys)));
    };
    let key = server.issuer.key();
    let other = SigningKey::generate(key.kid(), Algorithm::Es256).unwrap();
    let token = server.token().sign().unwrap();
    server.bearer(&token).await.is_let_in();
    replace(&[&key]);
    server.bearer(&token).await.is_let_in();
    assert_eq!(verified.since_last(), 1, "the keys are the same");
    replace(&[&key, &other]);
    server.bearer(&token).await.is_let_in();
    assert_eq!(verified.since_last(), 1, "one key more is another set");
    replace(&[&other]);
    server.bearer(&token).await.is_refused_by(Check::Signature, "");
    replace(&[&key]);
    server.bearer(&token).await.is_let_in();
    assert_eq!(verified.since_last(), 1, "what an earlier set has verified is forgotten");
}

/// CVE-2026-35039: whatever two tokens share, one is not the other.
#[tokio::test]
async fn a_token_that_shares_all_that_is_hashed_with_a_remembered_one_is_not_taken_for_it() {
    let server = Server::start().await;
    let token = server.token().claim("sub", "alice").sign().unwrap();
    server.bearer(&token).await.is_let_in();
    let (_, signature) = token.rsplit_once('.').unwrap();
    let other = server.token().claim("sub", "mallory").sign().unwrap();
    let (input, _) = other.rsplit_once('.').unwrap();
    server.bearer(&format!("{input}.{signature}")).await.is_refused_by(Check::Signature, "");
    for (place, byte) in token.bytes().enumerate() {
        let mut changed = token.clone().into_bytes();
        changed[place] = if byte == b'A' { b'B' } else { b'A' };
        let reply = server.bearer(std::str::from_utf8(&changed).unwrap()).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "byte {place}");
    }
    let (shorter, later) = (token.split_at(token.len() - 1).0, token.split_at(1).1);
    for changed in [shorter, later, &format!("{token}A")] {
        assert_eq!(server.bearer(changed).await.status, StatusCode::UNAUTHORIZED);
    }
    server.bearer(&token).await.is_let_in();
}

#[tokio::test]
async fn what_is_asked_of_the_request_is_asked_of_a_remembered_token_too() {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    server.bearer(&token).await.is_let_in();
    let bearer = format!("Bearer {token}");
    let get = || Request::get("/r4/Patient/1").header("authorization", &bearer);
    server.send(get()).await.is_let_in();
    server.send(get().header("authorization", &bearer)).await.is_bad_request();
    let uri = format!("/r4/Patient/1?access_token={token}");
    server.send(Request::get(uri).header("authorization", &bearer)).await.is_bad_request();
    server.authorization(format!("{bearer} ").as_bytes()).await.is_bad_request();
    server.authorization(format!("{bearer},{bearer}").as_bytes()).await.is_bad_request();
    server.authorization(format!("Basic {token}").as_bytes()).await.asks_for_credentials();
    server.authorization(format!("bEARER   {token}").as_bytes()).await.is_let_in();
}

#[tokio::test]
async fn roles_that_change_count_at_once_for_remembered_tokens() {
    let reader = r#"{"roles": [{"name": "reader", "dataActions": ["read"],
        "notDataActions": [], "scopes": ["/"]}]}"#;
    let policy = RolePolicy::new(RoleDefinitions::parse(reader.as_bytes()).unwrap());
    let server = Server::authorizing(policy.clone()).await;
    let token = server.token().claim("roles", vec!["reader"]).sign().unwrap();
    server.bearer(&token).await.is_let_in();
    policy.replace_definitions(RoleDefinitions::default());
    assert_eq!(server.bearer(&token).await.kind(), RejectionKind::Forbidden);
}

#[tokio::test]
async fn an_explanation_makes_every_check_of_a_remembered_token() {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    server.bearer(&token).await.is_let_in();
    let request = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let explanation = server.layer.explain(&parts).await;
    assert!(explanation.is_accepted());
    assert!(explanation.steps().len() == Check::ALL.len());
}

/// Tokens that are seen once go before those that are used again and again.
#[tokio::test]
async fn a_flood_of_distinct_tokens_does_not_push_out_the_working_set() {
    let (verified, _guard) = counting();
    let server = Server::layered(|layer| layer.token_cache_capacity(100)).await;
    let working: Vec<String> = (0..40).map(|_| server.token().sign().unwrap()).collect();
    for _ in 0..3 {
        for token in &working {
            server.bearer(token).await.is_let_in();
        }
    }
    for round in 0..10 {
        for _ in 0..100 {
            server.get(server.token()).await.is_let_in();
        }
        verified.since_last();
        for token in &working {
            server.bearer(token).await.is_let_in();
        }
        let again = verified.since_last();
        assert!(again <= 4, "{again} of 40 had to be verified again in round {round}");
    }
}

#[tokio::test]
async fn nothing_of_a_remembered_token_is_shown() {
    let server = Server::start().await;
    let token = server.token().claim("sub", "a-subject-that-is-nobodys-business").sign().unwrap();
    server.bearer(&token).await.is_let_in();
    let shown = format!("{:?} {:?}", server.layer, server.layer.authenticator());
    assert!(
        !shown.contains("nobodys-business") && !shown.contains(token.split_at(20).0),
        "{shown}"
    );
}

/// The status and the check of a refusal, of two layers that differ in their memory alone.
async fn both(server: &Server, forgetful: &FhirAuthLayer, token: &str) -> [String; 2] {
    let mut verdicts = Vec::new();
    for layer in [&server.layer, forgetful] {
        let request = Request::get("/r4/Patient/1");
        let reply = send(layer, request.header("authorization", format!("Bearer {token}"))).await;
        let check = reply.rejection.and_then(|rejection| rejection.check());
        verdicts.push(format!("{} {check:?}", reply.status));
    }
    verdicts.try_into().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the dates of tokens, the clock and the keys do: memory never changes a verdict.
    #[test]
    fn no_verdict_depends_on_what_is_remembered(
        tokens in prop::collection::vec((-200..200_i64, -200..200_i64, -200..200_i64), 1..5),
        steps in prop::collection::vec((0..5_usize, -150..150_i64, 0..8_u8), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let age = Duration::from_secs(90);
            let server = Server::trusting(|issuer| issuer.max_token_age(age)).await;
            let trusted = server.issuer.trusted().max_token_age(age);
            let forgetful = FhirAuthLayer::builder(BASE)
                .issuer(trusted)
                .authorizer(tower_fhir_auth::authenticated())
                .clock(server.clock.clone())
                .token_cache_capacity(0)
                .build()
                .unwrap();
            forgetful.ready().await;
            let key = server.issuer.key();
            let other = SigningKey::generate(key.kid(), Algorithm::Es256).unwrap();
            let tokens: Vec<String> = tokens
                .into_iter()
                .map(|(iat, nbf, exp)| {
                    let token = server.token().claim("iat", NOW + iat).claim("nbf", NOW + nbf);
                    token.claim("exp", NOW + exp).sign().unwrap()
                })
                .collect();
            for (token, later, keys) in steps {
                server.clock.advance(later);
                let set = match keys {
                    0 => Some(key_set(&[&other])),
                    1 => Some(key_set(&[&key, &other])),
                    2 => Some(key_set(&[&key])),
                    _ => None,
                };
                if let Some(set) = set {
                    for layer in [&server.layer, &forgetful] {
                        assert!(replace_keys(layer, server.issuer.url(), set.clone()));
                    }
                }
                let [with, without] = both(&server, &forgetful, &tokens[token % tokens.len()]).await;
                assert_eq!(with, without);
            }
        });
    }
}

#[tokio::test]
async fn whoever_keeps_a_principal_does_not_keep_the_refresh_of_keys_alive() {
    let settings = KeySettings::default().refresh(Duration::from_secs(1));
    let Server { issuer, layer, .. } =
        Server::trusting(|issuer| issuer.key_settings(settings)).await;
    let token = issuer.token().claim("aud", BASE).claim("iat", NOW).claim("exp", NOW + 60);
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let request = Request::get("/r4/Patient/1").header("authorization", bearer);
    let reply = send(&layer, request).await;
    let kept = reply.is_let_in().clone();
    drop((reply, layer));
    let before = issuer.jwks_requests();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(issuer.jwks_requests(), before);
    assert_eq!(kept.subject(), Some("alice"));
}
