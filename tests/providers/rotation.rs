//! Discovery, token, request, key rotation, request.

use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, require_scope};

use crate::node::Provider;
use crate::server::{BASE, forged, read, serve};

async fn discovery_token_request_rotation_request(script: &str) {
    let mut provider = Provider::start(script);
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::discover(&provider.issuer))
        .authorizer(require_scope("system/Patient.rs"))
        .build()
        .unwrap();
    let url = serve(layer.clone()).await;

    let before = provider.token().await;
    assert_eq!(read(&url, &before).await, (200, "svc".to_owned()));
    let (status, body) = read(&url, &forged(&before)).await;
    assert_eq!(status, 401);
    assert!(body.contains("the signature does not verify"), "{body}");

    let keys = layer.health().remove(0).keys;
    provider.rotate();
    // A provider that signs with its keys in turn comes to the new one with the second token.
    for _ in 0..2 {
        let after = provider.token().await;
        assert_eq!(read(&url, &after).await, (200, "svc".to_owned()));
    }
    assert_eq!(read(&url, &before).await, (200, "svc".to_owned()), "the old key is published yet");
    let health = layer.health().remove(0);
    assert_eq!(health.keys, keys + 1, "{health:?}");
    assert_eq!(health.loads, 2, "one at the start, one for the unknown key: {health:?}");
}

#[tokio::test]
async fn oidc_provider() {
    discovery_token_request_rotation_request("oidc-provider.mjs").await;
}

#[tokio::test]
async fn oauth2_mock_server() {
    discovery_token_request_rotation_request("oauth2-mock-server.mjs").await;
}
