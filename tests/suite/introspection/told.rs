//! Reports of introspection: to clients, to operators, and by explanations.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::explanation::{Check, Explanation, StepOutcome, Verdict};
use tower_fhir_auth::{FhirAuthLayerBuilder, ScopePolicy};

use super::kit::{Guarded, Manner, OPAQUE, SECRET};
use crate::operator_log::OperatorLog;
use crate::support::NOW;

async fn explained(server: &Guarded, token: &str) -> Explanation {
    let request = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
    server.layer.explain(&request.body(()).unwrap().into_parts().0).await
}

fn outcome(explanation: &Explanation, check: Check) -> &StepOutcome {
    &explanation.steps().iter().find(|step| step.check == check).unwrap().outcome
}

#[tokio::test]
async fn an_opaque_token_is_explained_check_by_check() {
    let granting = |layer: FhirAuthLayerBuilder| layer.authorizer(ScopePolicy::new());
    let server = Guarded::built(|settings| settings, |issuer| issuer, granting).await;
    server.provider.says(OPAQUE, server.provider.good());
    let explanation = explained(&server, OPAQUE).await;
    assert!(explanation.is_accepted(), "{explanation}");
    let steps: Vec<Check> = explanation.steps().iter().map(|step| step.check).collect();
    assert_eq!(steps, Check::ALL);
    let told = explanation.to_string();
    for words in ["no JWS: an opaque token", "introspection", "system/Patient.rs launch"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(!told.contains(OPAQUE) && !told.contains(SECRET), "{told}");

    server.provider.says_with("other", json!({"aud": "https://other.example.org"}));
    let explanation = explained(&server, "other").await;
    let failure = explanation.failure().unwrap();
    assert_eq!(failure.check(), Check::Audience);
    assert_eq!(failure.found(), Some("https://other.example.org"));
    assert!(matches!(outcome(&explanation, Check::Introspection), StepOutcome::Passed { .. }));

    let explanation = explained(&server, "unknown").await;
    assert_eq!(explanation.failure().unwrap().check(), Check::Introspection);
    assert!(!explanation.failure().unwrap().advice().is_empty());
    assert!(matches!(outcome(&explanation, Check::Audience), StepOutcome::NotReached));

    server.provider.behave(Manner::Raw(500, "", String::new()));
    let explanation = explained(&server, "later").await;
    assert_eq!(explanation.verdict(), Verdict::Undecided, "{explanation}");
    assert!(explanation.conclusion().contains("cannot be asked about the token"));
}

#[tokio::test]
async fn a_jwt_that_is_asked_about_is_explained_beyond_its_own_checks() {
    let server = Guarded::of_every_token().await;
    let token = server.provider.jwt(json!({}));
    server.provider.says(&token, json!({"active": true, "sub": "bob"}));
    let explanation = explained(&server, &token).await;
    let failure = explanation.failure().unwrap();
    assert_eq!(failure.check(), Check::Introspection);
    assert!(matches!(outcome(&explanation, Check::Expiry), StepOutcome::Passed { .. }));
    let told = explanation.to_string();
    assert!(!told.contains("bob") && !told.contains("alice"), "{told}");
    let other = server.provider.jwt(json!({"jti": "2"}));
    server.provider.says(&other, json!({"active": true, "exp": NOW - 100}));
    let explanation = explained(&server, &other).await;
    assert_eq!(explanation.failure().unwrap().check(), Check::Expiry, "{explanation}");
    let expiry = explanation.steps().iter().filter(|step| step.check == Check::Expiry);
    assert_eq!(expiry.count(), 1);
    server.provider.says(&server.provider.jwt(json!({"jti": "3"})), json!({"active": true}));
}

#[tokio::test]
async fn of_a_tool_that_asks_no_provider_a_token_is_undecided() {
    let offline = |layer: FhirAuthLayerBuilder| layer.load_keys_only_for(OPAQUE);
    let server = Guarded::built(|settings| settings, |issuer| issuer, offline).await;
    server.provider.says(OPAQUE, server.provider.good());
    assert!(explained(&server, OPAQUE).await.is_accepted(), "the issuer of opaque tokens is asked");

    let provider = super::kit::Provider::start().await;
    let client = tower_fhir_auth::authentication::IntrospectionClient::with_secret("f", "s");
    let issuer = tower_fhir_auth::TrustedIssuer::discover(&provider.url)
        .introspection(tower_fhir_auth::authentication::Introspection::discover(client));
    let layer = tower_fhir_auth::FhirAuthLayer::builder(crate::support::BASE)
        .issuer(issuer)
        .authorizer(tower_fhir_auth::authenticated())
        .offline()
        .build()
        .unwrap();
    let request = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {OPAQUE}"));
    let explanation = layer.explain(&request.body(()).unwrap().into_parts().0).await;
    assert_eq!(explanation.verdict(), Verdict::Undecided);
    assert_eq!(provider.times(), 0);
}

#[tokio::test]
async fn n10_neither_token_nor_secret_nor_answer_is_logged_or_told() {
    let log = OperatorLog::start();
    let server = Guarded::start().await;
    let answers = [
        Manner::Json,
        Manner::Raw(500, "text/html", format!("echo {OPAQUE} {SECRET}")),
        Manner::Raw(200, "application/json", format!("{{\"{OPAQUE}\":\"{SECRET}\"")),
        Manner::Redirect(format!("http://127.0.0.1:9/?{OPAQUE}={SECRET}")),
        Manner::signed(),
    ];
    server.provider.says_with(OPAQUE, json!({"aud": "https://other.example.org"}));
    for (index, manner) in answers.into_iter().enumerate() {
        server.provider.behave(manner);
        server.provider.says_with(&format!("{OPAQUE}{index}"), json!({"sub": SECRET, "exp": 5}));
        let reply = server.bearer(&format!("{OPAQUE}{index}")).await;
        let told = format!("{:?} {}", reply.headers, reply.body);
        assert!(!told.contains(OPAQUE) && !told.contains(SECRET), "{told}");
    }
    let health = format!("{:?}", server.layer.health());
    let readiness = server.layer.readiness().into_body();
    let readiness = String::from_utf8(readiness.to_vec()).unwrap();
    for text in [log.text(), health, readiness] {
        assert!(!text.contains(OPAQUE) && !text.contains(SECRET), "{text}");
    }
}

#[tokio::test]
async fn health_and_readiness_show_the_provider() {
    let server = Guarded::start().await;
    let health = server.health();
    assert_eq!((health.reachable, health.asked, health.open), (true, 0, 0));
    server.provider.says(OPAQUE, server.provider.good());
    server.bearer(OPAQUE).await.is_let_in();
    let health = server.health();
    assert_eq!((health.reachable, health.asked), (true, 1));
    assert_eq!(health.last_success.unwrap().as_secs(), NOW);
    server.provider.behave(Manner::Raw(401, "application/json", "{}".to_owned()));
    server.bearer("other").await.is_unavailable();
    let health = server.health();
    assert!(!health.reachable);
    assert!(health.last_error.unwrap().to_string().contains("status 401"));
    let readiness: Value = serde_json::from_slice(server.layer.readiness().body()).unwrap();
    let introspection = &readiness["issuers"][0]["introspection"];
    assert_eq!((&introspection["reachable"], &introspection["asked"]), (&json!(false), &json!(2)));
    assert_eq!(readiness["ready"], true, "the keys are there");
}

#[tokio::test]
async fn an_outage_and_its_end_are_told_once_each() {
    let log = OperatorLog::start();
    let server = Guarded::start().await;
    for round in 1..=2 {
        server.provider.behave(Manner::Raw(500, "", String::new()));
        for token in ["a", "b"] {
            server.bearer(&format!("{token}{round}")).await.is_unavailable();
        }
        assert_eq!(log.lines("WARN", "introspection failed"), round, "{}", log.text());
        server.provider.behave(Manner::Json);
        for token in ["c", "d"] {
            server.bearer(&format!("{token}{round}")).await;
        }
        let again = log.lines("INFO", "answers introspections again");
        assert_eq!(again, round, "{}", log.text());
    }
}
