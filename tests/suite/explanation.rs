//! The explanation of a token is made by the code that judges it.

use http::HeaderMap;
use serde_json::json;
use tower_fhir_auth::test_util::TokenBuilder;
use tower_fhir_auth::{Check, Explanation, StepOutcome};

use crate::support::{NOW, Server};

async fn explain(server: &Server, token: Option<&str>) -> Explanation {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    server.layer.authenticator().explain(&headers, &"/r4/Patient/1".parse().unwrap()).await
}

#[tokio::test]
async fn its_verdict_is_the_layers_and_every_check_is_told_in_order() {
    let server = Server::start().await;
    let variants: [fn(TokenBuilder) -> TokenBuilder; 12] = [
        |token| token,
        |token| token.header("crit", json!([])),
        |token| token.claim("iss", "https://other.example"),
        |token| token.header("alg", "RS256"),
        |token| token.header("typ", "dpop+jwt"),
        |token| token.header("kid", "other"),
        |token| token.claim("aud", "other"),
        |token| token.claim("nbf", NOW + 1000),
        |token| token.claim("iat", NOW + 1000),
        |token| token.without("sub"),
        |token| token.claim("cnf", json!({})),
        |token| token.claim("exp", 1),
    ];
    for variant in variants {
        let token = variant(server.token()).sign().unwrap();
        let explanation = explain(&server, Some(&token)).await;
        let reply = server.bearer(&token).await;
        assert_eq!(explanation.is_accepted(), reply.status == 200, "{explanation}");
        let told = explanation.failure().map(|finding| finding.check());
        assert_eq!(told, reply.rejection.and_then(|rejection| rejection.check()));
        let checks: Vec<Check> = explanation.steps().iter().map(|step| step.check).collect();
        assert_eq!(checks, Check::ALL);
        let reached = explanation
            .steps()
            .iter()
            .take_while(|step| matches!(step.outcome, StepOutcome::Passed(_)))
            .count();
        let rest = &explanation.steps()[reached..];
        let unreached =
            |step: &tower_fhir_auth::Step| matches!(step.outcome, StepOutcome::NotReached);
        assert!(rest.iter().skip(1).all(unreached), "{explanation}");
    }
}

#[tokio::test]
async fn it_tells_what_was_found_and_never_the_token() {
    let server = Server::start().await;
    let token =
        server.token().claim("aud", "other").claim("sub", "a-person-nobody-names").sign().unwrap();
    let text = explain(&server, Some(&token)).await.to_string();
    for expected in [
        "passed       issuer: http://127.0.0.1:",
        "passed       algorithm: ES256",
        "passed       type: at+jwt",
        "passed       key: key-1",
        "passed       signature\n",
        "failed       audience: `aud` does not name this server: the token has `other`",
        "not reached  expiry",
    ] {
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
    assert!(!text.contains("a-person-nobody-names"));
    assert!(
        token.as_bytes().windows(12).all(|part| !text.contains(std::str::from_utf8(part).unwrap()))
    );
}

#[tokio::test]
async fn without_a_token_or_without_keys_nothing_is_accepted() {
    let server = Server::start().await;
    let none = explain(&server, None).await;
    assert!(!none.is_accepted());
    assert_eq!(none.failure().unwrap().check(), Check::Credentials);

    let issuer = tower_fhir_auth::test_util::TestIssuer::start().await.unwrap();
    issuer.fail();
    let authenticator = tower_fhir_auth::Authenticator::builder()
        .audience(tower_fhir_auth::AudiencePolicy::exact(["a"]))
        .issuer(issuer.trusted())
        .build()
        .unwrap();
    let mut headers = HeaderMap::new();
    let token = issuer.token().claim("aud", "a").sign().unwrap();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    let explanation = authenticator.explain(&headers, &"/".parse().unwrap()).await;
    assert!(!explanation.is_accepted() && explanation.failure().is_none());
    assert!(explanation.to_string().contains("unavailable  key"), "{explanation}");
}
