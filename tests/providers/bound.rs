//! Tokens of oidc-provider that are bound to a key or to a certificate, and a client of another make.

use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Dpop, SenderConstraint};
use tower_fhir_auth::{FhirAuthLayer, FhirAuthLayerBuilder, TrustedIssuer, require_scope};

use crate::node::{Provider, client};
use crate::server::{BASE, Port, read};
use crate::tls::Authority;

fn builder(base: &str, provider: &Provider) -> FhirAuthLayerBuilder {
    let issuer = TrustedIssuer::discover(&provider.issuer);
    FhirAuthLayer::builder(base)
        .issuer(issuer.sender_constraint(SenderConstraint::Require))
        .authorizer(require_scope("system/Patient.rs"))
}

/// What openid-client does: gets a token for a key of its own, and reads twice.
async fn openid_client(provider: &Provider, dpop: Dpop, algorithm: &str) -> (String, Value) {
    let port = Port::open().await;
    let base = port.base.clone();
    let url = port.serve(builder(&base, provider).dpop(dpop).build().unwrap()).await;
    let arguments = json!({
        "issuer": provider.issuer, "resource": base, "client": "svc", "secret": "svc-secret",
        "scope": "system/Patient.rs", "url": url, "algorithm": algorithm,
    });
    let said = client("dpop-client.mjs", &arguments).await;
    assert_eq!(said["token_type"], "dpop", "{said}");
    assert_eq!(said["reads"], json!([[200, "svc"], [200, "svc"]]), "{said}");
    // Whoever finds the token has no proof.
    let token = said["access_token"].as_str().unwrap();
    let (status, body) = read(&url, token).await;
    assert_eq!(status, 401);
    assert!(body.contains("it was presented as a bearer token"), "{body}");
    (url, said)
}

#[tokio::test]
async fn openid_client_proves_its_key_in_each_algorithm_it_has() {
    let provider = Provider::start("oidc-provider.mjs");
    for algorithm in ["ES256", "RS256", "PS256", "Ed25519"] {
        let (_, said) = openid_client(&provider, Dpop::new(), algorithm).await;
        let statuses: Vec<&Value> = said["answers"].as_array().unwrap().iter().collect();
        assert_eq!(statuses.len(), 2, "no request had to be repeated: {said}");
    }
}

#[tokio::test]
async fn openid_client_is_told_a_nonce_and_goes_on_with_it() {
    // The provider asks for nonces of its own.
    let provider = Provider::start_with("oidc-provider.mjs", &json!({"nonce": true}));
    let (_, said) = openid_client(&provider, Dpop::new().nonce(true), "ES256").await;
    let answers = said["answers"].as_array().unwrap();
    let statuses: Vec<u64> = answers.iter().map(|one| one["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [401, 200, 200], "one nonce serves for both reads: {said}");
    assert!(answers[0]["nonce"].is_string(), "{said}");
}

#[tokio::test]
async fn a_token_that_oidc_provider_bound_to_a_certificate_serves_with_it_alone() {
    let authority = Authority::new();
    let tls = json!({"cert": authority.text("tls.pem"), "key": authority.text("tls.key")});
    let provider = Provider::start_with("oidc-provider.mjs", &json!({"tls": tls}));
    let (mine, others) = (authority.client("me"), authority.client("somebody else"));
    let form =
        [("grant_type", "client_credentials"), ("scope", "system/Patient.rs"), ("resource", BASE)];
    let request = authority.http(Some(&mine)).post(provider.mtls_token_endpoint.as_ref().unwrap());
    let request = request.form(&form).basic_auth("svc-certified", Some("svc-secret"));
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    let token = answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}"));

    let url = authority.serve(builder(BASE, &provider).build().unwrap()).await;
    for (identity, status) in [(Some(&mine), 200), (Some(&others), 401), (None, 401)] {
        let reply = authority.http(identity).get(&url).bearer_auth(token).send().await.unwrap();
        assert_eq!(reply.status().as_u16(), status);
    }
    // Nor does one that is not bound, where tokens have to be.
    let plain = provider.token().await;
    let reply = authority.http(Some(&mine)).get(&url).bearer_auth(&plain).send().await.unwrap();
    assert_eq!(reply.status().as_u16(), 401);
}
