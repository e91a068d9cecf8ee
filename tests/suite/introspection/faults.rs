//! Providers that are down, slow, lying or flapping, and floods of unknown tokens.

use std::time::{Duration, Instant};

use serde_json::json;
use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::{FhirAuthLayer, RejectionKind, TrustedIssuer, authenticated};

use super::keeping::join_all;
use super::kit::{CLIENT, Guarded, Manner, OPAQUE, Provider, SECRET, bearer, quick};
use crate::support::{BASE, NOW};

const BRIEFLY: Duration = Duration::from_millis(300);

#[tokio::test]
async fn a_provider_that_is_down_is_503_and_never_an_older_answer() {
    for every in [false, true] {
        let server = Guarded::with(|settings| {
            let settings = settings.max_age(BRIEFLY);
            if every { settings.of_every_token() } else { settings }
        })
        .await;
        let token = if every { server.provider.jwt(json!({})) } else { OPAQUE.to_owned() };
        server.provider.says(&token, server.provider.good());
        server.bearer(&token).await.is_let_in();
        server.provider.behave(Manner::Raw(500, "application/json", "{}".to_owned()));
        tokio::time::sleep(BRIEFLY).await;
        for _ in 0..3 {
            let reply = server.bearer(&token).await;
            reply.is_unavailable();
            assert_eq!(reply.kind(), RejectionKind::IntrospectionUnavailable);
            assert_eq!(reply.rejection.as_ref().unwrap().check(), Some(Check::Introspection));
        }
        server.provider.behave(Manner::Json);
        server.bearer(&token).await.is_let_in();
    }
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_is_503() {
    let client = IntrospectionClient::with_secret(CLIENT, SECRET);
    let settings = Introspection::at("http://127.0.0.1:9/introspect", client);
    let issuer = TrustedIssuer::discover("http://127.0.0.1:9").introspection(settings);
    let builder = FhirAuthLayer::builder(BASE).issuer(issuer.key_settings(quick()));
    let layer = builder.authorizer(authenticated()).build().unwrap();
    bearer(&layer, OPAQUE).await.is_unavailable();
}

#[tokio::test]
async fn n7_only_status_200_counts() {
    let server = Guarded::start().await;
    let good = server.provider.good().to_string();
    for status in [201, 202, 204, 206, 304, 400, 401, 403, 404, 429, 500, 503] {
        let server = Guarded::start().await;
        server.provider.behave(Manner::Raw(status, "application/json", good.clone()));
        server.bearer(OPAQUE).await.is_unavailable();
    }
}

#[tokio::test]
async fn n7_an_answer_has_to_be_declared_as_what_it_is() {
    let server = Guarded::start().await;
    let good = server.provider.good().to_string();
    for media_type in ["text/html", "text/plain", "", "application/jwt", "application/problem+json"]
    {
        let server = Guarded::start().await;
        server.provider.behave(Manner::Raw(200, media_type, good.clone()));
        server.bearer(OPAQUE).await.is_unavailable();
    }
}

#[tokio::test]
async fn n9_a_redirect_is_never_followed() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    let elsewhere = format!("{}/elsewhere", server.provider.url);
    server.provider.behave(Manner::Redirect(elsewhere));
    server.bearer(OPAQUE).await.is_unavailable();
    assert_eq!(server.provider.times(), 1);
}

#[tokio::test]
async fn an_answer_of_more_than_max_bytes_is_none() {
    for (padding, is_let_in) in [(3000, true), (5000, false)] {
        let rules = |issuer: TrustedIssuer| issuer.key_settings(quick().max_bytes(4096));
        let server = Guarded::built(|settings| settings, rules, |layer| layer).await;
        server.provider.says_with(OPAQUE, json!({"padding": "x".repeat(padding)}));
        let reply = server.bearer(OPAQUE).await;
        match is_let_in {
            true => drop(reply.is_let_in()),
            false => reply.is_unavailable(),
        }
    }
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_waited_for_no_longer_than_the_time_out() {
    let rules = |issuer: TrustedIssuer| {
        issuer.key_settings(KeySettings::default().timeout(Duration::from_secs(2)))
    };
    let server = Guarded::built(|settings| settings, rules, |layer| layer).await;
    server.provider.behave(Manner::Hang);
    let begun = Instant::now();
    server.bearer(OPAQUE).await.is_unavailable();
    let elapsed = begun.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(10)).contains(&elapsed), "{elapsed:?}");
    // The question ends a moment after the wait for it; who asks in between waits for the same one.
    while server.health().open > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.provider.behave(Manner::Json);
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_let_in();
}

#[tokio::test]
async fn a_provider_that_fails_is_given_pauses_and_asked_again_by_itself() {
    let server = Guarded::start().await;
    server.provider.behave(Manner::Raw(500, "", String::new()));
    let begun = Instant::now();
    let mut asked = 0;
    while begun.elapsed() < Duration::from_secs(3) {
        server.bearer(&format!("token-{asked}")).await.is_unavailable();
        asked += 1;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Five failures, and one question after each pause of 0.25 to 0.5 s, then twice that.
    let times = server.provider.times();
    assert!((6..=12).contains(&times), "{times} of {asked}");
    let health = server.health();
    assert!(!health.reachable && health.paused.is_some(), "{health:?}");
    server.provider.behave(Manner::Json);
    server.provider.says(OPAQUE, server.provider.good());
    let begun = Instant::now();
    while server.bearer(OPAQUE).await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let health = server.health();
    assert!(health.reachable && health.paused.is_none() && health.last_error.is_none());
}

#[tokio::test]
async fn tokens_that_the_provider_stumbles_over_make_it_look_down_to_nobody_else() {
    let server = Guarded::with(|settings| settings.max_age(BRIEFLY)).await;
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_let_in();
    // As some answer to tokens of a form that they do not issue, and firewalls to what looks like an attack.
    for (round, status) in [400, 403, 406, 411, 413, 414, 415, 422, 431].into_iter().enumerate() {
        server.provider.behave(Manner::Raw(status, "text/html", "<p>blocked".to_owned()));
        for index in 0..10 {
            server.bearer(&format!("a.b.{status}.{index}")).await.is_unavailable();
        }
        assert_eq!(server.provider.times(), 11 + 10 * round, "{status}");
    }
    server.provider.behave(Manner::Json);
    server.provider.says("new", server.provider.good());
    server.bearer("new").await.is_let_in();
    // Whatever becomes of unknown tokens, those that were active before are asked about.
    server.provider.behave(Manner::Raw(500, "", String::new()));
    for index in 0..20 {
        server.bearer(&format!("unknown-{index}")).await.is_unavailable();
    }
    server.provider.behave(Manner::Json);
    tokio::time::sleep(BRIEFLY).await;
    server.bearer(OPAQUE).await.is_let_in();
}

#[tokio::test]
async fn a_provider_that_flaps_refuses_no_token_that_it_calls_good() {
    let server = Guarded::with(|settings| settings.max_age(Duration::ZERO)).await;
    server.provider.says(OPAQUE, server.provider.good());
    for round in 0..30 {
        server.provider.behave(match round % 3 {
            0 => Manner::Raw(502, "text/html", "<p>bad gateway".to_owned()),
            _ => Manner::Json,
        });
        let reply = server.bearer(OPAQUE).await;
        match round % 3 {
            0 => reply.is_unavailable(),
            _ => drop(reply.is_let_in()),
        }
    }
}

#[tokio::test]
async fn in_a_flood_of_unknown_tokens_the_known_are_served_and_the_provider_is_asked_so_often() {
    let server = Guarded::with(|settings| settings.max_age(BRIEFLY)).await;
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_let_in();
    server.provider.delay(Duration::from_millis(50));
    let begun = Instant::now();
    let (mut refused, mut unavailable, mut known) = (0, 0, 0);
    let mut next = 0;
    while begun.elapsed() < Duration::from_millis(2500) {
        let tokens: Vec<String> = (0..1000).map(|index| format!("{}", next + index)).collect();
        next += tokens.len();
        let flood = join_all(tokens.iter().map(|token| server.bearer(token)));
        // Some of these have to be asked about again, for `max_age` has passed.
        let good = async {
            for _ in 0..10 {
                server.bearer(OPAQUE).await.is_let_in();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            10
        };
        let (replies, served) = tokio::join!(flood, good);
        known += served;
        for reply in replies {
            match reply.status.as_u16() {
                401 => refused += 1,
                503 => unavailable += 1,
                status => panic!("{status}"),
            }
        }
    }
    let (times, at_once) = (server.provider.times(), server.provider.most_at_once());
    let most = 1000 + begun.elapsed().as_millis() / 2 + 50;
    println!(
        "{next} unknown: {refused} 401, {unavailable} 503; {known} known; asked {times} times"
    );
    assert!(known > 0 && unavailable > 0 && refused > 0);
    assert!(u128::try_from(times).unwrap() < most, "asked {times} times");
    assert!(at_once <= 128, "{at_once} at once");
    let health = server.health();
    assert!((1..=unavailable).contains(&health.turned_away), "{health:?}");
    assert!(health.reachable);
}

#[tokio::test]
async fn a_provider_that_lies_about_the_issuer_moves_no_token_to_another() {
    let (one, other) = (Provider::start().await, Provider::start().await);
    let introspecting = |provider: &Provider| {
        let client = IntrospectionClient::with_secret(CLIENT, SECRET);
        TrustedIssuer::discover(&provider.url)
            .introspection(Introspection::discover(client))
            .key_settings(quick())
    };
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(introspecting(&one))
        .issuer(TrustedIssuer::discover(&other.url))
        .authorizer(authenticated())
        .build()
        .unwrap();
    one.says_with(OPAQUE, json!({"iss": other.url, "exp": NOW * 2}));
    bearer(&layer, OPAQUE).await.is_refused_by(Check::Introspection, "`iss`");
}
