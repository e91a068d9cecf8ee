//! Signed answers (RFC 9701).

use std::time::Duration;

use serde_json::{Value, json};
use tower_fhir_auth::TrustedIssuer;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::Algorithm;

use super::kit::{CLIENT, Guarded, Manner, OPAQUE};
use crate::support::{BASE, NOW, Reply};

/// The reply where the answer is signed with these claims and header over the right ones.
async fn signed(claims: Value, header: Value) -> Reply {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    server.provider.behave(Manner::Signed { claims, header });
    server.bearer(OPAQUE).await
}

#[tokio::test]
async fn s1_plain_answers_are_asked_for_first_and_signed_ones_alone_where_they_are_required() {
    let server = Guarded::start().await;
    server.bearer(OPAQUE).await;
    let accept = server.provider.asked()[0].headers["accept"].clone();
    assert_eq!(accept, "application/json, application/token-introspection+jwt;q=0.9");

    let server = Guarded::with(|settings| settings.require_signed_answers()).await;
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_unavailable();
    assert_eq!(server.provider.asked()[0].headers["accept"], "application/token-introspection+jwt");
    assert!(server.health().last_error.unwrap().to_string().contains("expected a signed answer"));
    server.provider.behave(Manner::signed());
    server.bearer(OPAQUE).await.is_let_in();
}

#[tokio::test]
async fn s2_the_type_of_a_signed_answer_is_its_own() {
    for typ in ["JWT", "at+jwt", "token-introspection", "jwt", ""] {
        signed(json!({}), json!({"typ": typ})).await.is_unavailable();
    }
    signed(json!({}), json!({"typ": null})).await.is_unavailable();
    let long = json!({"typ": "application/token-introspection+jwt"});
    signed(json!({}), long).await.is_let_in();
    signed(json!({}), json!({})).await.is_let_in();
}

#[tokio::test]
async fn s3_the_signature_of_a_signed_answer_is_one_of_the_issuer() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    server.provider.behave(Manner::signed());
    server.provider.sign_with_another_key("one");
    server.bearer(OPAQUE).await.is_unavailable();
    assert!(server.health().last_error.unwrap().to_string().contains("does not verify"));
    // An unknown key is looked for, as with a token.
    server.provider.sign_with_another_key("two");
    server.provider.publish_key();
    server.bearer(OPAQUE).await.is_let_in();
    for header in [
        json!({"alg": "none"}),
        json!({"alg": "HS256"}),
        json!({"alg": "ES384"}),
        json!({"crit": ["exp"]}),
        json!({"kid": "three"}),
    ] {
        signed(json!({}), header).await.is_unavailable();
    }
}

#[tokio::test]
async fn s4_iat_is_judged_by_the_clock_at_which_the_answer_arrives() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    // Beyond the leeway of 60 s when it is asked, and within it when it answers.
    let claims = json!({"iat": NOW + 65});
    server.provider.behave(Manner::Signed { claims, header: json!({}) });
    server.provider.delay(Duration::from_millis(300));
    let later = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(server.provider.times(), 1, "it has been asked by now");
        server.clock.advance(10);
    };
    let (reply, ()) = tokio::join!(server.bearer(OPAQUE), later);
    reply.is_let_in();
}

#[tokio::test]
async fn s3_its_algorithm_is_one_that_is_accepted_of_the_issuer() {
    for (algorithm, is_let_in) in [(Algorithm::Es256, true), (Algorithm::Es384, false)] {
        let accepting = |issuer: TrustedIssuer| issuer.algorithms([algorithm]);
        let server = Guarded::built(|settings| settings, accepting, |layer| layer).await;
        server.provider.says(OPAQUE, server.provider.good());
        server.provider.behave(Manner::signed());
        let reply = server.bearer(OPAQUE).await;
        assert_eq!(reply.status == 200, is_let_in, "{reply:#?}");
        let error = server.health().last_error;
        assert_eq!(error.is_some_and(|error| error.to_string().contains("`alg`")), !is_let_in);
    }
}

#[tokio::test]
async fn s4_iss_aud_and_iat_of_a_signed_answer_are_judged() {
    for claims in [
        json!({"iss": "https://other.example.org"}),
        json!({"iss": null}),
        json!({"iss": 5}),
        json!({"aud": "another"}),
        json!({"aud": null}),
        json!({"aud": [format!("{BASE}/"), "x"]}),
        json!({"iat": null}),
        json!({"iat": NOW + 61}),
        json!({"iat": NOW - 121}),
        json!({"iat": "now"}),
        json!({"exp": NOW - 61}),
        json!({"nbf": NOW + 61}),
        json!({"token_introspection": null}),
        json!({"token_introspection": "x"}),
        json!({"token_introspection": [{"active": true}]}),
    ] {
        signed(claims, json!({})).await.is_unavailable();
    }
    for claims in [
        json!({"aud": CLIENT}),
        json!({"aud": BASE}),
        json!({"aud": ["x", BASE]}),
        json!({"iat": NOW - 60, "exp": NOW + 5}),
    ] {
        signed(claims, json!({})).await.is_let_in();
    }
}

#[tokio::test]
async fn s4_the_members_around_an_answer_are_none_of_it() {
    // Neither `active` nor a subject beside `token_introspection` counts.
    let claims = json!({"active": true, "sub": "eve", "token_introspection": {"active": false}});
    let reply = signed(claims, json!({})).await;
    reply.is_refused_by(Check::Introspection, "not active");
    let reply = signed(json!({"sub": "eve", "scope": "system/*.*"}), json!({})).await;
    let caller = reply.is_let_in();
    assert_eq!(caller.subject(), Some("alice"));
    assert!(!caller.has_scope("system/*.*"));
}

#[tokio::test]
async fn s5_a_signed_answer_is_no_access_token_and_no_other_jwt_an_answer() {
    let server = Guarded::start().await;
    let header = json!({"alg": "ES256", "kid": "one", "typ": "token-introspection+jwt"});
    let answer = server.provider.signed(&header, &json!({"token_introspection": {"active": true}}));
    server.bearer(&answer).await.is_refused_by(Check::Type, "`typ`");

    let token = server.provider.jwt(json!({"token_introspection": server.provider.good()}));
    let media_type = "application/token-introspection+jwt";
    server.provider.behave(Manner::Raw(200, media_type, token));
    server.bearer(OPAQUE).await.is_unavailable();
}

#[tokio::test]
async fn a_signed_answer_is_no_json_and_plain_json_no_signed_answer() {
    let server = Guarded::start().await;
    let plain = server.provider.good().to_string();
    let media_type = "application/token-introspection+jwt";
    server.provider.behave(Manner::Raw(200, media_type, plain));
    server.bearer(OPAQUE).await.is_unavailable();
    server.provider.behave(Manner::Raw(200, media_type, "a.b.c.d.e".to_owned()));
    server.bearer("another").await.is_unavailable();
}

#[tokio::test]
async fn a_signed_answer_may_be_larger_than_a_token() {
    let server = Guarded::start().await;
    server.provider.says_with(OPAQUE, json!({"groups": vec!["g".repeat(60); 500]}));
    server.provider.behave(Manner::signed());
    assert_eq!(server.bearer(OPAQUE).await.is_let_in().groups().count(), 1);
}

#[tokio::test]
async fn an_answer_whose_key_is_withdrawn_counts_no_longer() {
    let server = Guarded::start().await;
    server.provider.says(OPAQUE, server.provider.good());
    server.provider.behave(Manner::signed());
    server.bearer(OPAQUE).await.is_let_in();
    server.provider.sign_with_another_key("two");
    server.provider.publish_key();
    let token = server.provider.signed(&json!({"alg": "ES256", "kid": "two"}), &json!({}));
    server.bearer(&token).await.is_let_in();
    server.bearer(OPAQUE).await.is_let_in();
    assert_eq!(server.provider.times(), 2, "asked again, since the keys have changed");
}
