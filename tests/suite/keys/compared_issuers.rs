//! Issuers that are only compared with `iss`, since their keys come from elsewhere: that of access
//! tokens of AD FS is no address of anything, though it looks like one.

use std::path::Path;

use http::Request;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::danger::PlainHttp;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::JwkSet;
use tower_fhir_auth::{BuildError, FhirAuthLayer, TrustedIssuer, authenticated};

use super::provider::{JWKS, Provider, first_load};
use crate::support::{BASE, Reply, send};

const AD_FS: &str = "http://adfs.example.org/adfs/services/trust";

async fn get(provider: &Provider, layer: &FhirAuthLayer, iss: &str) -> Reply {
    let token = provider.issuer.token().claim("iss", iss).claim("aud", BASE).sign().unwrap();
    let request = Request::get("/r4/Patient/1").header("authorization", format!("Bearer {token}"));
    send(layer, request).await
}

/// Each way to trust an issuer whose name is only compared: by the file, and by the Rust API.
fn layers(provider: &Provider, name: &str, folder: &Path) -> Vec<(&'static str, FhirAuthLayer)> {
    let (keys, address) = (provider.issuer.jwks().to_string(), format!("{}{JWKS}", provider.url));
    let path = folder.join("keys.json");
    std::fs::write(&path, &keys).unwrap();
    let file = |source: &str| {
        let config = folder.join("auth.toml");
        let text = format!("base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{name}\"\n{source}\n");
        std::fs::write(&config, text).unwrap();
        let config = Config::from_file(&config).unwrap();
        config.layer(authenticated()).unwrap().build().unwrap()
    };
    let api = |issuer: TrustedIssuer| {
        let builder = FhirAuthLayer::builder(BASE).issuer(issuer);
        builder.authorizer(authenticated()).build().unwrap()
    };
    let fixed = JwkSet::parse(keys.as_bytes()).unwrap();
    vec![
        ("jwks_uri", file(&format!("jwks_uri = \"{address}\""))),
        ("jwks_file", file("jwks_file = \"keys.json\"")),
        ("with_jwks_uri", api(TrustedIssuer::with_jwks_uri(name, address))),
        ("with_jwks_file", api(TrustedIssuer::with_jwks_file(name, path))),
        ("with_keys", api(TrustedIssuer::with_keys(name, fixed))),
    ]
}

#[tokio::test]
async fn an_issuer_of_ad_fs_is_compared_exactly_and_needs_no_https() {
    let provider = Provider::start("127.0.0.1").await;
    let folder = tempfile::tempdir().unwrap();
    for (way, layer) in layers(&provider, AD_FS, folder.path()) {
        layer.ready().await;
        assert_eq!(get(&provider, &layer, AD_FS).await.is_let_in().issuer(), AD_FS, "{way}");
        for other in [
            "https://adfs.example.org/adfs/services/trust",
            "http://adfs.example.org/adfs/services/trust/",
            "http://adfs.example.org:80/adfs/services/trust",
            "http://ADFS.example.org/adfs/services/trust",
            "http://adfs.example.org/adfs",
        ] {
            get(&provider, &layer, other).await.is_refused_by(Check::Issuer, "`iss`");
        }
    }
}

#[tokio::test]
async fn an_issuer_that_is_only_compared_may_be_any_text_of_1_to_512_characters() {
    let provider = Provider::start("127.0.0.1").await;
    let folder = tempfile::tempdir().unwrap();
    let long = "\u{e9}".repeat(512);
    for name in ["x", "AD FS of the hospital", "urn:federation:adfs", "https://h?a=b#c", &long] {
        for (way, layer) in layers(&provider, name, folder.path()) {
            layer.ready().await;
            assert_eq!(get(&provider, &layer, name).await.is_let_in().issuer(), name, "{way}");
        }
    }
    for bad in ["", "a\nb", "a\u{7f}", &format!("{long}x")] {
        let address = format!("{}{JWKS}", provider.url);
        let builder =
            FhirAuthLayer::builder(BASE).issuer(TrustedIssuer::with_jwks_uri(bad, address));
        let error = builder.authorizer(authenticated()).build().unwrap_err();
        assert!(matches!(error, BuildError::IssuerName(_)), "{bad:?}: {error}");
    }
}

#[tokio::test]
async fn nothing_is_fetched_from_an_issuer_that_is_only_compared() {
    let provider = Provider::start("127.0.0.1").await;
    let folder = tempfile::tempdir().unwrap();
    // If it were asked for anything, it would answer.
    let name = format!("{}/adfs/services/trust", provider.url);
    for (way, layer) in layers(&provider, &name, folder.path()) {
        first_load(&layer).await;
        assert_eq!(get(&provider, &layer, &name).await.is_let_in().issuer(), name, "{way}");
    }
    let asked = provider.paths();
    assert!(asked.iter().all(|path| path == JWKS), "{asked:?}");
}

#[tokio::test]
async fn an_issuer_of_ad_fs_that_is_to_be_discovered_is_an_error_as_is_any_without_tls() {
    let address = "https://adfs.example.org/adfs/.well-known/openid-configuration";
    for (more, trusted) in [
        (String::new(), TrustedIssuer::discover(AD_FS)),
        (format!("discovery = \"{address}\""), TrustedIssuer::discover_at(AD_FS, address)),
    ] {
        let file = |end: &str| {
            Config::from_toml(&format!(
                "base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{AD_FS}\"\n{more}\n{end}\n"
            ))
        };
        let error = file("").unwrap_err().to_string();
        assert!(error.starts_with("issuers[0].issuer: expected an https URL"), "{more}: {error}");
        let builder = || {
            let builder = FhirAuthLayer::builder(BASE).issuer(trusted.clone());
            builder.authorizer(authenticated())
        };
        let error = builder().build().unwrap_err();
        assert!(matches!(error, BuildError::Issuer(_)), "{more}: {error}");
        // The operator may say that its origin needs no TLS.
        file("[danger]\nplain_http = [\"http://adfs.example.org\"]").unwrap();
        let origins = PlainHttp::new(["http://adfs.example.org"]).unwrap();
        let _layer = builder().plain_http(origins).build().unwrap();
    }
}

#[tokio::test]
async fn an_issuer_of_ad_fs_is_not_listed_as_an_authorization_server() {
    let provider = Provider::start("127.0.0.1").await;
    let folder = tempfile::tempdir().unwrap();
    for (way, layer) in layers(&provider, AD_FS, folder.path()) {
        let path = "/.well-known/oauth-protected-resource/r4";
        let reply = send(&layer, Request::get(path)).await;
        assert_eq!(reply.status, 200, "{way}");
        assert!(!reply.body.contains("authorization_servers"), "{way}: {}", reply.body);
    }
}
