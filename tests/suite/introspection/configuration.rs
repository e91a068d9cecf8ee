//! `introspection` of an issuer in the file.

use std::time::Duration;

use serde_json::json;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::test_util::TestClock;
use tower_fhir_auth::{FhirAuthLayer, authenticated};

use super::kit::{OPAQUE, Provider, bearer};
use crate::operator_log::OperatorLog;
use crate::support::{BASE, NOW};

fn file(issuers: &[(&str, &str)], end: &str) -> String {
    let issuers = issuers
        .iter()
        .map(|(issuer, lines)| format!("[[issuers]]\nissuer = \"{issuer}\"\n{lines}\n"));
    let issuers: String = issuers.collect();
    format!("base_url = \"{BASE}\"\n{issuers}{end}\n")
}

/// The errors of a file with one issuer that has this for `introspection`.
fn errors(introspection: &str) -> String {
    let lines = format!("introspection = {introspection}");
    let text = file(&[("https://idp.example.org", &lines)], "");
    Config::from_toml(&text).map(drop).unwrap_err().to_string()
}

fn layer(text: &str) -> FhirAuthLayer {
    let config = Config::from_toml(text).unwrap();
    let builder = config.layer(authenticated()).unwrap().clock(TestClock::at(NOW));
    builder.build().unwrap()
}

#[tokio::test]
async fn the_file_says_all_that_the_contract_has() {
    let provider = Provider::start().await;
    provider.says_with(OPAQUE, json!({"aud": null}));
    let with = |more: &str| {
        let lines = format!(
            "introspection = {{ endpoint = \"discover\", client_id = \"fhir\", client_secret = \
             \"${{CARGO_PKG_NAME}}\"{more} }}"
        );
        layer(&file(&[(&provider.url, &lines)], ""))
    };
    let by_default = with("");
    bearer(&by_default, OPAQUE).await.is_refused_by(Check::Audience, "`aud` is missing");
    let basic = provider.asked()[0].headers["authorization"].to_str().unwrap().to_owned();
    assert_eq!(basic, format!("Basic {}", base64_of("fhir:tower-fhir-auth-tests")));
    let known = with(", when = \"opaque\", max_age = \"60s\", audience = \"provider\"");
    bearer(&known, OPAQUE).await.is_let_in();
    bearer(&known, OPAQUE).await.is_let_in();
    assert_eq!(provider.times(), 2);
    let briefly = with(", max_age = \"0s\", audience = \"provider\"");
    bearer(&briefly, OPAQUE).await.is_let_in();
    bearer(&briefly, OPAQUE).await.is_let_in();
    assert_eq!(provider.times(), 4);
    let always = with(", when = \"always\"");
    bearer(&always, OPAQUE).await.is_refused_by(Check::Shape, "segment");
    let jwt = provider.jwt(json!({}));
    bearer(&always, &jwt).await.is_refused_by(Check::Introspection, "not active");

    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.jwk");
    std::fs::write(&key, include_str!("rsa_key.json")).unwrap();
    let lines = format!(
        "introspection = {{ endpoint = \"{}\", client_id = \"fhir\", client_key_file = \"key.jwk\" }}",
        provider.endpoint()
    );
    let path = folder.path().join("auth.toml");
    std::fs::write(&path, file(&[(&provider.url, &lines)], "")).unwrap();
    let config = Config::from_file(&path).unwrap();
    let builder = config.layer(authenticated()).unwrap().clock(TestClock::at(NOW));
    let layer = builder.build().unwrap();
    bearer(&layer, OPAQUE).await.is_refused_by(Check::Audience, "`aud` is missing");
    assert!(provider.asked().last().unwrap().form.contains_key("client_assertion"));
}

#[test]
fn a_mistake_names_its_key_and_what_was_expected() {
    let client = "client_id = \"fhir\", client_secret = \"s\"";
    let endpoint = "endpoint = \"https://idp.example.org/i\"";
    for (introspection, key, words) in [
        (format!("{{ {client} }}"), "endpoint", "is required: expected \"discover\""),
        (format!("{{ endpoint = 5, {client} }}"), "endpoint", "expected a string"),
        (
            format!("{{ endpoint = \"here\", {client} }}"),
            "endpoint",
            "expected an absolute https URL",
        ),
        (
            format!("{{ endpoint = \"http://idp.example.org/i\", {client} }}"),
            "endpoint",
            "expected an absolute https URL (http for loopback and `[danger] plain_http` only)",
        ),
        (format!("{{ {endpoint}, client_secret = \"s\" }}"), "client_id", "is required"),
        (
            format!("{{ {endpoint}, client_id = \"\", client_secret = \"s\" }}"),
            "client_id",
            "not empty",
        ),
        (
            format!("{{ {endpoint}, client_id = \"fhir\" }}"),
            "client_secret",
            "is required: expected `client_secret` or `client_key_file`",
        ),
        (
            format!("{{ {endpoint}, client_id = \"fhir\", client_secret = \"\" }}"),
            "client_secret",
            "not empty",
        ),
        (
            format!(
                "{{ {endpoint}, client_id = \"fhir\", client_secret = \"${{NOT_SET_ANYWHERE}}\" }}"
            ),
            "client_secret",
            "environment variable `NOT_SET_ANYWHERE`",
        ),
        (
            format!("{{ {endpoint}, {client}, client_key_file = \"k\" }}"),
            "client_key_file",
            "expected either a secret or a key, found both",
        ),
        (
            format!("{{ {endpoint}, client_id = \"fhir\", client_key_file = \"missing.jwk\" }}"),
            "client_key_file",
            "expected a readable private key",
        ),
        (
            format!("{{ {endpoint}, {client}, when = \"never\" }}"),
            "when",
            "expected one of opaque, always; found \"never\"",
        ),
        (format!("{{ {endpoint}, {client}, max_age = 60 }}"), "max_age", "expected a duration"),
        (
            format!("{{ {endpoint}, {client}, max_age = \"25h\" }}"),
            "max_age",
            "expected at most 24h",
        ),
        (
            format!("{{ {endpoint}, {client}, audience = \"any\" }}"),
            "audience",
            "expected one of provider",
        ),
        (
            format!("{{ {endpoint}, {client}, max_aeg = \"5s\" }}"),
            "max_aeg",
            "did you mean `max_age`?",
        ),
    ] {
        let told = errors(&introspection);
        let line = format!("issuers[0].introspection.{key}: ");
        assert!(told.contains(&line) && told.contains(words), "{introspection}: {told}");
    }
    let told = errors("\"discover\"");
    assert!(told.contains("issuers[0].introspection: expected a table"), "{told}");
    // All at once.
    let told = errors("{ when = \"never\", max_age = \"x\" }");
    assert_eq!(told.lines().count(), 5, "{told}");
}

#[test]
fn no_mistake_tells_a_secret() {
    for introspection in [
        "{ endpoint = \"x\", client_id = \"f\", client_secret = \"hunter2\" }",
        "{ endpoint = \"https://h/\", client_id = \"\", client_secret = \"hunter2\", x = 1 }",
        "{ endpoint = \"http://a:hunter2@h/\", client_id = \"f\", client_secret = \"hunter2\" }",
    ] {
        assert!(!errors(introspection).contains("hunter2"));
    }
    let lines = "introspection = { endpoint = \"discover\", client_id = \"f\", client_secret = \"hunter2\" }";
    let config = Config::from_toml(&file(&[("https://idp.example.org", lines)], "")).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn an_endpoint_is_discovered_where_there_is_metadata() {
    let client = "client_id = \"fhir\", client_secret = \"s\"";
    let introspection = format!("introspection = {{ endpoint = \"discover\", {client} }}");
    let jwks = "jwks_uri = \"https://idp.example.org/jwks\"";
    let read = |issuer: &str, lines: &str| {
        Config::from_toml(&file(&[(issuer, &format!("{lines}\n{introspection}"))], "")).map(drop)
    };
    read("https://idp.example.org", jwks).unwrap();
    read("urn:idp", &format!("{jwks}\ndiscovery = \"https://idp.example.org/d\"")).unwrap();
    let error = read("urn:idp", jwks).unwrap_err().to_string();
    let words = "issuers[0].introspection.endpoint: expected an https URL";
    assert!(error.contains(words), "{error}");
}

#[test]
fn two_issuers_that_are_asked_about_opaque_tokens_are_an_error() {
    let lines = |when: &str| {
        format!(
            "introspection = {{ endpoint = \"discover\", client_id = \"f\", client_secret = \"s\"{when} \
             }}"
        )
    };
    let read = |one: &str, other: &str| {
        let (one, other) = (lines(one), lines(other));
        let issuers = [("https://a.example.org", &*one), ("https://b.example.org", &*other)];
        Config::from_toml(&file(&issuers, "")).map(drop)
    };
    read("", ", when = \"always\"").unwrap();
    read(", when = \"always\"", ", when = \"always\"").unwrap();
    for when in ["", ", when = \"opaque\""] {
        let error = read("", when).unwrap_err().to_string();
        let words = "issuers[1].introspection: expected one issuer with `when = \"opaque\"`, found \
                     `https://a.example.org` and `https://b.example.org`";
        assert!(error.contains(words), "{error}");
    }
    // Both versions of an issuer of Entra are two.
    let tenant = "11111111-2222-3333-4444-555555555555";
    let entra = format!(
        "base_url = \"{BASE}\"\n[[issuers]]\nentra = {{ tenant = \"{tenant}\", client_id = \
         \"{tenant}\" }}\n{}\n",
        lines("").replace("discover", "https://idp.example.org/i")
    );
    let error = Config::from_toml(&entra).unwrap_err().to_string();
    assert!(error.contains("issuers[0].introspection: expected one issuer"), "{error}");
}

#[tokio::test]
async fn an_endpoint_may_be_at_an_allowed_origin_and_its_secret_is_warned_of() {
    let log = OperatorLog::start();
    let lines = |client: &str| {
        format!(
            "jwks_uri = \"https://idp.example.org/jwks\"\nintrospection = {{ endpoint = \
             \"http://keycloak:8080/i\", client_id = \"fhir\", {client} }}"
        )
    };
    let danger = "[danger]\nplain_http = [\"http://keycloak:8080\"]";
    let secret = lines("client_secret = \"s\"");
    assert!(Config::from_toml(&file(&[("https://idp.example.org", &secret)], "")).is_err());
    let _layer = layer(&file(&[("https://idp.example.org", &secret)], danger));
    let words = "the client secret for introspection is sent without TLS";
    assert_eq!(log.lines("WARN", words), 1, "{}", log.text());

    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.jwk");
    std::fs::write(&key, include_str!("rsa_key.json")).unwrap();
    let by_key = lines(&format!("client_key_file = \"{}\"", key.display()));
    let _layer = layer(&file(&[("https://idp.example.org", &by_key)], danger));
    assert_eq!(log.lines("WARN", words), 1, "a key is no secret that is sent");

    // Loopback is no network.
    let provider = Provider::start().await;
    let lines =
        "introspection = { endpoint = \"discover\", client_id = \"f\", client_secret = \"s\" }";
    let at_home = layer(&file(&[(&provider.url, lines)], ""));
    bearer(&at_home, OPAQUE).await;
    assert_eq!((log.lines("WARN", words), provider.times()), (1, 1));
}

#[tokio::test]
async fn time_out_and_size_are_those_of_keys() {
    let provider = Provider::start().await;
    let lines =
        "introspection = { endpoint = \"discover\", client_id = \"f\", client_secret = \"s\" }";
    let keys = "[keys]\ntimeout = \"300ms\"\nmax_bytes = 4096";
    let layer = layer(&file(&[(&provider.url, lines)], keys));
    provider.says_with(OPAQUE, json!({"padding": "x".repeat(5000)}));
    bearer(&layer, OPAQUE).await.is_unavailable();
    provider.delay(Duration::from_millis(600));
    provider.says("slow", provider.good());
    let begun = std::time::Instant::now();
    bearer(&layer, "slow").await.is_unavailable();
    assert!(begun.elapsed() < Duration::from_millis(590));
}

fn base64_of(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}
