//! A server that checks references: its refusals of changes must not tell of what is hidden.

use http::Request;
use http_body_util::Full;
use serde_json::json;
use tower_fhir_auth::confine::ConfineSettings;

use super::careless::Careless;
use super::{Confined, Got, observation, patient};

const OWN: &str = "patient/*.cruds";
const ALL: &str = "system/*.cruds";

/// A server that has the Observation `a1` of patient 1, and refuses each change in this way.
async fn refusing(status: u16, code: &'static str) -> Confined {
    let server = Careless::handled_by(move |method, address, _, _| {
        let response = http::Response::builder().header("etag", "W/\"1\"");
        let response = match method {
            "GET" if address.ends_with("/Observation/a1") => {
                response.body(observation("a1", "1", "laboratory").to_string())
            }
            "GET" if address.ends_with("/Patient/1") => response.body(patient("1").to_string()),
            "GET" => response.status(404).body("{}".to_owned()),
            _ => response.status(status).body(
                json!({"resourceType": "OperationOutcome", "issue": [{"code": code,
                    "diagnostics": "mark: Encounter/hidden"}]})
                .to_string(),
            ),
        };
        response.unwrap().map(Full::from)
    });
    Confined::with(server, ConfineSettings::default().versions_checked()).await
}

async fn change(confined: &Confined, scope: &str, method: &str) -> Got {
    let mut resource = observation("a1", "1", "laboratory");
    resource["encounter"] = json!({"reference": "Encounter/hidden"});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"resource": resource, "request": {"method": "PUT", "url": "Observation/a1"}},
        {"request": {"method": "GET", "url": "Patient/1"}}]});
    let (method, below, body) = match method {
        "POST" => (method, "/Observation", resource),
        "transaction" => ("POST", "", bundle),
        _ => (method, "/Observation/a1", resource),
    };
    let body = if method == "DELETE" { String::new() } else { body.to_string() };
    let request = Request::builder().method(method).uri(format!("/r4{below}"));
    let request = request.header("content-type", "application/fhir+json");
    confined.send_with(&confined.token(scope, "1", "amara"), request, body).await
}

#[tokio::test]
async fn a_refusal_of_a_confined_change_does_not_tell_hidden_from_absent_and_deleted() {
    for method in ["POST", "PUT", "DELETE", "transaction"] {
        let mut told = Vec::new();
        for (status, code) in [
            (404, "not-found"),
            (409, "conflict"),
            (410, "deleted"),
            (400, "not-found"),
            (422, "deleted"),
            (422, "duplicate"),
            (409, "business-rule"),
        ] {
            let got = change(&refusing(status, code).await, OWN, method).await;
            assert!(!got.text.contains("mark"), "{}", got.text);
            told.push((got.status.as_u16(), got.text));
        }
        assert_eq!(told[0].0, 409, "{method}: {told:?}");
        told.dedup();
        assert_eq!(told.len(), 1, "{method}: {told:?}");
    }
}

#[tokio::test]
async fn a_refusal_for_what_was_sent_itself_keeps_its_status_and_its_code() {
    for method in ["POST", "PUT", "transaction"] {
        for (status, code) in
            [(422, "invalid"), (400, "required"), (403, "forbidden"), (500, "exception")]
        {
            let got = change(&refusing(status, code).await, OWN, method).await;
            let told = got.json()["issue"][0]["code"].clone();
            assert_eq!((got.status.as_u16(), told), (status, json!(code)), "{method}");
        }
    }
}

#[tokio::test]
async fn who_may_change_every_resource_of_the_type_is_told_what_the_server_says() {
    for (status, code) in [(404, "not-found"), (409, "conflict"), (410, "deleted")] {
        let got = change(&refusing(status, code).await, ALL, "PUT").await;
        assert_eq!(got.status, status, "{}", got.text);
    }
}

#[tokio::test]
async fn who_may_change_every_resource_of_a_type_alone_is_told_it_too() {
    for (scope, method) in [
        ("system/Observation.c", "POST"),
        ("system/Observation.u", "PUT"),
        ("system/Observation.d", "DELETE"),
        // What is read beside is confined, and changes nothing.
        ("system/Observation.u patient/Patient.r", "transaction"),
    ] {
        for (status, code) in [(404, "not-found"), (409, "conflict"), (410, "deleted")] {
            let got = change(&refusing(status, code).await, scope, method).await;
            assert_eq!(got.status, status, "{scope} {method}: {}", got.text);
            assert!(!got.text.contains("mark"), "{}", got.text);
        }
    }
}
