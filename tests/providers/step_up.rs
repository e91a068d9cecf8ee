//! A challenge to sign in by more (RFC 9470), and an app of another make that follows it at oidc-provider.

use std::time::Duration;

use serde_json::json;
use tower_fhir_auth::authorization::StepUp;
use tower_fhir_auth::{Enforcement, FhirAuthLayer, ScopePolicy, TrustedIssuer};

use crate::node::{Provider, client};
use crate::server::Port;

#[tokio::test]
async fn openid_client_signs_in_as_the_challenge_says_and_is_let_in() {
    let provider = Provider::start("oidc-provider.mjs");
    let port = Port::open().await;
    let base = port.base.clone();
    let more = StepUp::on(["Patient.d"])
        .unwrap()
        .acr(["urn:example:mfa"])
        .max_auth_age(Duration::from_secs(300));
    let layer = FhirAuthLayer::builder(&base)
        .issuer(TrustedIssuer::discover(&provider.issuer))
        .authorizer(ScopePolicy::new())
        .step_up(more)
        .handlers_enforce(Enforcement::ALL)
        .build()
        .unwrap();
    let url = port.serve(layer).await;
    let arguments = json!({"issuer": provider.issuer, "resource": base, "url": url});
    let said = client("step-up-client.mjs", &arguments).await;
    assert_eq!(said["read"], json!({"status": 200}), "{said}");
    let refused = &said["refused"];
    assert_eq!((&refused["status"], &refused["scheme"]), (&json!(401), &json!("bearer")), "{said}");
    let parameters = &refused["parameters"];
    assert_eq!(parameters["error"], "insufficient_user_authentication", "{said}");
    assert_eq!(parameters["acr_values"], "urn:example:mfa", "{said}");
    assert_eq!(parameters["max_age"], "300", "{said}");
    assert_eq!(said["deleted"], json!({"status": 200}), "{said}");
}
