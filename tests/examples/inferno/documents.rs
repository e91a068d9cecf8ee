//! Documents that everybody may read.

use serde_json::Value;

use super::Stand;

/// `us_core_conformance_support`, `us_core_fhir_version`, `us_core_json_support`, `smart_cors_metadata_request`.
#[tokio::test]
async fn metadata_are_a_capability_statement_of_r4_in_json_without_a_token() {
    let stand = Stand::start().await;
    let request = reqwest::Client::new().get(stand.fhir.server.url("/metadata"));
    let response = request.header("origin", "https://app.example").send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let statement: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(statement["resourceType"], "CapabilityStatement");
    assert_eq!(statement["fhirVersion"], "4.0.1");
    assert!(statement["format"].as_array().unwrap().contains(&"json".into()));
}

/// `smart_cors_well_known_endpoint`, `smart_cors_openid_fhir_user_claim`: answers and refusals may be read by
/// scripts of any origin.
#[tokio::test]
async fn scripts_of_any_origin_read_the_documents_and_the_answers() {
    let stand = Stand::start().await;
    let token = stand.patient("openid fhirUser patient/*.rs");
    for (path, token, status) in [
        ("/.well-known/smart-configuration", None, 200),
        ("/Patient/own", Some(&token), 200),
        ("/Patient/own", None, 401),
        ("/Patient/other", Some(&token), 403),
    ] {
        let mut request = reqwest::Client::new().get(stand.fhir.server.url(path));
        request = request.header("origin", "https://app.example");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path}");
        let allowed = response.headers()["access-control-allow-origin"].to_str().unwrap();
        assert!(matches!(allowed, "*" | "https://app.example"), "{path}: {allowed}");
    }
}
