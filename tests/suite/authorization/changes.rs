//! Changes that `Access` lets a handler make.

use serde_json::{Value, json};
use tower_fhir_auth::authorization::StoreError;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::{Denial, Enforcement, Grant, ScopePolicy, Visibility, authorize_fn};

use super::confinement::{ask, granted};
use super::resources::{OWN, observation, of_patient, of_patients, own, server};
use crate::support::{BASE, Server};

/// How a change ends, as a status.
fn status(result: &Result<(), StoreError>) -> u16 {
    match result {
        Ok(()) => 200,
        Err(StoreError::Denied(_)) => 403,
        Err(_) => 404,
    }
}

/// Finding: a confined token wrote about others, as soon as it had a part in it.
#[tokio::test]
async fn a_confined_write_is_about_the_patient_and_no_other() {
    let server = server().await;
    for (resource, expected, words) in [
        (observation("Patient/1"), 200, ""),
        (observation(&format!("{BASE}/Patient/1")), 200, ""),
        (observation("Patient/2"), 403, "`subject` of the resource names another patient"),
        (observation("Patient/nobody"), 403, "names another patient"),
        (observation("https://other.example.org/Patient/1"), 403, "names another patient"),
        (observation("Patient?identifier=1"), 403, "not a plain reference"),
        (observation("urn:uuid:1"), 403, "not a plain reference"),
        (observation("#p"), 403, "not a plain reference"),
        (
            json!({"resourceType": "Observation", "subject": {"identifier": {"value": "1"}}}),
            403,
            "not a plain reference",
        ),
        (
            json!({"resourceType": "Procedure", "subject": {"reference": "Patient/1"},
                "performer": [[{"actor": {"reference": "Patient/2"}}]]}),
            403,
            "not a plain reference",
        ),
        (
            json!({"resourceType": "Observation", "subject": {"reference": "Patient/1"},
                "performer": [{"type": "Patient", "display": "another"}]}),
            403,
            "not a plain reference",
        ),
        (json!({"resourceType": "Observation"}), 403, "not about the patient"),
        (
            json!({"resourceType": "Observation", "subject": {"reference": "Patient/1"},
                "performer": [{"reference": "Practitioner/p"}, {"display": "somebody"}]}),
            200,
            "",
        ),
        (
            json!({"resourceType": "Observation", "subject": {"reference": "Patient/1"},
                "performer": [{"reference": "Patient/2"}]}),
            403,
            "`performer` of the resource names another patient",
        ),
        (
            json!({"resourceType": "Observation", "subject": {"reference": "Patient/2"},
                "performer": [{"reference": "Patient/1"}]}),
            403,
            "names another patient",
        ),
        (
            json!({"resourceType": "Observation", "performer": [{"reference": "Patient/1"}]}),
            403,
            "not about the patient",
        ),
        (
            json!({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/1"},
                "recorder": {"reference": "Patient/2"}}),
            403,
            "`recorder`",
        ),
        (
            json!({"resourceType": "AllergyIntolerance", "patient": {"reference": "Patient/2"},
                "recorder": {"reference": "Patient/1"}}),
            403,
            "another",
        ),
        (
            json!({"resourceType": "Condition", "subject": {"reference": "Patient/2"},
                "asserter": {"reference": "Patient/1"}}),
            403,
            "another",
        ),
        (
            json!({"resourceType": "DocumentReference", "subject": {"reference": "Patient/2"},
                "author": [{"reference": "Patient/1"}]}),
            403,
            "another",
        ),
        (
            json!({"resourceType": "Procedure", "subject": {"reference": "Patient/2"},
                "performer": [{"actor": {"reference": "Patient/1"}}]}),
            403,
            "another",
        ),
        (json!({"resourceType": "Schedule", "actor": [{"reference": "Patient/1"}]}), 200, ""),
        (of_patient("Device", "patient", "Patient/1"), 200, ""),
        (of_patient("Device", "patient", "Patient/2"), 403, "another"),
        (json!({"resourceType": "Device"}), 403, "not about"),
    ] {
        let uri = format!("/{}", resource["resourceType"].as_str().unwrap());
        let create = own(&server, "POST", &uri).await;
        let result = create.may_store(None, Some(&resource));
        let why = match &result {
            Err(StoreError::Denied(denial)) => denial.summary().to_owned(),
            _ => String::new(),
        };
        assert_eq!(status(&result), expected, "{resource}");
        assert!(why.contains(words), "{resource}: {why}");
    }
}

#[tokio::test]
async fn some_types_are_never_written_by_a_patient() {
    let server = server().await;
    for (resource, expected) in [
        // Seen, and so refused; what is not seen is not there.
        (json!({"resourceType": "Organization", "id": "x"}), 403),
        (of_patient("AuditEvent", "x", "Patient/1"), 404),
        (
            json!({"resourceType": "AuditEvent", "id": "x",
                "agent": [{"who": {"reference": "Patient/1"}}]}),
            403,
        ),
        (
            json!({"resourceType": "Person", "id": "x",
                "link": [{"target": {"reference": "Patient/1"}}]}),
            403,
        ),
        (
            json!({"resourceType": "Group", "id": "x",
                "member": [{"entity": {"reference": "Patient/1"}}]}),
            404,
        ),
        (json!({"resourceType": "Questionnaire", "id": "x"}), 404),
    ] {
        let uri = format!("/{}/x", resource["resourceType"].as_str().unwrap());
        let update = own(&server, "PUT", &uri).await;
        let delete = own(&server, "DELETE", &uri).await;
        let changed = update.may_store(Some(&resource), Some(&resource));
        assert_eq!(status(&changed), expected, "{resource}");
        assert_eq!(status(&delete.may_store(Some(&resource), None)), expected, "{resource}");
    }
    for name in ["Organization", "Provenance", "AuditEvent", "Group", "Person", "Questionnaire"] {
        let reply = ask(&server, OWN, json!("1"), "POST", &format!("/{name}")).await;
        assert_eq!(reply.status, 403, "{name}");
    }
    // A Provenance is refused to those who may see it, which only the store can tell.
    let provenance = json!({"resourceType": "Provenance", "id": "x",
        "target": [{"reference": "Patient/1"}]});
    let update = own(&server, "PUT", "/Provenance/x").await;
    match update.may_store(Some(&provenance), Some(&provenance)) {
        Err(StoreError::DeniedIfShown(denial, targets)) => {
            assert!(denial.summary().contains("Provenance"), "{denial}");
            assert_eq!(targets.len(), 1);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_change_is_judged_before_and_after() {
    let server = server().await;
    let update = own(&server, "PUT", "/Observation/x").await;
    let (mine, others) = (observation("Patient/1"), observation("Patient/2"));
    let mut seen = observation("Patient/2");
    seen["performer"] = json!([{"reference": "Patient/1"}]);
    for (before, after, expected) in [
        (Some(&mine), Some(&mine), 200),
        (Some(&mine), Some(&others), 403),
        (Some(&others), Some(&mine), 404),
        (Some(&others), Some(&others), 404),
        (Some(&seen), Some(&mine), 403),
        // What does not exist looks like what is hidden, so that nothing is created by `PUT`.
        (None, Some(&mine), 404),
        (None, Some(&others), 404),
        (Some(&mine), None, 200),
    ] {
        assert_eq!(status(&update.may_store(before, after)), expected, "{before:?} {after:?}");
    }
    let mut renamed = mine.clone();
    renamed["id"] = "y".into();
    assert_eq!(status(&update.may_store(Some(&mine), Some(&renamed))), 403);
    // Nor may the body be of another type than the address, or none at all.
    let device = of_patient("Device", "patient", "Patient/1");
    let create = own(&server, "POST", "/Observation").await;
    assert_eq!(status(&create.may_store(None, Some(&device))), 403);
    assert_eq!(status(&create.may_store(None::<&Value>, None)), 403);
    let read = own(&server, "GET", "/Observation/x").await;
    assert_eq!(status(&read.may_store(Some(&mine), Some(&mine))), 403, "a read changes nothing");
    let conditional = own(&server, "PUT", "/Observation?code=x").await;
    assert_eq!(status(&conditional.may_store(None, Some(&mine))), 200, "it creates");
    let patch = own(&server, "PATCH", "/Observation?code=x").await;
    assert_eq!(status(&patch.may_store(None, Some(&mine))), 404);
    let everybody = granted(&server, "user/*.cruds", "PUT", "/Observation/x").await;
    assert_eq!(status(&everybody.may_store(None, Some(&others))), 200, "not confined");
    let reads = granted(&server, "user/*.rs patient/*.u", "PUT", "/Observation/x").await;
    assert_eq!(status(&reads.may_store(Some(&others), Some(&others))), 404, "letter by letter");
}

#[tokio::test]
async fn a_patient_changes_its_own_record_and_leaves_its_links() {
    let server = server().await;
    let update = own(&server, "PUT", "/Patient/1").await;
    let patient = json!({"resourceType": "Patient", "id": "1",
        "link": [{"other": {"reference": "Patient/2"}, "type": "seealso"}]});
    let mut renamed = patient.clone();
    renamed["name"] = json!([{"family": "x"}]);
    assert_eq!(status(&update.may_store(Some(&patient), Some(&renamed))), 200);
    let mut linked = patient.clone();
    linked["link"] = json!([]);
    assert_eq!(status(&update.may_store(Some(&patient), Some(&linked))), 403);
    let reply = ask(&server, OWN, json!("1"), "POST", "/Patient").await;
    assert_eq!(reply.status, 403);
    assert!(reply.body.contains("cannot create a Patient"), "{}", reply.body);
    // Nor by an update that finds none.
    let conditional = own(&server, "PUT", "/Patient?identifier=x").await;
    let created = json!({"resourceType": "Patient", "id": "1"});
    assert_eq!(status(&conditional.may_store(None, Some(&created))), 403);
}

/// A rule of one's own that grants the address grants no change of what is of the type.
#[tokio::test]
async fn a_change_takes_the_right_to_it_on_the_type() {
    let rule = authorize_fn(|request| match request.interaction().id() {
        Some("x") => Ok(Grant::by("x alone")),
        _ => Err(Denial::new("x alone")),
    });
    let server = Server::enforcing(Enforcement::ALL, rule).await;
    let update = own(&server, "PUT", "/Observation/x").await;
    let mine = observation("Patient/1");
    assert_eq!(status(&update.may_store(Some(&mine), Some(&mine))), 403);
}

/// A change is made where one alternative allows it, and refused by the one that comes nearest.
#[tokio::test]
async fn a_change_is_judged_by_each_alternative() {
    let mut seen = observation("Patient/2");
    seen["performer"] = json!([{"reference": "Patient/1"}]);
    for (patients, resource, expected) in [
        (&["1", "2"][..], observation("Patient/1"), 200),
        (&["1", "2"], observation("Patient/2"), 200),
        (&["1", "2"], observation("Patient/3"), 404),
        (&["1", "3"], seen.clone(), 403),
        (&["0", "1"], seen, 403),
    ] {
        let server = Server::enforcing(Enforcement::ALL, of_patients(patients)).await;
        let update = own(&server, "PUT", "/Observation/x").await;
        let stored = update.may_store(Some(&resource), Some(&resource));
        assert_eq!(status(&stored), expected, "{patients:?} {resource}");
    }
}

#[tokio::test]
async fn a_constraint_holds_before_and_after_a_change() {
    #[derive(Debug)]
    struct ByStatus;
    impl tower_fhir_auth::authorization::ConstraintMatcher for ByStatus {
        fn supports(&self, _: &str, parameter: &str) -> bool {
            parameter == "status"
        }
        fn matches(&self, resource: &Value, _: &str, value: &str) -> bool {
            resource["status"] == value
        }
    }
    let settings = |layer: tower_fhir_auth::FhirAuthLayerBuilder| {
        let layer = layer.authorizer(ScopePolicy::new()).handlers_enforce(Enforcement::ALL);
        layer.constraint_matcher(ByStatus)
    };
    let server = Server::build(Algorithm::Es256, |issuer| issuer, settings).await;
    let of = |status: &str| json!({"resourceType": "Observation", "id": "x", "status": status});
    let access = granted(&server, "user/*.cruds?status=final", "PUT", "/Observation/x").await;
    for (before, after, expected) in [
        (Some(of("final")), Some(of("final")), 200),
        (Some(of("final")), Some(of("draft")), 403),
        (Some(of("draft")), Some(of("final")), 404),
        (None, Some(of("final")), 404),
    ] {
        let found = access.may_store(before.as_ref(), after.as_ref());
        assert_eq!(status(&found), expected, "{before:?} {after:?}");
    }
    assert_eq!(access.may_show(&of("final")), Visibility::Shown);
    assert_eq!(access.may_show(&of("draft")), Visibility::Hidden);
    let create = granted(&server, "user/*.c?status=final", "POST", "/Observation").await;
    assert_eq!(status(&create.may_store(None, Some(&of("final")))), 200);
    assert_eq!(status(&create.may_store(None, Some(&of("draft")))), 403);
    // Both at once: one's own, and final.
    let both = granted(&server, "patient/*.r?status=final", "GET", "/Observation/x").await;
    let mut mine = of("final");
    assert_eq!(both.may_show(&mine), Visibility::Hidden);
    mine["subject"] = json!({"reference": "Patient/1"});
    assert_eq!(both.may_show(&mine), Visibility::Shown);
    // One's own, and one of two.
    let scope = "patient/*.u?status=draft patient/*.u?status=final";
    let either = granted(&server, scope, "PUT", "/Observation/x").await;
    let mut amended = mine.clone();
    amended["status"] = "amended".into();
    for (before, after, expected) in [
        (&mine, &mine, 200),
        (&mine, &amended, 403),
        (&amended, &mine, 404),
        (&of("final"), &of("final"), 404),
    ] {
        let found = either.may_store(Some(before), Some(after));
        assert_eq!(status(&found), expected, "{before} {after}");
    }
}
