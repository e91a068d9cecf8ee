//! Opaque tokens of oidc-provider, about which it is asked.

use std::time::Duration;

use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, require_scope};

use crate::node::Provider;
use crate::server::{BASE, forged, read, serve};

/// Opaque tokens of the provider, at a server that introspects in one way.
async fn introspected(
    provider: &Provider,
    settings: impl FnOnce(Introspection) -> Introspection,
    client: IntrospectionClient,
) {
    let settings = settings(Introspection::discover(client));
    let issuer = TrustedIssuer::discover(&provider.issuer)
        // A token of the client credentials grant has no user.
        .required_claims([""; 0])
        .introspection(settings.max_age(Duration::from_millis(500)));
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(issuer)
        .authorizer(require_scope("system/Patient.rs"))
        .build()
        .unwrap();
    let url = serve(layer.clone()).await;
    let token = provider.token().await;
    assert!(!token.contains('.'), "an opaque token");
    let health = || layer.health().remove(0).introspection.unwrap();
    assert_eq!(read(&url, &token).await, (200, "svc".to_owned()), "{:?}", health());
    let (status, body) = read(&url, &forged(&format!(".{token}"))[1..]).await;
    assert_eq!(status, 401);
    assert!(body.contains("the provider says that the token is not active"), "{body}");

    provider.revoke(&token).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(read(&url, &token).await.0, 401, "{:?}", health());
    assert!(health().reachable);
}

#[tokio::test]
async fn oidc_provider_introspects_as_json_and_signed_by_secret_and_by_key() {
    let private = include_str!("../suite/introspection/rsa_key.json");
    let mut public: Value = serde_json::from_str(private).unwrap();
    let members = public.as_object_mut().unwrap();
    members.retain(|name, _| matches!(name.as_str(), "kty" | "n" | "e"));
    members.insert("kid".to_owned(), "key".into());
    members.insert("use".to_owned(), "sig".into());
    let provider = Provider::start_with(
        "oidc-provider.mjs",
        &json!({"format": "opaque", "clientKey": public}),
    );
    let secret = || IntrospectionClient::with_secret("fhir", "fhir-secret");
    introspected(&provider, |settings| settings, secret()).await;
    introspected(&provider, Introspection::require_signed_answers, secret()).await;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.jwk");
    let mut key: Value = serde_json::from_str(private).unwrap();
    key.as_object_mut().unwrap().insert("kid".to_owned(), "key".into());
    std::fs::write(&path, key.to_string()).unwrap();
    let by_key = IntrospectionClient::with_key_file("fhir-key", &path);
    introspected(&provider, Introspection::require_signed_answers, by_key).await;

    // Without a client that the provider knows, nobody is told anything.
    let stranger = IntrospectionClient::with_secret("fhir", "wrong");
    let issuer =
        TrustedIssuer::discover(&provider.issuer).introspection(Introspection::discover(stranger));
    let builder = FhirAuthLayer::builder(BASE).issuer(issuer);
    let layer = builder.authorizer(require_scope("system/Patient.rs")).build().unwrap();
    let url = serve(layer).await;
    assert_eq!(read(&url, &provider.token().await).await.0, 503);
}
