//! The patient of a token: by its user, or by what was launched.

use serde_json::json;
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::smart::Permissions;
use tower_fhir_auth::test_util::TestCaller;
use tower_fhir_auth::{Enforcement, ScopePolicy};

use super::confinement::ask;
use super::resources::server;
use crate::support::{BASE, Server};

/// `user/` scopes are the user's own rights: a patient's are those of a patient.
#[tokio::test]
async fn user_scopes_confine_a_patient_and_the_relatives_of_one() {
    let server = server().await;
    for (user, patient, expected) in [
        (json!(null), json!(null), Ok("-")),
        (json!("Practitioner/p"), json!(null), Ok("-")),
        (json!("Practitioner/p"), json!("1"), Ok("-")),
        (json!(format!("{BASE}/PractitionerRole/p")), json!(null), Ok("-")),
        (json!("Patient/2"), json!(null), Ok("2")),
        (json!("Patient/2"), json!("1"), Ok("1")),
        (json!(format!("{BASE}/Patient/2")), json!(null), Ok("2")),
        (json!("RelatedPerson/r"), json!("1"), Ok("1")),
        (json!("Person/r"), json!("Patient/1"), Ok("1")),
        (json!("RelatedPerson/r"), json!(null), Err("`patient` is missing")),
        (json!("Person/r"), json!(["1"]), Err("is not the id")),
        (json!("Patient/2"), json!(["1"]), Err("is not the id")),
        (json!(["Patient/2"]), json!("1"), Err("`fhirUser` is not a string")),
        (json!({"reference": "Patient/2"}), json!("1"), Err("`fhirUser` is not a string")),
        (json!("https://other.example.org/Patient/2"), json!("1"), Err("names nobody")),
        (json!("Patient/2/_history/1"), json!("1"), Err("names nobody")),
        (json!("somebody"), json!("1"), Err("names nobody")),
        (json!("Organization/o"), json!("1"), Err("of a type that no user has")),
        (json!("Device/d"), json!("1"), Err("of a type that no user has")),
    ] {
        let token = server.token().claim("scope", "user/Observation.rs");
        let token = token.claim("fhirUser", user.clone()).claim("patient", patient.clone());
        let request = http::Request::get("/r4/Observation/1");
        let bearer = format!("Bearer {}", token.sign().unwrap());
        let reply = server.send(request.header("authorization", bearer)).await;
        match expected {
            Ok(expected) => {
                let access = reply.access.unwrap_or_else(|| panic!("{user}: {}", reply.body));
                let filter = access.may(Permissions::READ, "Observation");
                let mut patients = filter.confinement().sets().flatten();
                let found = patients.next().and_then(|one| one.patient()).unwrap_or("-");
                assert_eq!(found, expected, "{user} {patient}");
            }
            Err(words) => {
                assert_eq!(reply.status, 403, "{user} {patient}");
                assert!(reply.body.contains(words), "{user} {patient}: {}", reply.body);
                let asked = reply.rejection.unwrap().required_scope();
                let unreadable = words.contains("fhirUser")
                    || words.contains("nobody")
                    || words.contains("type");
                let expected = (!unreadable).then_some("launch/patient user/Observation.rs");
                assert_eq!(asked.as_deref(), expected, "{user} {patient}");
            }
        }
        // An application by itself is nobody's.
        let reply =
            ask(&server, "system/Observation.rs", json!("1"), "GET", "/Observation/1").await;
        assert_eq!(reply.status, 200);
    }
}

#[tokio::test]
async fn launch_contexts_that_disagree_are_no_launch_context() {
    let rules = |issuer: tower_fhir_auth::TrustedIssuer| {
        issuer.patient_claims(["patient", "ctx.patient", "launch_patient"])
    };
    let settings = |layer: tower_fhir_auth::FhirAuthLayerBuilder| {
        layer.authorizer(ScopePolicy::new()).handlers_enforce(Enforcement::ALL)
    };
    let server = Server::build(Algorithm::Es256, rules, settings).await;
    for (one, other, expected) in [
        (json!("1"), json!("1"), 200),
        (json!("1"), json!("Patient/1"), 200),
        (json!("1"), json!(null), 200),
        (json!(null), json!("1"), 200),
        (json!("1"), json!("2"), 403),
        (json!("1"), json!(["1"]), 403),
        (json!("1"), json!(""), 403),
    ] {
        let token = server.token().claim("scope", "patient/Observation.r");
        let token = token.claim("patient", one.clone()).claim("launch_patient", other.clone());
        let bearer = format!("Bearer {}", token.sign().unwrap());
        let request = http::Request::get("/r4/Observation/1").header("authorization", bearer);
        let reply = server.send(request).await;
        assert_eq!(reply.status.as_u16(), expected, "{one} {other}: {}", reply.body);
    }
}

/// The launch context goes before the user.
#[test]
fn the_patient_of_a_token_is_one_of_this_base_or_none() {
    let base: BaseUrl = BASE.parse().unwrap();
    for (user, patient, expected) in [
        (json!("Patient/7"), json!(null), Some("7")),
        (json!(format!("{BASE}/Patient/7")), json!(null), Some("7")),
        (json!("Patient/7"), json!("1"), Some("1")),
        (json!("Practitioner/p"), json!("Patient/1"), Some("1")),
        (json!(null), json!("1"), Some("1")),
        (json!(null), json!(null), None),
        (json!("Practitioner/p"), json!(null), None),
        (json!("RelatedPerson/r"), json!(null), None),
        (json!("https://other.example.org/Patient/7"), json!(null), None),
        (json!(["Patient/7"]), json!(null), None),
        (json!("Patient/7"), json!(["1"]), None),
        (json!("Patient/7"), json!("https://other.example.org/Patient/1"), None),
    ] {
        let caller = TestCaller::new().claim("fhirUser", user.clone());
        let caller = caller.claim("patient", patient.clone()).principal().unwrap();
        assert_eq!(caller.patient_id(&base).as_deref(), expected, "{user} {patient}");
    }
}
