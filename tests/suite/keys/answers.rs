//! Requests to a provider, and reports of an answer that cannot be used.

use tower_fhir_auth::TrustedIssuer;
use tower_fhir_auth::keys::KeySettings;

use super::provider::{DISCOVERY, JWKS, Provider, last_error, loaded};
use crate::operator_log::OperatorLog;

const ACCEPT: &str = "application/jwk-set+json, application/json, */*;q=0.1";

#[tokio::test]
async fn a_key_set_is_asked_for_with_its_own_media_type_then_json_then_anything() {
    // One provider that has key sets alone (RFC 7517 section 8.5.2), one that wants any to be asked for.
    for only in ["application/jwk-set+json", "*/*"] {
        let provider = Provider::answering("127.0.0.1", move |path, accept, good| {
            let is_served = path != JWKS || accept.split([',', ';']).any(|it| it.trim() == only);
            if is_served { good } else { (406, None, String::new()) }
        })
        .await;
        let issuer = TrustedIssuer::discover(&provider.url);
        let layer = loaded(issuer, KeySettings::default()).await;
        provider.token_to(&layer).await.is_let_in();
        assert_eq!(provider.accepts_of(JWKS), [ACCEPT], "{only}");
        assert_eq!(provider.accepts_of(DISCOVERY), ["application/json, */*;q=0.1"], "{only}");
        let direct = TrustedIssuer::with_jwks_uri(&provider.url, format!("{}{JWKS}", provider.url));
        let layer = loaded(direct, KeySettings::default()).await;
        provider.token_to(&layer).await.is_let_in();
        assert_eq!(provider.accepts_of(JWKS), [ACCEPT, ACCEPT], "{only}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_told_by_status_and_content_type_and_never_by_its_body() {
    const SECRET: &str = "hunter2";
    for (status, content_type, body, words) in [
        (406, Some("text/plain"), SECRET, "status 406 and content type `text/plain`"),
        (503, None, SECRET, "status 503 and no content type"),
        (302, Some("text/html"), SECRET, "status 302 and content type `text/html`"),
        (
            200,
            Some("text/html; charset=utf-8"),
            SECRET,
            "status 200 and content type `text/html; charset=utf-8`",
        ),
        (200, None, "{\"keys\": []}", "status 200 and no content type"),
        (200, Some("application/json"), SECRET, "status 200 and content type `application/json`"),
        (
            200,
            Some("application/problem+json"),
            "{\"title\": \"hunter2\"}",
            "status 200 and content type `application/problem+json`",
        ),
    ] {
        for place in [JWKS, DISCOVERY] {
            let provider = Provider::answering("127.0.0.1", move |path, _, good| {
                if path == place { (status, content_type, body.to_owned()) } else { good }
            })
            .await;
            let issuer = TrustedIssuer::discover(&provider.url);
            let layer = loaded(issuer, KeySettings::default()).await;
            let error = last_error(&layer);
            assert!(error.contains(words), "no `{words}` in: {error}");
            assert!(error.contains(&format!("{}{place}", provider.url)), "{error}");
            assert!(!error.contains(SECRET), "{error}");
            assert_eq!(provider.token_to(&layer).await.status, 503, "{error}");
        }
    }
}

#[tokio::test]
async fn status_and_content_type_are_told_however_long_address_and_content_type_are() {
    let content_type: &str = Box::leak(format!("text/{}", "x".repeat(300)).into_boxed_str());
    let provider =
        Provider::answering("127.0.0.1", |_, _, _| (406, Some(content_type), String::new())).await;
    let address = format!("{}/{}", provider.url, "y".repeat(600));
    let issuer = TrustedIssuer::with_jwks_uri(&provider.url, address);
    let log = OperatorLog::start();
    let layer = loaded(issuer, KeySettings::default()).await;
    // What is shown of an error in JSON and in the log is bounded.
    let health = serde_json::to_value(layer.health()).unwrap();
    let told = health[0]["last_error"].as_str().unwrap();
    for words in [provider.url.as_str(), "status 406", "content type `text/xxx"] {
        assert!(told.contains(words), "no `{words}` in {told}");
        assert_eq!(log.lines("keys could not be loaded", words), 1, "{}", log.text());
    }
}
