//! The time for which answers are kept, and that one token is asked about once at a time.

use std::time::{Duration, Instant};

use serde_json::json;
use tower_fhir_auth::FhirAuthLayerBuilder;
use tower_fhir_auth::explanation::Check;

use super::kit::{Guarded, OPAQUE};
use crate::support::NOW;

const BRIEFLY: Duration = Duration::from_millis(400);

fn without_cache(layer: FhirAuthLayerBuilder) -> FhirAuthLayerBuilder {
    layer.token_cache_capacity(0)
}

/// `g10_token_revocation-Test02`.
#[tokio::test]
async fn n8_a_token_that_was_withdrawn_is_refused_within_max_age_and_no_answer_is_kept_longer() {
    for capacity in [0, 100] {
        let cache = |layer: FhirAuthLayerBuilder| layer.token_cache_capacity(capacity);
        let server = Guarded::built(|settings| settings.max_age(BRIEFLY), |one| one, cache).await;
        server.provider.says(OPAQUE, server.provider.good());
        let begun = Instant::now();
        for _ in 0..20 {
            server.bearer(OPAQUE).await.is_let_in();
        }
        if begun.elapsed() < BRIEFLY {
            assert_eq!(server.provider.times(), 1, "kept");
        }
        server.provider.withdraw(OPAQUE);
        tokio::time::sleep(BRIEFLY).await;
        server.bearer(OPAQUE).await.is_refused_by(Check::Introspection, "not active");
        assert_eq!(server.provider.times(), 2);
    }
}

#[tokio::test]
async fn n8_the_age_of_an_answer_begins_with_the_question() {
    let server = Guarded::with(|settings| settings.max_age(BRIEFLY)).await;
    server.provider.says(OPAQUE, server.provider.good());
    server.provider.delay(BRIEFLY);
    server.bearer(OPAQUE).await.is_let_in();
    server.provider.delay(Duration::ZERO);
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), 2, "an answer that was as old when it came");
}

#[tokio::test]
async fn n8_a_token_that_has_expired_by_its_answer_is_not_asked_about_each_time() {
    let server = Guarded::built(|settings| settings, |issuer| issuer, without_cache).await;
    server.provider.says_with(OPAQUE, json!({"exp": NOW - 60}));
    for _ in 0..3 {
        server.bearer(OPAQUE).await.is_refused_by(Check::Expiry, "the token has expired");
    }
    assert_eq!(server.provider.times(), 1);
    // Within the leeway it would be let in, which no kept answer does.
    let server = Guarded::built(|settings| settings, |issuer| issuer, without_cache).await;
    server.provider.says_with(OPAQUE, json!({"exp": NOW - 59}));
    for _ in 0..3 {
        server.bearer(OPAQUE).await.is_let_in();
    }
    assert_eq!(server.provider.times(), 3);
}

#[tokio::test]
async fn n8_an_answer_is_not_kept_past_exp() {
    for layer in [without_cache, |layer: FhirAuthLayerBuilder| layer] {
        let server = Guarded::built(|settings| settings, |issuer| issuer, layer).await;
        server.provider.says_with(OPAQUE, json!({"exp": NOW + 10}));
        server.bearer(OPAQUE).await.is_let_in();
        server.clock.advance(9);
        server.bearer(OPAQUE).await.is_let_in();
        assert_eq!(server.provider.times(), 1);
        server.clock.advance(1);
        // Whatever the leeway: the provider knows better.
        server.provider.withdraw(OPAQUE);
        server.bearer(OPAQUE).await.is_refused_by(Check::Introspection, "not active");
    }
}

#[tokio::test]
async fn a_refusal_is_kept_for_5_s() {
    let server = Guarded::start().await;
    server.bearer(OPAQUE).await.is_refused_by(Check::Introspection, "not active");
    server.provider.says(OPAQUE, server.provider.good());
    for _ in 0..10 {
        server.bearer(OPAQUE).await.is_refused_by(Check::Introspection, "not active");
    }
    assert_eq!(server.provider.times(), 1);
    let begun = Instant::now();
    while server.bearer(OPAQUE).await.status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(6));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(begun.elapsed() > Duration::from_secs(4));
    assert_eq!(server.provider.times(), 2);
}

#[tokio::test]
async fn with_a_max_age_of_nothing_every_request_asks() {
    let server = Guarded::with(|settings| settings.max_age(Duration::ZERO)).await;
    server.provider.says(OPAQUE, server.provider.good());
    for count in 1..=3 {
        server.bearer(OPAQUE).await.is_let_in();
        assert_eq!(server.provider.times(), count);
    }
}

#[tokio::test]
async fn one_token_is_asked_about_once_at_a_time() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    server.provider.delay(Duration::from_millis(300));
    let requests = (0..200).map(|_| server.bearer(OPAQUE));
    for reply in join_all(requests).await {
        reply.is_let_in();
    }
    assert_eq!(server.provider.times(), 1);
}

#[tokio::test]
async fn tokens_are_asked_about_side_by_side_and_each_gets_its_own_answer() {
    let server = Guarded::start().await;
    server.provider.delay(Duration::from_millis(300));
    let tokens: Vec<String> = (0..40).map(|index| format!("token-{index}")).collect();
    for (index, token) in tokens.iter().enumerate() {
        if index % 2 == 0 {
            server.provider.says_with(token, json!({"sub": token}));
        }
    }
    let begun = Instant::now();
    let replies = join_all(tokens.iter().map(|token| server.bearer(token))).await;
    assert!(begun.elapsed() < Duration::from_secs(2), "one after the other");
    for (index, (token, reply)) in tokens.iter().zip(replies).enumerate() {
        match index % 2 {
            0 => assert_eq!(reply.is_let_in().subject(), Some(token.as_str())),
            _ => reply.is_refused_by(Check::Introspection, "not active"),
        }
    }
}

#[tokio::test]
async fn a_client_that_goes_away_cancels_no_question() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    server.provider.delay(Duration::from_millis(700));
    // The first to ask leaves at once; who waits with it, and who comes later, gets the answer.
    let leaves = tokio::time::timeout(Duration::from_millis(50), server.bearer(OPAQUE));
    let (left, waited) = tokio::join!(leaves, server.bearer(OPAQUE));
    assert!(left.is_err());
    waited.is_let_in();
    for index in 0..20 {
        let token = format!("token-{index}");
        server.provider.says(&token, server.provider.good());
        let leaves = tokio::time::timeout(Duration::from_millis(20), server.bearer(&token));
        assert!(leaves.await.is_err());
    }
    let begun = Instant::now();
    while server.health().open > 0 {
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let before = server.provider.times();
    for index in 0..20 {
        server.bearer(&format!("token-{index}")).await.is_let_in();
    }
    assert_eq!((before, server.provider.times()), (21, 21));
}

#[tokio::test]
async fn another_token_with_the_same_beginning_or_end_is_another() {
    let server = Guarded::start().await;
    let end = "e".repeat(200);
    let (one, other) = (format!("a{end}"), format!("b{end}"));
    server.provider.says(&one, server.provider.good());
    server.bearer(&one).await.is_let_in();
    server.bearer(&other).await.is_refused_by(Check::Introspection, "not active");
    server
        .bearer(one.strip_suffix('e').unwrap())
        .await
        .is_refused_by(Check::Introspection, "not active");
    assert_eq!(server.provider.times(), 3);
}

pub(super) async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut outputs: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        let mut is_over = true;
        for (future, output) in futures.iter_mut().zip(&mut outputs) {
            if output.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(ready) => *output = Some(ready),
                    std::task::Poll::Pending => is_over = false,
                }
            }
        }
        if is_over { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    outputs.into_iter().map(Option::unwrap).collect()
}
