//! Keys over HTTPS from a provider whose certificate only an own certificate authority vouches for.
//! `SSL_CERT_FILE` has its test with the examples: it is read by a process of its own.

use std::path::Path;

use http::Request;
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::{BuildError, FhirAuthLayer, TrustedIssuer, authenticated};

use super::provider::{last_error, loaded};
use super::tls_provider::TlsProvider;
use crate::support::{BASE, send};

async fn status(provider: &TlsProvider, layer: &FhirAuthLayer) -> u16 {
    let token = provider.issuer.token().claim("iss", provider.url.as_str()).claim("aud", BASE);
    let bearer = format!("Bearer {}", token.sign().unwrap());
    let request = Request::get("/r4/Patient/1").header("authorization", bearer);
    send(layer, request).await.status.as_u16()
}

fn with(files: &[&Path]) -> KeySettings {
    files.iter().fold(KeySettings::default(), |settings, file| settings.ca_file(file))
}

#[tokio::test]
async fn keys_load_from_a_provider_of_an_own_authority_with_its_file_and_not_without() {
    let (provider, other) = (TlsProvider::start().await, TlsProvider::start().await);
    let folder = tempfile::tempdir().unwrap();
    let [own, others, both] = ["own.pem", "other.pem", "both.pem"].map(|n| folder.path().join(n));
    std::fs::write(&own, &provider.authority).unwrap();
    std::fs::write(&others, &other.authority).unwrap();
    let comment = "# Two authorities\n";
    std::fs::write(&both, format!("{comment}{}{}", other.authority, provider.authority)).unwrap();
    for (files, expected) in [
        (vec![&own], 200),
        (vec![&both], 200),
        (vec![&others, &own], 200),
        (vec![], 503),
        (vec![&others], 503),
    ] {
        let files: Vec<&Path> = files.into_iter().map(AsRef::as_ref).collect();
        for trusted in [
            TrustedIssuer::discover(&provider.url),
            TrustedIssuer::with_jwks_uri(&provider.url, format!("{}/jwks", provider.url)),
        ] {
            let layer = loaded(trusted, with(&files)).await;
            assert_eq!(status(&provider, &layer).await, expected, "{files:?}");
            let error = last_error(&layer);
            assert_eq!(error.contains("certificate"), expected == 503, "{files:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_file_of_authorities_that_is_missing_or_broken_is_an_error_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let build = || {
        let issuer =
            TrustedIssuer::discover("https://idp.example.org").key_settings(with(&[&path]));
        let builder = FhirAuthLayer::builder(BASE).issuer(issuer);
        builder.authorizer(authenticated()).build().unwrap_err()
    };
    let begin = "-----BEGIN CERTIFICATE-----\n";
    let end = "\n-----END CERTIFICATE-----\n";
    for (text, words) in [
        (None, "No such file"),
        (Some(String::new()), "at least one certificate in PEM"),
        (Some("no PEM at all".to_owned()), "at least one certificate in PEM"),
        (Some(format!("{begin}!!!!{end}")), "certificate"),
        (Some(format!("{begin}AAAA{end}")), "certificate"),
        (Some(format!("{begin}AAAA")), "certificate"),
        (
            Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned()),
            "at least one certificate in PEM",
        ),
    ] {
        if let Some(text) = &text {
            std::fs::write(&path, text).unwrap();
        }
        let error = build();
        assert!(matches!(error, BuildError::CertificateFile { .. }), "{text:?}: {error:?}");
        let told = error.to_string();
        assert!(told.contains(&path.display().to_string()), "{text:?}: {told}");
        assert!(told.contains(words), "{text:?}: no `{words}` in {told}");
    }
}
