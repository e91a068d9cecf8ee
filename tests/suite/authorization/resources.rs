//! Resources that `Access` lets a handler show.

use serde_json::{Value, json};
use tower_fhir_auth::authorization::{Alternative, Alternatives, Answer, StoreError};
use tower_fhir_auth::fhir::PatientCompartment;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::{
    Access, Authorizer, Enforcement, Grant, ScopePolicy, Visibility, authorize_fn,
};

use super::confinement::{ask, granted};
use crate::support::{BASE, Server};

pub(super) async fn server() -> Server {
    Server::enforcing(Enforcement::ALL, ScopePolicy::new()).await
}

pub(super) async fn of_compartment(compartment: PatientCompartment) -> Server {
    let settings = |layer: tower_fhir_auth::FhirAuthLayerBuilder| {
        let layer = layer.authorizer(ScopePolicy::new()).handlers_enforce(Enforcement::ALL);
        layer.patient_compartment(compartment)
    };
    Server::build(Algorithm::Es256, |issuer| issuer, settings).await
}

/// A rule that confines to any of some patients.
pub(super) fn of_patients(patients: &'static [&'static str]) -> impl Authorizer {
    authorize_fn(move |_| {
        let each = patients.iter().map(|patient| Alternative::new(Some(patient), None));
        Ok(Grant::by("a rule").confined_to(Alternatives::from_iter(each)))
    })
}

pub(super) fn of_patient(resource_type: &str, element: &str, patient: &str) -> Value {
    json!({"resourceType": resource_type, "id": "x", element: {"reference": patient}})
}

pub(super) fn observation(subject: &str) -> Value {
    of_patient("Observation", "subject", subject)
}

pub(super) const OWN: &str = "patient/*.cruds";

pub(super) async fn own(server: &Server, method: &str, uri: &str) -> Access {
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
    assert!(matches!(create.may_store(None, Some(&other)), Err(StoreError::Denied(_))));
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
    // Whose it is, is the same for both.
    let scope = "patient/Observation.rs?status=draft patient/Observation.rs?status=final";
    let access = granted(&server, scope, "GET", "/Observation/x").await;
    for (status, patient, expected) in
        [("draft", "1", true), ("final", "1", true), ("amended", "1", false), ("final", "2", false)]
    {
        let mut resource = observation(&format!("Patient/{patient}"));
        resource["status"] = status.into();
        let is_shown = access.may_show(&resource) == Visibility::Shown;
        assert_eq!(is_shown, expected, "{status} {patient}");
    }
    let server = Server::enforcing(Enforcement::ALL, of_patients(&["1", "2"])).await;
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
