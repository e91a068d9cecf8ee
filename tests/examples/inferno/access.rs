//! The part of (g)(10) about tokens: who gets in, and to which types.

use serde_json::{Value, json};

use super::{RECORDS, SHARED, Stand, asked, encoded};

/// The first search that the kit makes of each type with a patient.
fn first_searches() -> Vec<(&'static str, String)> {
    let mut first: Vec<(&'static str, String)> = Vec::new();
    for row in asked(include_str!("searches.txt")) {
        let is_of_patient = row.parameters.contains(&"patient") || row.resource_type == "Patient";
        let is_known = first.iter().any(|(name, _)| *name == row.resource_type);
        if let Some(query) = row.query().filter(|_| is_of_patient && !is_known) {
            first.push((row.resource_type, encoded(&query)));
        }
    }
    first
}

/// `g10_unauthorized_access`: a read without a token is 401.
#[tokio::test]
async fn a_read_without_a_token_is_401() {
    let stand = Stand::start().await;
    let url = stand.fhir.server.url("/Patient/own");
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.status().as_u16(), 401);
    assert!(response.headers().contains_key("www-authenticate"));
}

/// `g10_patient_context`, `g10_encounter_context*`: what the launch names is read with the token of the
/// launch. `smart_openid_fhir_user_claim` reads the user.
#[tokio::test]
async fn the_context_of_a_launch_is_read_with_its_token() {
    let stand = Stand::start().await;
    for (scopes, path) in [
        ("launch/patient patient/Patient.rs", "/Patient/own"),
        ("launch/patient patient/Patient.read", "/Patient/own"),
        ("launch patient/Encounter.rs", "/Encounter/own"),
        ("openid fhirUser user/Practitioner.rs", "/Practitioner/shared"),
    ] {
        let token = stand.fhir.token_with(json!({
            "scope": scopes, "patient": "own", "encounter": "own", "fhirUser": "Practitioner/shared",
        }));
        let reply = stand.get(&token, path).await;
        assert_eq!(reply.status, 200, "{path}: {}", reply.text);
        assert_eq!(reply.body["id"], path.rsplit('/').next().unwrap());
    }
}

/// `g10_*_unrestricted_access`, `g10_medication_request_access`: each type that the scopes name is searched, whatever way they are written.
#[tokio::test]
async fn each_type_that_was_granted_is_searched() {
    let stand = Stand::start().await;
    let searches = first_searches();
    assert!(searches.len() >= 19, "{searches:?}");
    for (name, query) in searches {
        for scopes in [
            "patient/*.rs".to_owned(),
            format!("patient/{name}.rs"),
            format!("patient/{name}.read"),
        ] {
            let token = stand.patient(&scopes);
            let reply = stand.get(&token, &format!("/{name}?{query}")).await;
            assert_eq!(
                (reply.status, reply.body["total"].as_u64()),
                (200, reply.body["total"].as_u64())
            );
            assert!(reply.body["total"].as_u64() > Some(0), "{scopes}: {}", reply.text);
        }
    }
}

/// `g10_*_restricted_access`: of the types that a patient did not choose nothing is shown, with 403.
#[tokio::test]
async fn each_type_that_was_not_granted_is_403() {
    let stand = Stand::start().await;
    let token = stand.patient("patient/Patient.rs patient/Condition.rs patient/Observation.rs");
    let chosen = ["Patient", "Condition", "Observation"];
    for (name, query) in first_searches() {
        let reply = stand.get(&token, &format!("/{name}?{query}")).await;
        let status = if chosen.contains(&name) { 200 } else { 403 };
        assert_eq!(reply.status, status, "{name}: {}", reply.text);
        if status == 403 {
            assert!(reply.header("www-authenticate").contains("insufficient_scope"), "{name}");
            assert_eq!(reply.code(), "forbidden", "{name}");
        }
    }
}

/// `g10_patient_scope`: patient scopes in an EHR launch show one patient, whichever type is asked for.
#[tokio::test]
async fn patient_scopes_show_nothing_of_another_patient() {
    let stand = Stand::start().await;
    let token = stand.patient("launch patient/*.rs");
    for name in RECORDS.keys().filter(|name| !SHARED.contains(&name.as_str())) {
        let id = if name == "Observation" { "other-heart-rate" } else { "other" };
        let status = if name == "Patient" { 403 } else { 404 };
        let read = stand.get(&token, &format!("/{name}/{id}")).await;
        assert_eq!(read.status, status, "{name}: {}", read.text);
        let all = stand.get(&token, &format!("/{name}?_count=1000")).await;
        assert_eq!(all.status, 200, "{name}: {}", all.text);
        assert!(
            all.names().iter().all(|name| !name.contains("/other")),
            "{name}: {:?}",
            all.names()
        );
    }
}

/// `us_core_v700_*_validation_test` needs what a server sends to be what was stored, each decimal digit of it.
#[tokio::test]
async fn a_resource_is_sent_as_it_was_stored() {
    let stand = Stand::start().await;
    let token = stand.service("system/*.rs");
    for resource in super::records() {
        let (name, id) = (&resource["resourceType"], &resource["id"]);
        let path = format!("/{}/{}", name.as_str().unwrap(), id.as_str().unwrap());
        let Value::Object(mut sent) = stand.get(&token, &path).await.body else { panic!("{path}") };
        assert!(sent.remove("meta").is_some(), "{path}: no version");
        assert_eq!(Value::Object(sent), resource, "{path}");
    }
}
