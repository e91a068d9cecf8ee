//! Deleted resources, known to those to whom they were shown, whatever order a history is in.

use http::Response;
use http_body_util::Full;
use serde_json::{Value, json};
use tower_fhir_auth::confine::ConfineSettings;

use super::careless::Careless;
use super::changes::{OWN, sent};
use super::{Confined, Got, observation};

/// A version of an Observation; without a patient its deletion.
fn version(number: &str, patient: Option<&str>) -> Value {
    let Some(patient) = patient else {
        return json!({"request": {"method": "DELETE", "url": "Observation/x"},
            "response": {"status": "204", "etag": format!("W/\"{number}\"")}});
    };
    let mut resource = observation("x", patient, "laboratory");
    if !number.is_empty() {
        resource["meta"] = json!({"versionId": number});
    }
    json!({"resource": resource})
}

/// A server that tells this history of what is deleted, and was at each of these versions.
async fn having(history: &[Value], deletions: &[&str]) -> Confined {
    let history = json!({"resourceType": "Bundle", "type": "history", "entry": history});
    let mut server = Careless::default().answering("/Observation/x", 410, "{}").answering(
        "/Observation/x/_history",
        200,
        &history,
    );
    for number in deletions {
        server = server.answering(&format!("/Observation/x/_history/{number}"), 410, "{}");
    }
    Confined::before(server).await
}

async fn read(confined: &Confined, below: &str) -> Got {
    confined.get("patient/*.rs", below).await
}

#[tokio::test]
async fn a_version_that_is_a_deletion_is_410_to_whom_the_version_before_was_shown() {
    let history = [
        version("6", None),
        version("5", Some("1")),
        version("4", None),
        version("3", Some("2")),
        version("2", None),
        version("1", Some("1")),
    ];
    let confined = having(&history, &["2", "4", "6", "odd"]).await;
    for (below, status) in [
        ("/Observation/x", 410),
        ("/Observation/x/_history/6", 410),
        ("/Observation/x/_history/4", 404),
        ("/Observation/x/_history/2", 410),
        ("/Observation/x/_history/odd", 404),
        ("/Observation/x/_history/7", 404),
    ] {
        let got = read(&confined, below).await;
        assert_eq!(got.status, status, "{below}: {}", got.text);
    }
}

#[tokio::test]
async fn the_last_content_is_that_of_the_highest_version_and_not_the_first_of_the_history() {
    // In the wrong order.
    let history = [version("1", Some("1")), version("2", Some("2")), version("3", None)];
    assert_eq!(read(&having(&history, &[]).await, "/Observation/x").await.status, 404);
    let history = [version("1", Some("2")), version("2", Some("1")), version("3", None)];
    assert_eq!(read(&having(&history, &[]).await, "/Observation/x").await.status, 410);
}

#[tokio::test]
async fn where_a_history_goes_on_the_last_content_is_not_known() {
    let entries = [version("1", Some("1")), version("2", Some("1"))];
    let page = |next: &[&str]| {
        let next = next.iter().map(|url| json!({"relation": "next", "url": url}));
        json!({"resourceType": "Bundle", "type": "history", "entry": entries, "link": next.collect::<Vec<_>>()})
    };
    for (history, status) in [(page(&[]), 410), (page(&["http://localhost/fhir?page=2"]), 404)] {
        let server = Careless::default().answering("/Observation/x", 410, "{}");
        let server = server.answering("/Observation/x/_history", 200, &history);
        let got = read(&Confined::before(server).await, "/Observation/x").await;
        assert_eq!(got.status, status, "{}", got.text);
    }
}

#[tokio::test]
async fn where_no_numbers_tell_the_last_content_each_of_them_must_have_been_visible() {
    for (history, status) in [
        ([version("", Some("1")), version("", Some("1"))], 410),
        ([version("", Some("1")), version("", Some("2"))], 404),
        ([version("a", Some("1")), version("b", Some("2"))], 404),
        ([version("7", Some("1")), version("7", Some("2"))], 404),
    ] {
        let got = read(&having(&history, &[]).await, "/Observation/x").await;
        assert_eq!(got.status, status, "{history:?}: {}", got.text);
    }
}

#[tokio::test]
async fn where_no_history_says_whose_it_was_what_is_deleted_is_as_what_never_was() {
    let history =
        |entries: &[Value]| json!({"resourceType": "Bundle", "entry": entries}).to_string();
    let own = history(&[version("1", Some("1"))]);
    for (status, coding, body, expected) in [
        (200, "identity", own.clone(), 410),
        (500, "identity", own.clone(), 404),
        (200, "gzip", own, 404),
        (200, "identity", history(&[]), 404),
    ] {
        let server = Careless::handled_by(move |_, address, _, _| {
            let response = Response::builder();
            let response = match address.ends_with("/_history") {
                true => {
                    response.status(status).header("content-encoding", coding).body(body.clone())
                }
                false => response.status(410).body("{}".to_owned()),
            };
            response.unwrap().map(Full::from)
        });
        let settings = ConfineSettings::default().versions_checked();
        let confined = Confined::with(server, settings).await;
        for method in ["GET", "DELETE"] {
            let got = sent(&confined, OWN, method, "/Observation/x", &[], "").await;
            assert_eq!(got.status, expected, "{method} {status} {coding}: {}", got.text);
        }
    }
}

/// Whoever may see all of both types, and asked for one.
#[tokio::test]
async fn a_history_of_a_type_tells_of_no_other_types_deletions() {
    let deletion = |url: &str| json!({"request": {"method": "DELETE", "url": url}});
    let history = json!({"resourceType": "Bundle", "type": "history",
        "entry": [deletion("Observation/x"), deletion("Condition/y")]});
    let server = Careless::default().answering("/Observation/_history", 200, &history);
    let confined = Confined::before(server).await;
    let scope = "user/Observation.rs user/Condition.rs patient/Device.rs";
    let got = confined.get(scope, "/Observation/_history").await.json();
    let urls: Vec<_> =
        got["entry"].as_array().unwrap().iter().map(|one| &one["request"]["url"]).collect();
    assert_eq!(urls, ["Observation/x"], "{got}");
}
