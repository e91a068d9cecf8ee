//! What `Access` says of resources: which may be shown, and which changes may be made.

use serde_json::{Value, json};
use tower_fhir_auth::authorization::{Alternative, Alternatives, Answer, StoreError};
use tower_fhir_auth::fhir::{PatientCompartment, ResourceReference};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::smart::Permissions;
use tower_fhir_auth::{Access, Denial, Enforcement, Grant, ScopePolicy, Visibility, authorize_fn};

use super::confinement::{ask, granted};
use crate::support::{BASE, Server};

async fn server() -> Server {
    Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await
}

async fn of_compartment(compartment: PatientCompartment) -> Server {
    let settings = |layer: tower_fhir_auth::FhirAuthLayerBuilder| {
        let layer = layer.authorizer(ScopePolicy::new()).handlers_enforce(Enforcement::ALL);
        layer.patient_compartment(compartment)
    };
    Server::build(Algorithm::Es256, |issuer| issuer, settings).await
}

fn of_patient(resource_type: &str, element: &str, patient: &str) -> Value {
    json!({"resourceType": resource_type, "id": "x", element: {"reference": patient}})
}

fn observation(subject: &str) -> Value {
    of_patient("Observation", "subject", subject)
}

/// How a change ends, as a status.
fn status(result: &Result<(), StoreError>) -> u16 {
    match result {
        Ok(()) => 200,
        Err(StoreError::Denied(_)) => 403,
        Err(_) => 404,
    }
}

const OWN: &str = "patient/*.cruds";

async fn own(server: &Server, method: &str, uri: &str) -> Access {
    granted(server, OWN, method, uri).await
}

#[tokio::test]
async fn a_resource_is_shown_to_the_patient_whose_it_is() {
    let server = server().await;
    let access = own(&server, "GET", "?_type=Observation,Device").await;
    for (resource, expected) in [
        (observation("Patient/1"), true),
        (observation("Patient/1/_history/7"), true),
        (observation(&format!("{BASE}/Patient/1")), true),
        (observation("Patient/2"), false),
        (observation("https://other.example.org/r4/Patient/1"), false),
        (observation("Patient?identifier=1"), false),
        (observation("#p"), false),
        (observation("urn:uuid:3a5d9c1e-6f8b-4b7c-9d3e-0a1b2c3d4e5f"), false),
        (json!({"resourceType": "Observation", "performer": [{"reference": "Patient/1"}]}), true),
        (json!({"resourceType": "Observation", "focus": [{"reference": "Patient/1"}]}), false),
        (json!({"resourceType": "Observation"}), false),
        (json!({"resourceType": "Patient", "id": "1"}), true),
        (json!({"resourceType": "Patient", "id": "2"}), false),
        (
            json!({"resourceType": "Patient", "id": "2",
                "link": [{"other": {"reference": "Patient/1"}}]}),
            false,
        ),
        (
            json!({"resourceType": "Appointment",
                "participant": [{"actor": {"reference": "Patient/1"}}]}),
            true,
        ),
        // Beyond the definition, and less than it.
        (of_patient("Device", "patient", "Patient/1"), true),
        (of_patient("Device", "patient", "Patient/2"), false),
        (
            json!({"resourceType": "Group", "member": [{"entity": {"reference": "Patient/1"}}]}),
            false,
        ),
        // What all share, and what belongs to nobody.
        (json!({"resourceType": "Organization", "id": "o"}), true),
        (json!({"resourceType": "PractitionerRole", "id": "r"}), true),
        (json!({"resourceType": "HealthcareService", "id": "h"}), true),
        (json!({"resourceType": "Questionnaire", "id": "q"}), false),
        (of_patient("Binary", "securityContext", "Patient/1"), false),
        (json!({"id": "1"}), false),
        (json!([]), false),
    ] {
        let shown = access.may_show(&resource) == Visibility::Shown;
        assert_eq!(shown, expected, "{resource}");
    }
}

#[tokio::test]
async fn a_provenance_is_shown_to_whoever_may_see_all_of_its_targets() {
    let server = server().await;
    let access = own(&server, "GET", "/Provenance").await;
    let look_up = |to: &ResourceReference| match (&*to.resource_type, &*to.id) {
        ("Observation", "own") => Some(observation("Patient/1")),
        ("Observation", "other") => Some(observation("Patient/2")),
        ("Organization", "o") => Some(json!({"resourceType": "Organization", "id": "o"})),
        ("Patient", id) => Some(json!({"resourceType": "Patient", "id": id})),
        ("Provenance", "own") => Some(json!({"resourceType": "Provenance",
            "target": [{"reference": "Observation/own"}]})),
        ("Provenance", "too") => Some(json!({"resourceType": "Provenance",
            "target": [{"reference": "Observation/own"}, {"reference": "Patient/1"}]})),
        ("Provenance", "others") => Some(json!({"resourceType": "Provenance",
            "target": [{"reference": "Observation/other"}]})),
        ("Provenance", "back") => Some(json!({"resourceType": "Provenance",
            "target": [{"reference": "Provenance/x"}]})),
        ("Provenance", "x") => Some(json!({"resourceType": "Provenance", "id": "x",
            "target": [{"reference": "Patient/1"}]})),
        ("Provenance", "circle") => Some(json!({"resourceType": "Provenance",
            "target": [{"reference": "Provenance/circle"}, {"reference": "Patient/1"}]})),
        ("Questionnaire", _) => Some(json!({"resourceType": "Questionnaire"})),
        ("Observation", id) if id.starts_with('n') => Some(observation("Patient/1")),
        _ => None,
    };
    let many = |count: usize| (0..count).map(|n| format!("Observation/n{n}")).collect::<Vec<_>>();
    for (targets, expected) in [
        (vec!["Observation/own".to_owned()], true),
        (vec!["Observation/own/_history/3".to_owned(), "Organization/o".to_owned()], true),
        (vec!["Patient/1".to_owned()], true),
        (vec!["Provenance/own".to_owned()], true),
        (vec!["Provenance/own".to_owned(), "Provenance/too".to_owned()], true),
        (vec!["Provenance/others".to_owned()], false),
        (vec!["Provenance/back".to_owned()], false),
        (vec!["Provenance/circle".to_owned()], false),
        (vec!["Provenance/x".to_owned(), "Patient/1".to_owned()], false),
        (vec!["Patient/2".to_owned()], false),
        (vec!["Observation/own".to_owned(), "Observation/other".to_owned()], false),
        (vec!["Observation/gone".to_owned()], false),
        (vec!["Questionnaire/q".to_owned()], false),
        (vec!["https://other.example.org/Observation/own".to_owned()], false),
        (vec!["urn:uuid:1".to_owned(), "Observation/own".to_owned()], false),
        (vec![], false),
        (many(64), true),
        (many(65), false),
    ] {
        let target: Vec<Value> = targets.iter().map(|to| json!({"reference": to})).collect();
        let provenance = json!({"resourceType": "Provenance", "id": "x", "target": target,
            "patient": {"reference": "Patient/1"}});
        let filter = access.shown("Provenance");
        assert_eq!(filter.shows_with(&provenance, look_up), expected, "{targets:?}");
        // Without a store nothing is known of targets.
        assert_ne!(access.may_show(&provenance), Visibility::Shown, "{targets:?}");
    }
    let none = PatientCompartment::builder().also(["Device:patient"]).build().unwrap();
    let access = own(&of_compartment(none).await, "GET", "/Provenance").await;
    let provenance = json!({"resourceType": "Provenance",
        "target": [{"reference": "Observation/own"}]});
    assert_eq!(access.may_show(&provenance), Visibility::Hidden, "nobody's without `target`");
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
    let of = |patients: &'static [&'static str]| {
        authorize_fn(move |_| {
            let each = patients.iter().map(|patient| Alternative::new(Some(patient), None));
            Ok(Grant::by("both").confined_to(Alternatives::from_iter(each)))
        })
    };
    let mut seen = observation("Patient/2");
    seen["performer"] = json!([{"reference": "Patient/1"}]);
    for (patients, resource, expected) in [
        (&["1", "2"][..], observation("Patient/1"), 200),
        (&["1", "2"], observation("Patient/2"), 200),
        (&["1", "2"], observation("Patient/3"), 404),
        (&["1", "3"], seen.clone(), 403),
        (&["0", "1"], seen, 403),
    ] {
        let server = Server::enforcing(Enforcement::ALL, of(patients)).await;
        let update = own(&server, "PUT", "/Observation/x").await;
        let stored = update.may_store(Some(&resource), Some(&resource));
        assert_eq!(status(&stored), expected, "{patients:?} {resource}");
    }
}

/// A rule of one's own may confine one interaction, and no other.
#[tokio::test]
async fn access_that_is_confined_itself_is_confined_whatever_is_granted_beside_it() {
    let rule = authorize_fn(|request| {
        let grant = Grant::by("a rule");
        Ok(match request.interaction().id() {
            Some("x") => grant.confined_to(Alternative::new(Some("1"), None)),
            _ => grant,
        })
    });
    let server = Server::enforcing(Enforcement::ALL, rule).await;
    assert!(!own(&server, "GET", "/Observation/x").await.is_unconfined());
    assert!(own(&server, "GET", "/Observation/y").await.is_unconfined());
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
}

#[tokio::test]
async fn without_a_matcher_constraints_are_evaluated_by_the_definitions_of_r4() {
    let server = server().await;
    let laboratory = json!({"resourceType": "Observation", "id": "x", "status": "final",
        "category": [{"coding": [{"system": "http://c.test", "code": "laboratory"}]}],
        "effectiveDateTime": "2024-03-15", "subject": {"reference": "Patient/1"}});
    for (constraint, shown) in [
        ("category=laboratory", true),
        ("category=http://c.test|laboratory&status=final", true),
        ("date=ge2024&subject=Patient/1", true),
        ("category=vital-signs", false),
        ("category=laboratory&status=amended", false),
        ("date=lt2024", false),
        // The definition reads an extension.
        ("gene-identifier=x", false),
        // Nobody can tell.
        ("date=yesterday", false),
    ] {
        let scope = format!("user/Observation.rs?{constraint}");
        let access = granted(&server, &scope, "GET", "/Observation/x").await;
        let expected = if shown { Visibility::Shown } else { Visibility::Hidden };
        assert_eq!(access.may_show(&laboratory), expected, "{constraint}");
    }
    for constraint in ["code-value-quantity=http://l.test|1$5", "component-code-value-concept=a$b"]
    {
        let scope = format!("user/Observation.rs?{constraint}");
        let reply = ask(&server, &scope, json!(null), "GET", "/Observation/x").await;
        assert_eq!(reply.status, 403, "composite: {constraint}");
    }
}

/// Finding: alternatives were "open" for every interaction that is not one permission on one type.
#[tokio::test]
async fn a_question_without_an_answer_has_none() {
    let server = server().await;
    for (method, uri, expected) in [
        ("GET", "/Observation/1", "plain"),
        ("GET", "/Practitioner/5/Observation", "plain"),
        ("GET", "/Patient/1/Observation", "plain"),
        ("POST", "/Observation", "plain"),
        ("GET", "?_type=Observation", "composite"),
        ("GET", "/Patient/1/*", "composite"),
        ("GET", "/Patient/1/$everything", "composite"),
        ("PUT", "/Observation?code=x", "composite"),
        ("POST", "", "composite"),
        ("GET", "/_operations/export/1", "none"),
    ] {
        let access = granted(&server, "patient/*.cruds", method, uri).await;
        let answer = match access.answer() {
            Answer::Plain(filter) => {
                assert!(!filter.is_open() && !filter.is_none(), "{method} {uri}");
                "plain"
            }
            Answer::Composite => "composite",
            Answer::None => "none",
            _ => "?",
        };
        assert_eq!(answer, expected, "{method} {uri}");
        // And whatever it is, what is another's is not shown.
        assert_eq!(access.may_show(&observation("Patient/2")), Visibility::Hidden, "{uri}");
    }
}

#[tokio::test]
async fn the_compartment_of_a_deployment_counts() {
    let compartment = PatientCompartment::builder()
        .also(["Task:patient"])
        .less(["Observation:performer"])
        .shared(["Questionnaire"]);
    let server = of_compartment(compartment.build().unwrap()).await;
    let access = own(&server, "GET", "/Observation").await;
    for (resource, expected) in [
        (of_patient("Task", "for", "Patient/1"), true),
        (of_patient("Device", "patient", "Patient/1"), false),
        (json!({"resourceType": "Observation", "performer": [{"reference": "Patient/1"}]}), false),
        (json!({"resourceType": "Questionnaire"}), true),
        (json!({"resourceType": "Organization"}), false),
    ] {
        assert_eq!(access.may_show(&resource) == Visibility::Shown, expected, "{resource}");
    }
    // Less membership is no leave to name others.
    let mut other = observation("Patient/1");
    other["performer"] = json!([{"reference": "Patient/2"}]);
    let create = own(&server, "POST", "/Observation").await;
    assert_eq!(status(&create.may_store(None, Some(&other))), 403);
}

#[test]
fn a_compartment_that_cannot_be_says_why() {
    for (also, less, shared, words) in [
        ("Observation:focus", "", "", "`also`"),
        ("Patient:link", "", "", "`also`"),
        ("Observation:code", "", "", "can name a Patient"),
        ("Observation", "", "", "can name a Patient"),
        ("Encounter:service-provider", "", "", "can name a Patient"),
        ("", "Observation:code", "", "`less`"),
        ("", "", "Observation", "no place in the Patient compartment"),
        ("", "", "Patient", "no place in the Patient compartment"),
        ("Device:patient", "", "Device", "that `also` does not name"),
        ("", "", "Nothing", "a resource type"),
    ] {
        let list = |entry: &str| (!entry.is_empty()).then(|| entry.to_owned());
        let builder = PatientCompartment::builder().also(list(also)).less(list(less));
        let error = builder.shared(list(shared)).build().unwrap_err().to_string();
        assert!(error.contains(words), "{also} {less} {shared}: {error}");
    }
}

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

/// A resource that is read from its text is judged as its tree is.
#[tokio::test]
async fn a_borrowed_resource_is_judged_as_a_parsed_one() {
    use tower_fhir_auth::authorization::BorrowedResource;
    let server = server().await;
    let access = own(&server, "GET", "?_type=Observation,Device").await;
    let mut seen = observation("Patient/2");
    seen["performer"] = json!([{"reference": "Patient/1"}, {"display": "a \"quoted\" \u{e9}"}]);
    for resource in [
        observation("Patient/1"),
        observation("Patient/2"),
        seen,
        of_patient("Device", "patient", "Patient/1"),
        json!({"resourceType": "Organization", "id": "o", "extension": [[1.0, null, true]]}),
        json!({"resourceType": "Provenance", "target": [{"reference": "Patient/1"}]}),
        json!({"resourceType": "Appointment", "participant": [{"actor": {"reference": "Patient/1"}}]}),
        json!({"resourceType": "Patient", "id": "1", "link": [{"other": {"reference": "Patient/2"}}]}),
        json!({}),
    ] {
        let text = resource.to_string();
        let borrowed = BorrowedResource::parse(&text).unwrap();
        assert_eq!(access.may_show(&borrowed), access.may_show(&resource), "{text}");
        assert_eq!(access.may_include(&borrowed), access.may_include(&resource), "{text}");
        let uri = format!("/{}/x", resource["resourceType"].as_str().unwrap_or("Basic"));
        let update = granted(&server, OWN, "PATCH", &uri.replace("Patient/x", "Patient/1")).await;
        let parsed = update.may_store(Some(&resource), Some(&resource));
        assert_eq!(update.may_store(Some(&borrowed), Some(&borrowed)), parsed, "{text}");
    }
    for text in ["[]", "{", r#"{"id": "1", "id": "2"}"#, "null", ""] {
        assert!(BorrowedResource::parse(text).is_err(), "{text}");
    }
}

/// Alternatives are tried one after the other, each with its own patient and its own constraint.
#[tokio::test]
async fn a_resource_is_shown_by_any_alternative() {
    let server = server().await;
    let scope = "user/Observation.rs?status=draft user/Observation.rs?status=final";
    let access = granted(&server, scope, "GET", "/Observation/x").await;
    for (status, expected) in [("draft", true), ("final", true), ("amended", false)] {
        let resource = json!({"resourceType": "Observation", "id": "x", "status": status});
        assert_eq!(access.may_show(&resource) == Visibility::Shown, expected, "{status}");
    }
    let patients = authorize_fn(|_| {
        let each = ["1", "2"].map(|patient| Alternative::new(Some(patient), None));
        Ok(Grant::by("both").confined_to(Alternatives::from_iter(each)))
    });
    let server = Server::enforcing(Enforcement::ALL, patients).await;
    let access = own(&server, "GET", "/Observation/x").await;
    for (patient, expected) in [("1", true), ("2", true), ("3", false)] {
        let resource = observation(&format!("Patient/{patient}"));
        assert_eq!(access.may_show(&resource) == Visibility::Shown, expected, "{patient}");
    }
}

#[tokio::test]
async fn a_compartment_holds_what_is_the_patients_and_not_what_all_share() {
    let server = server().await;
    let access = own(&server, "GET", "/Patient/1/$everything").await;
    let compartment = access.compartment("1");
    for (resource, expected) in [
        (observation("Patient/1"), true),
        (observation("Patient/2"), false),
        (json!({"resourceType": "Organization", "id": "o"}), false),
    ] {
        assert_eq!(compartment.shows(&resource) == Visibility::Shown, expected, "{resource}");
    }
}

#[tokio::test]
async fn no_target_of_a_provenance_is_looked_up_twice() {
    let server = server().await;
    let access = own(&server, "GET", "/Provenance").await;
    let of = |targets: &[&str]| {
        let target: Vec<Value> = targets.iter().map(|to| json!({"reference": to})).collect();
        json!({"resourceType": "Provenance", "target": target})
    };
    let mut asked = Vec::new();
    let look_up = |to: &ResourceReference| {
        asked.push(to.to_string());
        Some(match &*to.resource_type {
            "Provenance" => of(&["Observation/o"]),
            _ => observation("Patient/1"),
        })
    };
    let provenance = of(&["Provenance/a", "Provenance/b", "Observation/o"]);
    assert!(access.shown("Provenance").shows_with(&provenance, look_up));
    assert_eq!(asked, ["Provenance/a", "Provenance/b", "Observation/o"]);
}

#[tokio::test]
async fn an_export_shows_the_types_that_may_be_exported() {
    let server = server().await;
    let scope = "system/Observation.rs system/Device.r";
    let access = granted(&server, scope, "GET", "/$export?_type=Observation").await;
    for (resource_type, expected) in [("Observation", true), ("Device", false), ("Patient", false)]
    {
        let resource = json!({"resourceType": resource_type, "id": "x"});
        let is_shown = access.may_show(&resource) == Visibility::Shown;
        assert_eq!(is_shown, expected, "{resource_type}");
        assert_eq!(access.may_export(resource_type), expected, "{resource_type}");
    }
}

#[tokio::test]
async fn a_search_body_of_more_than_64_kib_is_refused() {
    let server = server().await;
    let access = own(&server, "POST", "/Observation/_search").await;
    let body = |length: usize| format!("code={}", "x".repeat(length - 5));
    assert!(access.authorize_search_body(&body(Access::MAX_SEARCH_BODY)).is_ok());
    let denial = access.authorize_search_body(&body(Access::MAX_SEARCH_BODY + 1)).unwrap_err();
    assert!(denial.summary().contains("64 KiB"), "{denial}");
}
