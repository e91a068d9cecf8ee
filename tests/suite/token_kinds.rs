//! Tokens of another kind: ID, refresh and logout tokens are no access tokens, and are told so.

use http::HeaderMap;
use serde_json::{Value, json};
use tower_fhir_auth::explanation::{Check, Side};
use tower_fhir_auth::test_util::TokenBuilder;

use crate::support::{NOW, Server};

/// Marks that providers write into tokens that are no access tokens, and the kind that is named.
fn marks() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        ("at_hash", json!("MTIzNDU2Nzg5MDEyMzQ1Ng"), "ID token"),
        ("c_hash", json!("MTIzNDU2Nzg5MDEyMzQ1Ng"), "ID token"),
        ("s_hash", json!("MTIzNDU2Nzg5MDEyMzQ1Ng"), "ID token"),
        ("events", json!({"http://schemas.openid.net/event/backchannel-logout": {}}), "logout"),
        ("typ", json!("ID"), "ID token"),
        ("typ", json!("Refresh"), "refresh token"),
        ("typ", json!("Offline"), "refresh token"),
        ("typ", json!("Logout"), "logout token"),
        ("token_use", json!("id"), "ID token"),
        ("token_use", json!("refresh"), "refresh token"),
        ("token_use", json!("something"), "`token_use`"),
        ("token_use", json!(["access"]), "`token_use`"),
        ("token_use", json!(null), "`token_use`"),
        ("at_hash", json!(null), "ID token"),
    ]
}

#[tokio::test]
async fn each_mark_of_another_kind_is_refused_and_the_kind_is_named() {
    let server = Server::start().await;
    for (name, value, words) in marks() {
        let reply = server.get(server.token().claim(name, value.clone())).await;
        reply.is_refused_by(Check::TokenKind, words);
        assert!(reply.body.contains(&format!("`{name}`")), "{name} in {}", reply.body);
    }
}

#[tokio::test]
async fn what_access_tokens_have_is_no_mark_of_another_kind() {
    let server = Server::start().await;
    for (name, value) in [
        ("typ", json!("Bearer")),
        ("typ", json!("at+jwt")),
        ("typ", json!(null)),
        ("token_use", json!("access")),
        ("token_use", json!("access_token")),
        ("nonce", json!("n-0S6_WzA2Mj")),
        ("sid", json!("session")),
        ("auth_time", json!(NOW)),
        ("AT_HASH", json!("x")),
        ("inner", json!({"at_hash": "x", "typ": "ID"})),
    ] {
        server.get(server.token().claim(name, value)).await.is_let_in();
    }
}

#[tokio::test]
async fn the_kind_is_judged_after_the_signature_and_before_the_audience() {
    let server = Server::start().await;
    let wrong = |token: TokenBuilder| token.claim("at_hash", "x").claim("aud", "my-app");
    let reply = server.get(wrong(server.token())).await;
    reply.is_refused_by(Check::TokenKind, "ID token");
    // The audience of such a token is its client: nobody is told to accept it.
    assert!(!reply.body.contains("my-app"), "{}", reply.body);
    let signed = wrong(server.token()).sign().unwrap();
    let (input, _) = signed.rsplit_once('.').unwrap();
    let forged = format!("{input}.{}", "A".repeat(86));
    server.bearer(&forged).await.is_refused_by(Check::Signature, "signature");
}

#[tokio::test]
async fn nobody_is_advised_to_widen_for_a_token_of_another_kind() {
    let server = Server::start().await;
    for (name, value, _) in marks() {
        let token = server.token().claim("aud", "my-app").claim(name, value).sign().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        let explanation =
            server.layer.authenticator().explain(&headers, &"/r4/x".parse().unwrap()).await;
        let advice = explanation.failure().unwrap().advice();
        assert!(!advice.is_empty());
        for one in advice {
            assert_eq!(one.side, Side::Client, "{name}: {}", one.text);
            assert!(one.text.contains("access token for this API"), "{}", one.text);
        }
        assert!(!explanation.to_string().contains("my-app"), "{explanation}");
    }
    // By `typ` in the header, too.
    for typ in ["logout+jwt", "dpop+jwt", "secevent+jwt", "application/ID+JWT"] {
        let reply = server.get(server.token().header("typ", typ)).await;
        reply.is_refused_by(Check::Type, "access token");
        let token = server.token().header("typ", typ).sign().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        let explanation =
            server.layer.authenticator().explain(&headers, &"/r4/x".parse().unwrap()).await;
        let advice = explanation.failure().unwrap().advice();
        assert!(advice.iter().all(|one| one.side == Side::Client), "{typ}: {advice:?}");
    }
}

#[tokio::test]
async fn null_dates_and_a_null_cnf_are_malformed_and_a_null_required_claim_is_absent() {
    let server = Server::trusting(|issuer| issuer.required_claims(["sub", "fhirUser"])).await;
    let good = || server.token().claim("fhirUser", "Practitioner/1");
    server.get(good()).await.is_let_in();
    for (name, check) in [
        ("nbf", Check::NotBefore),
        ("iat", Check::IssuedAt),
        ("cnf", Check::Confirmation),
        ("fhirUser", Check::RequiredClaims),
        ("sub", Check::RequiredClaims),
    ] {
        let reply = server.get(good().claim(name, json!(null))).await;
        reply.is_refused_by(check, &format!("`{name}`"));
    }
}
