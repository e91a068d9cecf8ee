//! Transactions of the example FHIR server whose entries depend on each other.

use serde_json::{Value, json};

use crate::support::Fhir;

const ALL: &str = "user/*.cruds";

fn entry(method: &str, url: &str, full_url: &str, resource: Value) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if !full_url.is_empty() {
        entry["fullUrl"] = full_url.into();
    }
    if !resource.is_null() {
        entry["resource"] = resource;
    }
    entry
}

fn patient(identifier: &str) -> Value {
    json!({"resourceType": "Patient", "identifier": [{"system": "s", "value": identifier}]})
}

fn transaction(entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": "transaction", "entry": entries})
}

/// A condition was resolved before the first entry, to give names, and again when its turn came: it then found
/// what an entry before had made, and the name led nowhere.
#[tokio::test]
async fn a_condition_is_resolved_once_before_anything_is_changed() {
    let fhir = Fhir::start("scopes", &[]).await;
    for (number, conditional) in
        [entry("PUT", "Patient?identifier=s|0", "urn:uuid:second", patient("0")), {
            let mut entry = entry("POST", "Patient", "urn:uuid:second", patient("1"));
            entry["request"]["ifNoneExist"] = "identifier=s|1".into();
            entry
        }]
        .into_iter()
        .enumerate()
    {
        let observation = json!({"resourceType": "Observation", "status": "final", "code": {},
            "subject": {"reference": "urn:uuid:second"}});
        let bundle = transaction(&[
            entry("POST", "Patient", "urn:uuid:first", patient(&number.to_string())),
            conditional,
            entry("POST", "Observation", "", observation),
        ]);
        let reply = fhir.with_body(ALL, "POST", "", bundle).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let answers = reply.body["entry"].as_array().unwrap();
        for answer in answers {
            assert_eq!(answer["response"]["status"], "201", "{}", reply.text);
        }
        let subject = answers[2]["resource"]["subject"]["reference"].as_str().unwrap();
        let named = format!("Patient/{}", answers[1]["resource"]["id"].as_str().unwrap());
        assert_eq!(subject, named, "{}", reply.text);
        let read = fhir.as_caller(ALL, "GET", &format!("/{subject}")).await;
        assert_eq!(read.status, 200, "the reference leads to what the entry made");
    }
}

/// What an entry deletes is still found by the conditions of the others, which then are about it, too.
#[tokio::test]
async fn a_deletion_hides_nothing_from_a_condition() {
    let fhir = Fhir::start("scopes", &[]).await;
    let bundle = transaction(&[
        entry("DELETE", "Observation/weight-1", "", Value::Null),
        entry("DELETE", "Observation?_id=weight-1", "", Value::Null),
    ]);
    let reply = fhir.with_body(ALL, "POST", "", bundle).await;
    assert_eq!(reply.status, 400, "{}", reply.text);
    assert_eq!(fhir.as_caller(ALL, "GET", "/Observation/weight-1").await.status, 200);
    // One that finds nothing does nothing, and does not keep the others from their work.
    let bundle = transaction(&[
        entry("DELETE", "Observation?_id=nothing", "", Value::Null),
        entry("DELETE", "Observation?_id=weight-2", "", Value::Null),
    ]);
    let reply = fhir.with_body(ALL, "POST", "", bundle).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(fhir.as_caller(ALL, "GET", "/Observation/weight-2").await.status, 410);
    let patch = json!([{"op": "add", "path": "/active", "value": true}]);
    assert_eq!(fhir.with_body(ALL, "PATCH", "/Patient?_id=nothing", patch).await.status, 404);
}

/// Names that an entry may give itself so that a reference to somebody else's record looks like one to it, or
/// the other way round.
const FOREIGN_NAMES: [&str; 16] = [
    "Patient/2",
    "Patient/1",
    "patient/2",
    "/Patient/2",
    "Patient/2/",
    "Patient/2/_history/1",
    "https://fhir.example.org/r4/Patient/2",
    "https://FHIR.example.org/r4/Patient/2",
    "https://fhir.example.org:443/r4/Patient/2",
    "http://fhir.example.org/r4/Patient/2",
    "https://evil.example/r4/Patient/1",
    "urn:uuid:Patient/2",
    "urn:uuid:2",
    "urn:oid:1.2.3",
    "#2",
    "Patient?identifier=2",
];

/// Tried by hand: a foreign `fullUrl` makes nobody's record of what is not the patient's.
#[tokio::test]
async fn a_foreign_full_url_gives_no_way_into_another_record() {
    const OWN: &str = "patient/*.cruds";
    let fhir = Fhir::start("scopes", &[]).await;
    let encounter = json!({"resourceType": "Encounter", "status": "planned", "class": {"code": "AMB"},
        "subject": {"reference": "Patient/1"}});
    let observation = |subject: &str| {
        json!({"resourceType": "Observation", "status": "final", "code": {"text": "attack"},
            "subject": {"reference": subject}})
    };
    let count = async || {
        let of = |kind: &str| format!("/{kind}?_count=0");
        let all = [
            fhir.as_caller(ALL, "GET", &of("Observation")).await,
            fhir.as_caller(ALL, "GET", &of("Encounter")).await,
        ];
        all.map(|reply| reply.body["total"].as_u64().unwrap())
    };
    for name in FOREIGN_NAMES {
        let before = count().await;
        let attack = transaction(&[
            entry("POST", "Encounter", name, encounter.clone()),
            entry("POST", "Observation", "", observation(name)),
        ]);
        let reply = fhir.with_body(OWN, "POST", "", attack).await;
        assert!(reply.status == 403 || reply.status == 400, "{name}: {}", reply.text);
        assert_eq!(count().await, before, "{name}: something was stored");
        // The twin refers to its patient.
        let subject =
            if name == "Patient/1" { "https://fhir.example.org/r4/Patient/1" } else { "Patient/1" };
        let twin = transaction(&[
            entry("POST", "Encounter", name, encounter.clone()),
            entry("POST", "Observation", "", observation(subject)),
        ]);
        let reply = fhir.with_body(OWN, "POST", "", twin).await;
        let expected = if name == "Patient/1" { 403 } else { 200 };
        assert_eq!(reply.status, expected, "{name}: {}", reply.text);
    }
    let theirs = fhir.as_caller(ALL, "GET", "/Observation?patient=2&_count=5000").await;
    assert!(!theirs.text.contains("attack"), "{}", theirs.text);
}
