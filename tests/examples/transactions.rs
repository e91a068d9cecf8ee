//! What a transaction of the example FHIR server does when its entries depend on each other.

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
