//! Numbers of results, deletions and pages, where nothing is hidden by them.

use http::Request;
use serde_json::json;
use tower_fhir_auth::confine::ConfineSettings;

use super::careless::Careless;
use super::{Confined, bundle, observation, records};
use crate::support::BASE;

fn devices() -> Vec<serde_json::Value> {
    let device = |id: usize| {
        let patient = format!("Patient/{}", if id < 15 { 1 } else { 2 });
        json!({"resourceType": "Device", "id": id.to_string(), "patient": {"reference": patient}})
    };
    (0..25).map(device).collect()
}

#[tokio::test]
async fn results_are_counted_where_one_parameter_says_what_may_be_seen() {
    let confined = Confined::before(Careless::with(devices()).paging(10)).await;
    for below in ["/Device?_summary=count", "/Device?_summary=count&status=active&_count=3"] {
        let got = confined.get("patient/*.rs", below).await;
        assert!(got.entries().is_empty(), "{}", got.text);
        assert_eq!(
            got.json()["total"],
            15,
            "each is judged, whatever the server finds: {}",
            got.text
        );
        assert_eq!(
            got.json()["link"],
            json!([{"relation": "self", "url": format!("{BASE}{below}")}])
        );
    }
    let asked = confined.server.asked();
    assert_eq!(asked[0].0, "GET /r4/Device?patient=Patient%2F1&_count=1000");
    // By a form, too.
    let token = confined.token("patient/*.rs", "1", "amara");
    let form = Request::post("/r4/Device/_search");
    let got = confined.send_with(&token, form, "_summary=count&status=active").await;
    assert_eq!(got.json()["total"], 15, "{}", got.text);
    // Of what is not narrowed exactly nobody counts.
    let all = Confined::before(Careless::with(records())).await;
    for (scope, below, status) in [
        ("patient/*.rs", "/Observation?_summary=count", 400),
        ("patient/*.rs", "/Provenance?_summary=count", 400),
        ("patient/*.rs", "?_type=Patient&_summary=count", 400),
        ("patient/*.rs", "/Patient/1/Observation?_summary=count", 400),
        ("patient/*.rs", "/Observation/a1/_history?_summary=count", 400),
        ("patient/Observation.rs?category=laboratory", "/Observation?_summary=count", 400),
        ("user/Observation.rs?category=laboratory", "/Observation?_summary=count", 200),
        ("patient/*.rs", "/Patient?_summary=count", 200),
        ("patient/*.rs", "/Practitioner?_summary=count", 200),
        ("patient/*.rs", "/Device?_summary=count&location.name=x", 403),
        ("system/Observation.rs", "/Observation?_summary=count", 200),
        ("system/Observation.rs", "/Observation?_summary=count&subject.name=x", 403),
    ] {
        let got = all.get(scope, below).await;
        assert_eq!(got.status, status, "{scope} {below}: {}", got.text);
    }
    let got =
        all.get("user/Observation.rs?category=laboratory", "/Observation?_summary=count").await;
    assert_eq!(got.json()["total"], 2);
    // Where nothing of the type is hidden the server counts.
    let open = all.get("system/Observation.rs", "/Observation?code=x&_summary=count").await;
    assert_eq!(open.json()["total"], 11, "as it says");
    let last = all.server.asked().last().cloned().unwrap();
    assert_eq!(last.0, "GET /r4/Observation?code=x&_summary=count");
}

#[tokio::test]
async fn what_comes_along_is_no_result_that_counts() {
    let mut records = devices();
    records.push(json!({"resourceType": "Practitioner", "id": "p"}));
    let confined = Confined::before(Careless::with(records)).await;
    let got = confined.get("patient/*.rs", "/Device?_summary=count").await;
    assert_eq!(got.json()["total"], 15, "{}", got.text);
}

#[tokio::test]
async fn more_than_can_be_judged_at_once_is_not_counted() {
    let settings = ConfineSettings::default().max_body(2000);
    let confined = Confined::with(Careless::with(devices()).paging(5), settings).await;
    let got = confined.get("patient/*.rs", "/Device?_summary=count").await;
    assert_eq!(got.status, 400, "{}", got.text);
    let confined = Confined::before(Careless::with(devices()).paging(1).endless()).await;
    let got = confined.get("patient/*.rs", "/Device?_summary=count").await;
    assert_eq!((got.status.as_u16(), confined.server.asked().len()), (400, 17), "{}", got.text);
}

#[tokio::test]
async fn who_may_see_all_of_a_type_sees_what_of_it_was_deleted() {
    let deleted = |url: &str| {
        json!({"fullUrl": format!("{BASE}/Observation/x"), "request": {"method": "DELETE", "url": url},
            "response": {"status": "204", "lastModified": "2026-01-01T00:00:00Z"}})
    };
    let mut history = bundle(&[observation("a1", "1", "laboratory")], None);
    let entries = history["entry"].as_array_mut().unwrap();
    entries.push(deleted("Observation/a2"));
    entries.push(deleted(&format!("{BASE}/Observation/a3")));
    entries.push(deleted("Condition/c"));
    entries.push(deleted("https://elsewhere.example.org/Observation/a4"));
    entries.push(json!({"request": {"method": "PUT", "url": "Observation/a5"}, "response": {"status": "200"}}));
    let server = ["/Observation/_history", "/_history", "/Observation/a2/_history", "/Observation"]
        .iter()
        .fold(Careless::default(), |server, below| server.answering(below, 200, &history));
    let confined = Confined::before(server.answering("/Observation/a2", 410, "{}")).await;
    let system = "system/Observation.rs system/*.s";
    for (scope, below, expected) in [
        (
            "system/Observation.rs",
            "/Observation/_history",
            vec!["Observation/a2", "Observation/a3"],
        ),
        ("system/Observation.rs", "/Observation/a2/_history", vec!["Observation/a2"]),
        (system, "/_history", vec!["Observation/a2", "Observation/a3", "Condition/c"]),
        ("patient/*.rs", "/Observation/_history", vec![]),
        ("user/Observation.rs?category=laboratory", "/Observation/_history", vec![]),
        ("system/Observation.rs", "/Observation", vec![]),
    ] {
        let got = confined.get(scope, below).await;
        assert_eq!(got.status, 200, "{scope} {below}: {}", got.text);
        let entries = got.json()["entry"].as_array().cloned().unwrap_or_default();
        let urls = entries.iter().filter_map(|entry| entry["request"]["url"].as_str());
        let urls: Vec<String> = urls.map(|url| url.replace(&format!("{BASE}/"), "")).collect();
        assert_eq!(urls, expected, "{scope} {below}: {}", got.text);
    }
    assert_eq!(confined.get("system/Observation.rs", "/Observation/a2").await.status, 410);
    assert_eq!(confined.get("patient/*.rs", "/Observation/a2").await.status, 404);
}

#[tokio::test]
async fn a_page_of_what_nobody_hides_is_asked_for_once() {
    let all: Vec<_> = (0..30).map(|id| observation(&id.to_string(), "2", "laboratory")).collect();
    let confined = Confined::before(Careless::with(all).paging(10)).await;
    let mut next = Some("/Observation".to_owned());
    let mut seen = 0;
    while let Some(below) = next {
        let got = confined.get("system/Observation.rs", &below).await;
        seen += got.entries().len();
        next = got.next();
    }
    assert_eq!((seen, confined.server.asked().len()), (30, 3));
}

#[tokio::test]
async fn what_comes_along_with_results_is_not_counted() {
    let mut all: Vec<_> = devices().into_iter().take(15).collect();
    all.push(json!({"resourceType": "Practitioner", "id": "p"}));
    let confined = Confined::before(Careless::with(all)).await;
    let got = confined.get("patient/*.rs", "/Device?_summary=count").await;
    assert_eq!(got.json()["total"], 15, "{}", got.text);
}
