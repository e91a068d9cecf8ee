//! An explanation goes on after the first failure: a token with several faults is mended in one go.

use http::{HeaderMap, Request};
use serde_json::json;
use tower_fhir_auth::explanation::{Check, Explanation, StepOutcome};
use tower_fhir_auth::test_util::TestIssuer;
use tower_fhir_auth::{AudiencePolicy, Authenticator};

use crate::support::{NOW, Server};

fn headers(token: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    headers
}

async fn explain(server: &Server, token: &str) -> Explanation {
    server.layer.authenticator().explain(&headers(token), &"/".parse().unwrap()).await
}

fn with(explanation: &Explanation, is: impl Fn(&StepOutcome) -> bool) -> Vec<Check> {
    explanation.steps().iter().filter(|step| is(&step.outcome)).map(|step| step.check).collect()
}

fn would_fail(explanation: &Explanation) -> Vec<Check> {
    with(explanation, |outcome| matches!(outcome, StepOutcome::WouldFail { .. }))
}

fn not_reached(explanation: &Explanation) -> Vec<Check> {
    with(explanation, |outcome| matches!(outcome, StepOutcome::NotReached))
}

#[tokio::test]
async fn what_would_fail_too_is_told() {
    let server = Server::start().await;
    let token = server
        .token()
        .claim("aud", "other")
        .claim("nbf", NOW + 5000)
        .claim("iat", NOW + 5000)
        .claim("exp", 1);
    let times = [Check::NotBefore, Check::IssuedAt, Check::Expiry];
    // The first failure, and what follows from it.
    let unknown = token.clone().claim("iss", "https://other.example").sign().unwrap();
    let explanation = explain(&server, &unknown).await;
    assert_eq!(explanation.failure().unwrap().check(), Check::Issuer);
    assert_eq!(would_fail(&explanation), [&[Check::Audience], &times[..]].concat());

    let foreign = token.clone().header("kid", "other").sign().unwrap();
    let explanation = explain(&server, &foreign).await;
    assert_eq!(explanation.failure().unwrap().check(), Check::Key);
    assert_eq!(would_fail(&explanation), [&[Check::Audience], &times[..]].concat());

    let explanation = explain(&server, &token.sign().unwrap()).await;
    assert_eq!(explanation.failure().unwrap().check(), Check::Audience);
    assert_eq!(would_fail(&explanation), times);
    let text = explanation.to_string();
    assert!(text.contains("would fail   expiry\n"), "{text}");
    assert!(text.contains("found     1970-01-01T00:00:01Z"), "{text}");
}

#[tokio::test]
async fn of_an_unverified_token_only_what_may_be_shown_is_looked_at_and_marked() {
    let server = Server::start().await;
    let token = server
        .token()
        .header("kid", "other")
        .claim("scope", "user/Patient.r")
        .claim("roles", ["admin"])
        .claim("client_id", "an-app-nobody-names")
        .without("sub")
        .claim("cnf", json!({"jkt": "x"}))
        .sign()
        .unwrap();
    let explanation = explain(&server, &token).await;
    let unlooked = [
        Check::Signature,
        Check::Tenant,
        Check::RequiredClaims,
        Check::Client,
        Check::Confirmation,
        Check::Introspection,
        Check::Certificate,
        Check::Proof,
    ];
    assert_eq!(not_reached(&explanation), unlooked);
    assert!(!explanation.is_verified() && explanation.contents().scopes.is_empty());
    let text = explanation.to_string();
    let one_line = "not reached  signature, tenant, required-claims, client, confirmation, \
                    introspection, certificate, proof\n";
    assert!(text.contains("would pass   audience (unverified)\n"), "{text}");
    assert!(text.ends_with(one_line), "{text}");
    for hidden in ["user/Patient.r", "admin", "an-app"] {
        assert!(!text.contains(hidden), "{text}");
    }
}

#[tokio::test]
async fn of_a_verified_token_every_check_is_looked_at() {
    let server = Server::start().await;
    let token = server
        .token()
        .claim("aud", "other")
        .without("sub")
        .claim("cnf", json!({"jkt": "x"}))
        .sign()
        .unwrap();
    let explanation = explain(&server, &token).await;
    assert_eq!(would_fail(&explanation), [Check::RequiredClaims, Check::Confirmation]);
    let last = [Check::Introspection, Check::Certificate, Check::Proof];
    assert_eq!(not_reached(&explanation), last);
    assert!(!explanation.to_string().contains("unverified"), "{explanation}");
}

#[tokio::test]
async fn a_token_of_another_kind_is_told_nothing_of_its_audience() {
    let server = Server::start().await;
    let token = server.token().header("kid", "x").claim("aud", "app").claim("at_hash", "h");
    let explanation = explain(&server, &token.sign().unwrap()).await;
    assert_eq!(would_fail(&explanation), [Check::TokenKind]);
    assert!(not_reached(&explanation).contains(&Check::Audience), "{explanation}");
}

/// The values of other claims are not told of a token that nobody has verified.
#[tokio::test]
async fn the_kind_of_an_unverified_token_is_not_told() {
    let server = Server::start().await;
    let token = || server.token().claim("token_use", "refresh_token");
    let unverified = explain(&server, &token().header("kid", "x").sign().unwrap()).await;
    assert_eq!(would_fail(&unverified), [Check::TokenKind]);
    let text = unverified.to_string();
    assert!(text.contains("this is not an access token") && !text.contains("token_use"), "{text}");
    let verified = explain(&server, &token().sign().unwrap()).await;
    assert!(verified.to_string().contains("`token_use`"), "{verified}");
}

#[tokio::test]
async fn what_would_fail_comes_without_advice() {
    let server = Server::start().await;
    let token = server.token().header("kid", "x").claim("aud", "app").sign().unwrap();
    let explanation = explain(&server, &token).await;
    assert_eq!(would_fail(&explanation), [Check::Audience]);
    assert!(!explanation.to_string().contains("`audiences`"), "{explanation}");
    let json = serde_json::to_value(&explanation).unwrap();
    let checks = json["checks"].as_array().unwrap();
    let audience = checks.iter().find(|check| check["check"] == "audience").unwrap();
    assert_eq!(audience["outcome"], "would-fail");
    assert_eq!((&audience["unverified"], audience.get("advice")), (&json!(true), None));
}

#[tokio::test]
async fn without_keys_everything_but_the_signature_is_told() {
    let issuer = TestIssuer::start().await.unwrap();
    issuer.fail();
    let authenticator = Authenticator::builder()
        .audience(AudiencePolicy::exact(["a"]))
        .issuer(issuer.trusted())
        .build()
        .unwrap();
    let token = issuer.token().claim("aud", "b").claim("exp", 1).sign().unwrap();
    let explanation = authenticator.explain(&headers(&token), &"/".parse().unwrap()).await;
    assert!(!explanation.is_accepted() && explanation.failure().is_none());
    assert_eq!(would_fail(&explanation), [Check::Audience, Check::Expiry]);
    let text = explanation.to_string();
    assert!(text.starts_with("undecided: the keys of `"), "{text}");
}

/// With several issuers a token of none of them is judged as that of any.
#[tokio::test]
async fn beyond_an_unknown_issuer_the_rules_of_any_issuer_count() {
    let (one, other) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    let authenticator = Authenticator::builder()
        .issuer(one.trusted().audience(AudiencePolicy::exact(["a"])))
        .issuer(other.trusted().audience(AudiencePolicy::exact(["b"])))
        .build()
        .unwrap();
    for (audience, failing) in [("a", vec![]), ("b", vec![]), ("c", vec![Check::Audience])] {
        let token = one.token().claim("iss", "x").claim("aud", audience).sign().unwrap();
        let explanation = authenticator.explain(&headers(&token), &"/".parse().unwrap()).await;
        assert_eq!(would_fail(&explanation), failing, "{audience}: {explanation}");
    }
}

#[tokio::test]
async fn the_interaction_is_told_before_the_token_is_mended() {
    let server = Server::start().await;
    let token = server.token().claim("exp", 1).sign().unwrap();
    for (path, told) in [
        ("/r4/Patient/1", "would pass   interaction\n             found     read Patient\n"),
        ("/r4/Patient/1/", "would fail   interaction\n"),
    ] {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let (request, ()) = request.body(()).unwrap().into_parts();
        let explanation = server.layer.explain(&request).await;
        let text = explanation.to_string();
        assert!(text.contains(told), "{text}");
        let rest = "not reached  introspection, certificate, proof, authorization, step-up\n";
        assert!(text.contains(rest), "{text}");
    }
}

#[tokio::test]
async fn an_accepted_token_alone_says_that_no_request_was_asked_about() {
    let server = Server::start().await;
    let token = server.token().sign().unwrap();
    let explanation = explain(&server, &token).await;
    let expected = "accepted: the token is good; no request was asked about";
    assert_eq!(explanation.conclusion(), expected);
    assert!(explanation.to_string().starts_with(&format!("{expected}\n")), "{explanation}");
    let request = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
    let (request, ()) = request.body(()).unwrap().into_parts();
    assert_eq!(server.layer.explain(&request).await.conclusion(), "accepted");
}
