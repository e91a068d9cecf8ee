//! `[danger] plain_http`: exact origins that may be reached without TLS, beside loopback.

use serde_json::json;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::danger::PlainHttp;
use tower_fhir_auth::{AudiencePolicy, Authenticator, FhirAuthLayer, TrustedIssuer, authenticated};

use super::provider::{DISCOVERY, JWKS, Provider, first_load, last_error, other_names};
use crate::operator_log::OperatorLog;
use crate::support::{BASE, send};

fn allowed(origin: &str) -> PlainHttp {
    PlainHttp::new([origin]).unwrap()
}

/// A layer that trusts one issuer, with this origin of plain http, once it has loaded or failed to.
async fn layer(trusted: TrustedIssuer, origin: &str) -> FhirAuthLayer {
    let builder = FhirAuthLayer::builder(BASE).issuer(trusted).plain_http(allowed(origin));
    let layer = builder.authorizer(authenticated()).build().unwrap();
    first_load(&layer).await;
    layer
}

/// A file with one issuer, these lines of it, and these at the end.
fn file(base: &str, issuer: &str, more: &str, end: &str) -> String {
    format!("base_url = \"{base}\"\n[[issuers]]\nissuer = \"{issuer}\"\n{more}\n{end}\n")
}

#[tokio::test]
async fn an_issuer_of_an_allowed_origin_is_discovered_and_its_keys_fetched_without_tls() {
    for host in other_names() {
        let provider = Provider::start(&host).await;
        let url = provider.url.as_str();
        let layer = layer(TrustedIssuer::discover(url), url).await;
        provider.token_to(&layer).await.is_let_in();
        assert_eq!((provider.accepts_of(DISCOVERY).len(), provider.accepts_of(JWKS).len()), (1, 1));

        let danger = format!("[danger]\nplain_http = [\"http://other\", \"{url}\"]");
        let config = Config::from_toml(&file(BASE, url, "", &danger)).unwrap();
        assert!(config.plain_http().allows(url), "{host}");
        let layer = config.layer(authenticated()).unwrap().build().unwrap();
        first_load(&layer).await;
        provider.token_to(&layer).await.is_let_in();

        let builder = Authenticator::builder().issuer(TrustedIssuer::discover(url));
        let builder = builder.audience(AudiencePolicy::exact([BASE])).plain_http(allowed(url));
        let authenticator = builder.build().unwrap();
        authenticator.ready().await;
    }
}

#[tokio::test]
async fn discovery_jwks_uri_and_authority_may_be_at_an_allowed_origin_and_nowhere_else() {
    for host in other_names() {
        let provider = Provider::start(&host).await;
        let url = provider.url.as_str();
        for (key, trusted) in [
            (
                format!("discovery = \"{url}{DISCOVERY}\""),
                TrustedIssuer::discover_at(url, format!("{url}{DISCOVERY}")),
            ),
            (
                format!("jwks_uri = \"{url}{JWKS}\""),
                TrustedIssuer::with_jwks_uri(url, format!("{url}{JWKS}")),
            ),
        ] {
            let with_it = layer(trusted.clone(), url).await;
            provider.token_to(&with_it).await.is_let_in();
            let other = format!("{url}0");
            let shorter = url.strip_suffix(|_: char| true).unwrap();
            for other in [other.as_str(), shorter, "http://keycloak:8080"] {
                // A port over 65535 is no origin.
                let Ok(origins) = PlainHttp::new([other]) else { continue };
                let builder = FhirAuthLayer::builder(BASE).issuer(trusted.clone());
                let builder = builder.authorizer(authenticated()).plain_http(origins);
                let error = builder.build().unwrap_err().to_string();
                assert!(error.contains("`[danger] plain_http` only"), "{other}: {error}");
                let danger = format!("[danger]\nplain_http = [\"{other}\"]");
                let error = Config::from_toml(&file(BASE, url, &key, &danger)).unwrap_err();
                let words = "expected an absolute https URL (http for loopback and";
                assert!(error.to_string().contains(words), "{other}: {error}");
            }
        }
    }
    let entra = |end: &str| {
        let tenant = "11111111-2222-3333-4444-555555555555";
        let issuer = format!(
            "entra = {{ tenant = \"{tenant}\", client_id = \"{tenant}\", authority = \
             \"http://login:8080\" }}"
        );
        Config::from_toml(&format!("base_url = \"{BASE}\"\n[[issuers]]\n{issuer}\n{end}"))
    };
    assert!(entra("").unwrap_err().to_string().contains("issuers[0].entra.authority"));
    let config = entra("[danger]\nplain_http = [\"http://login:8080\"]").unwrap();
    let _layer = config.layer(authenticated()).unwrap().build().unwrap();
}

#[tokio::test]
async fn the_base_url_may_be_at_an_allowed_origin() {
    let base = "http://fhir:8080/r4";
    let provider = Provider::start("127.0.0.1").await;
    let file = |end: &str| file(base, &provider.url, "", end);
    let error = Config::from_toml(&file("")).unwrap_err().to_string();
    assert!(error.starts_with("base_url: expected an https URL"), "{error}");
    let config = Config::from_toml(&file("[danger]\nplain_http = [\"http://fhir:8080\"]")).unwrap();
    assert_eq!(config.base_url().as_str(), base);
    let layer = config.layer(authenticated()).unwrap().build().unwrap();
    let reply = send(&layer, http::Request::get("/r4/Patient/1")).await;
    assert!(reply.challenge().contains("realm=\"http://fhir:8080/r4\""), "{}", reply.challenge());

    let builder = |origin| {
        let builder = FhirAuthLayer::builder(base).issuer(TrustedIssuer::discover(&provider.url));
        builder.authorizer(authenticated()).plain_http(allowed(origin)).build()
    };
    assert!(builder("http://fhir:8080").is_ok());
    let error = builder("http://fhir").unwrap_err().to_string();
    assert!(error.starts_with("base URL `http://fhir:8080/r4`: expected an https URL"), "{error}");
}

/// Loads from a loopback provider whose document names this key set.
async fn naming(jwks_uri: &str, origins: &PlainHttp) -> (u16, String) {
    let named = jwks_uri.to_owned();
    let provider = Provider::answering("127.0.0.1", move |path, _, good| {
        let (status, content_type, body) = good;
        if path != DISCOVERY {
            return (status, content_type, body);
        }
        let mut document: serde_json::Value = serde_json::from_str(&body).unwrap();
        document["jwks_uri"] = json!(named);
        (status, content_type, document.to_string())
    })
    .await;
    let builder = FhirAuthLayer::builder(BASE).issuer(TrustedIssuer::discover(&provider.url));
    let builder = builder.authorizer(authenticated()).plain_http(origins.clone());
    let layer = builder.build().unwrap();
    first_load(&layer).await;
    (provider.token_to(&layer).await.status.as_u16(), last_error(&layer))
}

#[tokio::test]
async fn a_document_that_names_plain_http_elsewhere_leaves_the_issuer_without_keys() {
    for host in other_names() {
        let keys = Provider::start(&host).await;
        let named = format!("{}{JWKS}", keys.url);
        for origins in [PlainHttp::default(), allowed("http://keycloak:8080")] {
            let (status, error) = naming(&named, &origins).await;
            assert_eq!(status, 503, "{host}");
            assert!(error.contains("is not allowed: expected an absolute https URL"), "{error}");
            assert!(error.contains(&named), "{error}");
        }
        assert!(keys.accepts_of(JWKS).is_empty(), "{host} was asked");
        // Its keys are other ones, which were fetched: the signature does not verify.
        let (status, error) = naming(&named, &allowed(&keys.url)).await;
        assert_eq!((status, error.as_str(), keys.accepts_of(JWKS).len()), (401, "", 1), "{host}");
    }
}

#[tokio::test]
async fn link_local_addresses_and_cloud_metadata_are_refused_wherever_a_document_names_them() {
    for named in [
        "https://169.254.169.254/latest",
        "http://169.254.169.254/latest",
        "https://[fe80::1]/jwks",
        "https://[fd00:ec2::254]/jwks",
        "https://[::ffff:169.254.169.254]/jwks",
    ] {
        let (status, error) = naming(named, &allowed("http://169.254.169.254")).await;
        assert_eq!(status, 503, "{named}");
        assert!(error.contains("a link-local or cloud metadata address"), "{named}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_of_an_allowed_origin_is_not_followed() {
    for host in other_names() {
        let provider = Provider::answering(&host, |path, _, good| {
            if path == JWKS { (302, None, String::new()) } else { good }
        })
        .await;
        let layer = layer(TrustedIssuer::discover(&provider.url), &provider.url).await;
        assert!(last_error(&layer).contains("status 302"), "{}", last_error(&layer));
        assert_eq!(provider.token_to(&layer).await.status, 503);
    }
}

#[tokio::test]
async fn each_origin_is_warned_of_at_start() {
    let log = OperatorLog::start();
    let provider = Provider::start("127.0.0.1").await;
    let danger = "[danger]\nplain_http = [\"http://keycloak:8080\", \"http://fhir\"]";
    let config = Config::from_toml(&file(BASE, &provider.url, "", danger)).unwrap();
    let _layer = config.layer(authenticated()).unwrap().build().unwrap();
    for origin in ["http://keycloak:8080", "http://fhir"] {
        assert_eq!(log.lines("WARN", &format!("origin=\"{origin}\"")), 1, "{}", log.text());
    }
    assert_eq!(log.lines("WARN", "plain http is allowed"), 2, "{}", log.text());

    let log = OperatorLog::start();
    let config = Config::from_toml(&file(BASE, &provider.url, "", "[danger]\n")).unwrap();
    let _layer = config.layer(authenticated()).unwrap().build().unwrap();
    assert_eq!(log.lines("WARN", "plain http"), 0, "{}", log.text());
}

#[test]
fn whatever_is_no_exact_origin_of_plain_http_is_an_error_of_the_file() {
    let good = "http://keycloak:8080";
    for (bad, what) in [
        ("http://keycloak:8080/", "a path"),
        ("http://keycloak/realms/fhir", "a path"),
        ("http://*.example.org", "a wildcard"),
        ("http://*", "a wildcard"),
        ("http://user:hunter2@keycloak", "a user"),
        ("http://hunter2@keycloak", "a user"),
        ("http://keycloak?x", "a query"),
        ("http://keycloak#x", "a fragment"),
        ("https://keycloak:8080", "https"),
        ("ftp://keycloak", "another scheme"),
        ("keycloak:8080", "no scheme"),
        ("http://", "no host"),
        ("http://keycloak:", "no port"),
        ("http://keycloak:99999", "no port"),
        ("http://key cloak", "a blank"),
        ("", "nothing"),
    ] {
        let danger = format!("[danger]\nplain_http = [\"{good}\", \"{bad}\"]");
        let text = file(BASE, "https://idp.example.org", "", &danger);
        let error = Config::from_toml(&text).unwrap_err().to_string();
        let words =
            "danger.plain_http[1]: expected an origin `http://host[:port]` and nothing else";
        assert!(error.starts_with(words), "{what}: {error}");
        assert!(!error.contains("hunter2"), "{what}: {error}");
        assert!(PlainHttp::new([good, bad]).is_err(), "{what}");
    }
    for (danger, words) in [
        ("danger = 5", "danger: expected a table"),
        ("danger.plain_http = \"http://x\"", "danger.plain_http: expected an array of strings"),
        ("danger.plain_http = [5]", "danger.plain_http[0]: expected a string"),
        ("danger.plain_htp = []", "danger.plain_htp: unknown key: did you mean `plain_http`?"),
        ("dangr = {}", "dangr: unknown key: did you mean `danger`?"),
    ] {
        let text = format!("{danger}\n{}", file(BASE, "https://idp.example.org", "", ""));
        let error = Config::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains(words), "{danger}: {error}");
    }
}
