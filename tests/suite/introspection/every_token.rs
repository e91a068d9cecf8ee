//! `always`: every JWT is asked about after its local checks, and the answer has to agree.

use serde_json::{Value, json};
use tower_fhir_auth::authentication::Introspection;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::{AudiencePolicy, TrustedIssuer};

use super::kit::Guarded;
use crate::support::{BASE, NOW, Reply};

/// The reply to a JWT with these changes, when this is said of it.
async fn reply(jwt: Value, answer: Value) -> Reply {
    let server = Guarded::of_every_token().await;
    let token = server.provider.jwt(jwt);
    server.provider.says(&token, answer);
    let reply = server.bearer(&token).await;
    assert_eq!(server.provider.times(), 1);
    reply
}

fn scopes(reply: &Reply) -> Vec<&str> {
    reply.is_let_in().scopes().collect()
}

#[tokio::test]
async fn a_jwt_is_asked_about_once_it_has_passed_all_checks_here() {
    let server = Guarded::of_every_token().await;
    for bad in [
        server.provider.jwt(json!({"aud": "other"})),
        server.provider.jwt(json!({"exp": NOW - 61})),
        server.provider.jwt(json!({"cnf": {"jkt": "x"}})),
        server.provider.jwt(json!({"iss": "https://other.example.org"})),
        server.provider.jwt(json!({})) + "AA",
    ] {
        server.provider.says(&bad, server.provider.good());
        assert_eq!(server.bearer(&bad).await.status, 401);
    }
    assert_eq!(server.provider.times(), 0);
    let good = server.provider.jwt(json!({}));
    server.provider.says(&good, server.provider.good());
    server.bearer(&good).await.is_let_in();
    server.bearer(&good).await.is_let_in();
    assert_eq!(server.provider.times(), 1, "the answer is kept");
}

#[tokio::test]
async fn a_jwt_that_was_withdrawn_is_refused() {
    let words = "the provider says that the token is not active";
    for answer in [json!({"active": false}), json!({"active": "true"}), json!({})] {
        reply(json!({}), answer).await.is_refused_by(Check::Introspection, words);
    }
}

#[tokio::test]
async fn what_the_answer_leaves_out_the_jwt_has() {
    let only_active = reply(json!({"patient": "p"}), json!({"active": true})).await;
    let caller = only_active.is_let_in();
    assert_eq!((caller.subject(), caller.patient()), (Some("alice"), Some("p")));
    assert_eq!(scopes(&only_active), ["system/Patient.rs", "launch"]);
    // And the other way round: no member of the answer takes the place of one that is missing.
    let jwt = json!({"sub": "alice", "client_id": null, "jti": null});
    let answer = json!({"active": true, "client_id": "app", "jti": "x", "patient": "p"});
    let reply = reply(jwt, answer).await;
    assert_eq!((reply.is_let_in().client_id(), reply.is_let_in().patient()), (None, None));
}

#[tokio::test]
async fn a_member_that_contradicts_the_jwt_is_refused_by_its_name() {
    for (name, value) in [
        ("iss", json!("https://other.example.org")),
        ("iss", json!(5)),
        ("sub", json!("bob")),
        ("sub", json!(["alice"])),
        ("client_id", json!("another")),
        ("client_id", json!({"a": 1})),
        ("jti", json!("token-2")),
        ("aud", json!("https://other.example.org")),
        ("aud", json!(["a", "b"])),
        ("aud", json!(5)),
    ] {
        let reply = reply(json!({}), json!({"active": true, name: value})).await;
        let words = format!("`{name}` of the provider's answer contradicts the token");
        reply.is_refused_by(Check::Introspection, &words);
    }
    // The client, by whatever claim it is named.
    let reply_of = |jwt, answer| reply(jwt, answer);
    let jwt = json!({"client_id": null, "azp": "app"});
    let other = reply_of(jwt.clone(), json!({"active": true, "client_id": "another"})).await;
    other.is_refused_by(Check::Introspection, "`client_id`");
    reply_of(jwt, json!({"active": true, "client_id": "app"})).await.is_let_in();
}

#[tokio::test]
async fn a_member_that_says_the_same_contradicts_nothing() {
    for answer in [
        json!({"active": true, "sub": "alice", "client_id": "app", "jti": "token-1"}),
        json!({"active": true, "aud": BASE}),
        json!({"active": true, "aud": [BASE]}),
        json!({"active": true, "aud": ["other", BASE]}),
        json!({"active": true, "aud": []}),
        json!({"active": true, "aud": ""}),
        json!({"active": true, "sub": null, "jti": null, "scope": null}),
        json!({"active": true, "username": "someone", "exp": NOW + 5, "iat": 5}),
    ] {
        reply(json!({}), answer).await.is_let_in();
    }
    reply(json!({"aud": [BASE, "b"]}), json!({"active": true, "aud": BASE})).await.is_let_in();
}

#[tokio::test]
async fn an_audience_has_to_be_in_both_that_names_this_server() {
    let both = json!(["other", BASE]);
    let answer = json!({"active": true, "aud": "other"});
    let refused = reply(json!({"aud": both}), answer).await;
    refused.is_refused_by(Check::Introspection, "`aud` of the provider's answer contradicts");
    // Each names this server, and they are not the same.
    let two = |issuer: TrustedIssuer| issuer.audience(AudiencePolicy::exact([BASE, "api"]));
    let server = Guarded::built(Introspection::of_every_token, two, |layer| layer).await;
    for (audience, is_let_in) in [("api", false), (BASE, true)] {
        let token = server.provider.jwt(json!({"aud": BASE, "jti": audience}));
        server.provider.says(&token, json!({"active": true, "aud": audience}));
        let reply = server.bearer(&token).await;
        assert_eq!(reply.status == 200, is_let_in, "{audience}: {reply:#?}");
    }
}

#[tokio::test]
async fn scopes_count_that_both_have_compared_as_text() {
    let of = |answer: Value| async move {
        let jwt = json!({"scope": "system/Patient.rs system/*.read launch"});
        let mut said = json!({"active": true});
        said["scope"] = answer;
        let reply = reply(jwt, said).await;
        scopes(&reply).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of(json!("launch system/Patient.rs more")).await, ["system/Patient.rs", "launch"]);
    // The same right in another spelling is another text.
    assert_eq!(of(json!("system/*.rs system/Patient.sr")).await, [""; 0]);
    assert_eq!(of(json!("")).await, [""; 0]);
    assert_eq!(of(json!(5)).await, [""; 0]);
    assert_eq!(of(json!(["launch", "x"])).await, ["launch"]);
    assert_eq!(of(json!("launchx system/Patient")).await, [""; 0]);
}

#[tokio::test]
async fn exp_of_the_answer_may_be_missing_and_ends_the_token_where_it_is_sooner() {
    reply(json!({}), json!({"active": true})).await.is_let_in();
    let expired = reply(json!({}), json!({"active": true, "exp": NOW - 61})).await;
    expired.is_refused_by(Check::Expiry, "the token has expired");
    let odd = reply(json!({}), json!({"active": true, "exp": "soon"})).await;
    odd.is_refused_by(Check::Expiry, "`exp` is not a valid NumericDate");

    let server = Guarded::with(Introspection::of_every_token).await;
    let token = server.provider.jwt(json!({}));
    server.provider.says(&token, json!({"active": true, "exp": NOW + 10}));
    server.bearer(&token).await.is_let_in();
    server.clock.advance(9);
    server.bearer(&token).await.is_let_in();
    assert_eq!(server.provider.times(), 1);
    server.clock.advance(1);
    server.bearer(&token).await;
    assert_eq!(server.provider.times(), 2, "the answer is not kept past its `exp`");
}

#[tokio::test]
async fn a_confirmation_in_the_answer_alone_binds_the_token() {
    let bound =
        json!({"active": true, "cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}});
    reply(json!({}), bound).await.is_refused_by(Check::Confirmation, "`cnf`");
    let server = Guarded::of_every_token().await;
    let token = server.provider.jwt(json!({}));
    let mut answer = json!({"active": true});
    answer["cnf"] = Value::Null;
    server.provider.says(&token, answer);
    server.bearer(&token).await.is_refused_by(Check::Confirmation, "`cnf`");
}

#[tokio::test]
async fn an_answer_that_tells_another_kind_of_token_is_refused_as_that() {
    let answer = json!({"active": true, "token_type": "refresh_token"});
    reply(json!({}), answer).await.is_refused_by(Check::TokenKind, "this is a refresh token");
}

#[tokio::test]
async fn a_request_may_wait_for_a_key_and_then_for_an_answer() {
    let server = Guarded::of_every_token().await;
    server.provider.sign_with_another_key("one");
    let other = server.provider.jwt(json!({}));
    assert_eq!(server.bearer(&other).await.status, 401, "a signature of another key");
    assert_eq!(server.provider.times(), 0);
    server.provider.publish_key();
    // The `kid` is the same, so that nothing tells that the key is another: only a load.
    tokio::time::timeout(std::time::Duration::from_secs(5), async {
        loop {
            server.provider.sign_with_another_key("two");
            server.provider.publish_key();
            let header = json!({"alg": "ES256", "kid": "two", "typ": "at+jwt"});
            let token = server.provider.signed(&header, &json!({}));
            server.provider.says(&token, json!({"active": true}));
            if server.bearer(&token).await.status == 200 {
                return;
            }
        }
    })
    .await
    .unwrap();
    assert_eq!(server.provider.times(), 1);
}
