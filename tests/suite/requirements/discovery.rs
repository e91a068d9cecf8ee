//! OpenID Connect Discovery 1.0: whose keys are whose.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::test_util::{Answer, TestIssuer};
use tower_fhir_auth::{BuildError, FhirAuthLayer, TrustedIssuer, authenticated};

use crate::support::{BASE, Server, send};

const DISCOVERY: &str = "/.well-known/openid-configuration";

fn layer(issuer: TrustedIssuer) -> Result<FhirAuthLayer, BuildError> {
    let settings = KeySettings::default().timeout(Duration::from_secs(2));
    let issuer = issuer.key_settings(settings);
    FhirAuthLayer::builder(BASE).issuer(issuer).authorizer(authenticated()).build()
}

async fn status(layer: &FhirAuthLayer, issuer: &TestIssuer) -> StatusCode {
    let token = issuer.token().claim("aud", BASE).sign().unwrap();
    let request = http::Request::get("/r4/Patient/1");
    send(layer, request.header("authorization", format!("Bearer {token}"))).await.status
}

fn document(issuer: &TestIssuer) -> Value {
    json!({"issuer": issuer.url(), "jwks_uri": issuer.jwks_uri()})
}

/// The answer to a good token while discovery answers like this, and what health says.
async fn with_discovery(answer: impl FnOnce(&TestIssuer) -> Answer) -> (StatusCode, String) {
    let issuer = TestIssuer::start().await.unwrap();
    issuer.answer(DISCOVERY, answer(&issuer));
    let layer = layer(issuer.trusted()).unwrap();
    let status = status(&layer, &issuer).await;
    let health = layer.health().remove(0);
    assert_eq!(health.usable, status.is_success());
    (status, health.last_error.map(|error| error.to_string()).unwrap_or_default())
}

async fn is_refused(answer: impl FnOnce(&TestIssuer) -> Answer, words: &str) {
    let (status, error) = with_discovery(answer).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{error}");
    assert!(error.contains(words), "no `{words}` in {error}");
}

#[tokio::test]
async fn v1_the_document_is_the_issuers_own_without_normalisation() {
    let (status, _) = with_discovery(|issuer| Answer::json(&document(issuer))).await;
    assert_eq!(status, StatusCode::OK);
    for change in [
        |url: &str| format!("{url}/"),
        |url: &str| url.to_uppercase(),
        |_: &str| "https://evil.example".to_owned(),
    ] {
        let wrong = |issuer: &TestIssuer| {
            let mut document = document(issuer);
            document["issuer"] = change(issuer.url()).into();
            Answer::json(&document)
        };
        is_refused(wrong, "expected issuer").await;
    }
    let without = |issuer: &TestIssuer| Answer::json(&json!({"jwks_uri": issuer.jwks_uri()}));
    is_refused(without, "`issuer`").await;
}

#[tokio::test]
async fn v2_the_document_stands_at_the_issuer_without_slash_and_the_well_known_path() {
    let issuer = TestIssuer::start().await.unwrap();
    let name = format!("{}/realms/fhir/", issuer.url());
    let path = "/realms/fhir/.well-known/openid-configuration";
    issuer.answer(path, Answer::json(&json!({"issuer": name, "jwks_uri": issuer.jwks_uri()})));
    let layer = layer(TrustedIssuer::discover(name.clone())).unwrap();
    let token = issuer.token().claim("aud", BASE).claim("iss", name).sign().unwrap();
    let request = http::Request::get("/r4/Patient/1");
    let reply = send(&layer, request.header("authorization", format!("Bearer {token}"))).await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[tokio::test]
async fn a_discovery_document_may_stand_elsewhere_and_a_given_jwks_uri_needs_none() {
    let issuer = TestIssuer::start().await.unwrap();
    issuer.answer(DISCOVERY, Answer::status(StatusCode::NOT_FOUND));
    issuer.answer("/elsewhere", Answer::json(&document(&issuer)));
    let elsewhere = format!("{}/elsewhere", issuer.url());
    let found = layer(TrustedIssuer::discover_at(issuer.url(), elsewhere.clone())).unwrap();
    assert_eq!(status(&found, &issuer).await, StatusCode::OK);
    let given = layer(TrustedIssuer::with_jwks_uri(issuer.url(), issuer.jwks_uri())).unwrap();
    assert_eq!(status(&given, &issuer).await, StatusCode::OK);
    // Wherever the document stands, it must be the issuer's.
    let other = layer(TrustedIssuer::discover_at("https://other.example", elsewhere)).unwrap();
    let _ = tokio::time::timeout(Duration::from_millis(300), other.ready()).await;
    assert!(other.health()[0].last_error.as_ref().unwrap().to_string().contains("expected issuer"));
}

#[tokio::test]
async fn v3_the_answer_is_200_and_json() {
    for status in [204, 301, 302, 304, 401, 404, 500, 503] {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = |issuer: &TestIssuer| {
            let elsewhere = HeaderValue::from_str(&issuer.jwks_uri()).unwrap();
            let body = document(issuer).to_string();
            Answer::status(status).body(body).header(header::LOCATION, elsewhere)
        };
        is_refused(answer, status.as_str()).await;
    }
    let html = HeaderValue::from_static("text/html");
    let answer =
        |issuer: &TestIssuer| Answer::json(&document(issuer)).header(header::CONTENT_TYPE, html);
    is_refused(answer, "text/html").await;
    is_refused(|_| Answer::status(StatusCode::OK).body("<html>"), "JSON object").await;
    let truncated = |issuer: &TestIssuer| {
        let body = document(issuer).to_string();
        Answer::status(StatusCode::OK).body(body.strip_suffix('}').unwrap().to_owned())
    };
    is_refused(truncated, "JSON object").await;
}

#[tokio::test]
async fn v4_the_jwks_uri_is_absolute_and_https_or_loopback() {
    for bad in ["http://idp.example.org/jwks", "/jwks", "", "ftp://127.0.0.1/jwks", "jwks"] {
        let answer =
            |issuer: &TestIssuer| Answer::json(&json!({"issuer": issuer.url(), "jwks_uri": bad}));
        is_refused(answer, "https").await;
    }
    let number =
        |issuer: &TestIssuer| Answer::json(&json!({"issuer": issuer.url(), "jwks_uri": 5}));
    is_refused(number, "`jwks_uri`").await;
}

#[tokio::test]
async fn v5_an_issuer_is_https_or_loopback_without_query_or_fragment() {
    for bad in [
        "http://idp.example.org",
        "https://idp.example.org/?a=b",
        "https://idp.example.org/#a",
        "idp",
    ] {
        let error = layer(TrustedIssuer::discover(bad)).unwrap_err();
        assert!(matches!(error, BuildError::Issuer(_)), "{bad}: {error}");
    }
    let error = layer(TrustedIssuer::discover("")).unwrap_err();
    assert!(matches!(error, BuildError::IssuerName(_)), "{error}");
    for bad in ["http://idp.example.org/keys", "keys", "https://h/k#f"] {
        let error =
            layer(TrustedIssuer::with_jwks_uri("https://idp.example.org", bad)).unwrap_err();
        assert!(matches!(error, BuildError::Address(_)), "{bad}: {error}");
        let error = layer(TrustedIssuer::discover_at("https://idp.example.org", bad)).unwrap_err();
        assert!(matches!(error, BuildError::Address(_)), "{bad}: {error}");
    }
}

#[tokio::test]
async fn v6_algorithms_of_the_document_never_widen_nor_narrow_those_of_access_tokens() {
    let server = Server::start().await;
    let widened = |issuer: &TestIssuer| {
        let mut document = document(issuer);
        document["id_token_signing_alg_values_supported"] = json!(["none", "HS256", "RS256"]);
        Answer::json(&document)
    };
    let (status, error) = with_discovery(widened).await;
    assert_eq!(status, StatusCode::OK, "ES256 is not listed, and accepted: {error}");
    let none = server.get(server.token().header("alg", "none")).await;
    none.is_refused_by(tower_fhir_auth::explanation::Check::Header, "`alg`");
}

#[tokio::test]
async fn v7_another_jwks_uri_in_the_document_is_followed() {
    let issuer = TestIssuer::start().await.unwrap();
    let settings = KeySettings::default().refresh(Duration::from_secs(1));
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(issuer.trusted().key_settings(settings))
        .authorizer(authenticated())
        .build()
        .unwrap();
    assert_eq!(status(&layer, &issuer).await, StatusCode::OK);
    issuer.rotate().unwrap();
    issuer.withdraw_old_key();
    issuer.answer("/keys-2", Answer::json(&issuer.jwks()));
    issuer.answer("/jwks", Answer::status(StatusCode::GONE));
    let mut document = document(&issuer);
    document["jwks_uri"] = format!("{}/keys-2", issuer.url()).into();
    issuer.answer(DISCOVERY, Answer::json(&document));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(status(&layer, &issuer).await, StatusCode::OK);
}
