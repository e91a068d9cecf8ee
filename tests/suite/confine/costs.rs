//! The cost of a decision: nothing is held, written or compared without a bound.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::confine::ConfineSettings;

use super::bundles::{bundle_of, entry, statuses};
use super::careless::Careless;
use super::changes::{OWN, sent};
use super::store::Store;
use super::{Confined, Got, bundle, observation, records};

const LIMIT: usize = 64 * 1024;

async fn small(server: Careless) -> Confined {
    Confined::with(server, ConfineSettings::default().max_body(LIMIT)).await
}

fn refused(got: &Got, status: u16, code: &str) {
    assert_eq!((got.status.as_u16(), &got.json()["issue"][0]["code"]), (status, &code.into()));
}

/// What is read of the first resource is more than is held of a whole page: the others are read again when they are
/// looked at.
#[tokio::test]
async fn a_page_of_more_values_than_are_held_is_judged_as_any() {
    let with = |mut one: Value, performer: Option<&str>, zeros: usize| {
        one["x"] = json!(vec![0; zeros]);
        one["performer"] = json!([{"reference": performer}]);
        one
    };
    let provenance = |id: &str, target: &str| json!({"resourceType": "Provenance", "id": id, "target": [{"reference": target}]});
    let doctor = |id: &str| json!({"resourceType": "Practitioner", "id": id});
    let matches = [
        with(observation("a1", "1", "laboratory"), Some("Practitioner/own"), 60_000),
        with(observation("a2", "1", "laboratory"), Some("Practitioner/own"), 60_000),
        with(observation("b1", "2", "laboratory"), Some("Practitioner/other"), 60_000),
    ];
    let along = [
        with(doctor("own"), None, 60_000),
        with(doctor("other"), None, 0),
        provenance("p", "Observation/a2"),
        provenance("q", "Observation/b1"),
    ];
    let entry =
        |resource: &Value, mode: &str| json!({"resource": resource, "search": {"mode": mode}});
    let entries: Vec<Value> = matches
        .iter()
        .map(|one| entry(one, "match"))
        .chain(along.iter().map(|one| entry(one, "include")))
        .collect();
    let page = json!({"resourceType": "Bundle", "type": "searchset", "entry": entries});
    let include = "/Observation?_include=Observation%3Aperformer&_revinclude=Provenance%3Atarget";
    let confined = Confined::before(Careless::default().answering(include, 200, &page)).await;
    let got = confined.get("patient/*.rs", include).await;
    assert_eq!(
        got.entries(),
        ["Observation/a1", "Observation/a2", "Practitioner/own", "Provenance/p"]
    );
    assert_eq!(confined.server.asked().len(), 1, "targets on the page are not looked up");
}

fn document(attachments: usize) -> Value {
    let one = |number| json!({"attachment": {"url": format!("Binary/b{number}")}});
    json!({"resourceType": "DocumentReference", "id": "d", "subject": {"reference": "Patient/1"},
        "content": (0..attachments).map(one).collect::<Vec<_>>()})
}

#[tokio::test]
async fn a_statement_that_grows_past_the_limit_as_it_is_written_is_502() {
    let statement = |rest: usize| {
        let rest = vec![json!({"mode": "server"}); rest];
        json!({"resourceType": "CapabilityStatement", "rest": rest})
    };
    for (rest, status) in [(2, 200), (1000, 502)] {
        let server = Careless::with(vec![]).answering("/metadata", 200, &statement(rest));
        let got = small(server).await.send_plain(Request::get("/r4/metadata")).await;
        assert_eq!(got.status, status, "{rest}: {}", got.text);
    }
    let server = Careless::with(vec![]).answering("/metadata", 200, &statement(1000));
    refused(&small(server).await.send_plain(Request::get("/r4/metadata")).await, 502, "too-costly");
    // Addresses of this server are longer than those of the upstream server.
    let texts = |number: usize| json!({"resourceType": "CapabilityStatement", "x": vec!["http://b"; number]});
    for (number, status) in [(10, 200), (4000, 502)] {
        let server = Careless::with(vec![]).answering("/metadata", 200, &texts(number));
        let settings = ConfineSettings::default().max_body(LIMIT).upstream_base("http://b");
        let confined = Confined::with(server, settings).await;
        let got = confined.send_plain(Request::get("/r4/metadata")).await;
        assert_eq!(got.status, status, "{number}: {}", got.text);
    }
}

#[tokio::test]
async fn attachments_that_grow_past_the_limit_as_they_are_sealed_are_502() {
    let scope = "patient/DocumentReference.rs patient/Binary.r";
    for (attachments, status) in [(10, 200), (500, 502)] {
        let document = document(attachments);
        let page = bundle(std::slice::from_ref(&document), None);
        let server = Careless::with(vec![document]).answering("/DocumentReference", 200, &page);
        let confined = small(server).await;
        for below in ["/DocumentReference/d", "/DocumentReference"] {
            let got = confined.get(scope, below).await;
            assert_eq!(got.status, status, "{below} {attachments}: {}", got.text);
            if status == 502 {
                refused(&got, 502, "too-costly");
            }
        }
    }
}

#[tokio::test]
async fn an_address_that_is_sealed_is_as_long_for_every_caller() {
    let confined = Confined::before(Careless::with(vec![document(1)])).await;
    let mut lengths = Vec::new();
    for subject in ["a".to_owned(), "a".repeat(2000)] {
        let token = confined.token("patient/DocumentReference.r patient/Binary.r", "1", &subject);
        let got = confined.send(&token, Request::get("/r4/DocumentReference/d")).await;
        let sealed = got.json()["content"][0]["attachment"]["url"].as_str().unwrap().to_owned();
        assert!(sealed.contains("/_pages/"), "{sealed}");
        lengths.push(sealed.len());
    }
    assert_eq!(lengths[0], lengths[1]);
}

#[tokio::test]
async fn a_change_that_was_made_is_told_without_a_resource_that_grows_past_the_limit() {
    let mut large = document(500);
    large.as_object_mut().unwrap().remove("content");
    let store = Store::with(&[large.clone()]);
    let grown = document(500).to_string();
    let server = Careless::handled_by(move |method, address, headers, body| {
        let mut answer = store.answer(method, address, headers, body);
        if method == "PUT" {
            *answer.body_mut() = http_body_util::Full::from(grown.clone());
        }
        answer
    });
    let settings = ConfineSettings::default().max_body(LIMIT).versions_checked();
    let confined = Confined::with(server, settings).await;
    let got = sent(&confined, OWN, "PUT", "/DocumentReference/d", &[], &large).await;
    assert_eq!((got.status.as_u16(), &*got.text), (200, ""));
}

#[tokio::test]
async fn a_page_of_more_entries_than_are_kept_is_502() {
    let page = format!(r#"{{"resourceType":"Bundle","entry":[{}]}}"#, vec!["{}"; 65_536].join(","));
    let server = Careless::with(vec![]).answering("/Observation", 200, &page);
    let got = Confined::before(server).await.get("patient/*.rs", "/Observation").await;
    refused(&got, 502, "too-costly");
}

#[tokio::test]
async fn values_are_counted_before_a_resource_or_a_patch_is_kept() {
    let mut many = observation("a1", "1", "laboratory");
    many["x"] = json!(vec![1; 70_000]);
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let got = sent(&confined, OWN, "PUT", "/Observation/a1", &[], &many).await;
    assert_eq!(got.status, 400, "{}", got.text);
    store.push("Observation/a1", many.to_string());
    let got = confined.get("patient/*.rs", "/Observation/a1").await;
    refused(&got, 502, "exception");
    let patch = json!([{"op": "add", "path": "/x", "value": vec![1; 70_000]}]);
    for scope in [OWN, "user/Observation.u patient/Observation.r"] {
        let got = sent(&confined, scope, "PATCH", "/Observation/b1", &[], &patch).await;
        refused(&got, 413, "too-long");
    }
    assert_eq!(store.count(), records().len() + 1);
}

#[tokio::test]
async fn a_patch_of_too_many_operations_is_413() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let replace = json!({"op": "replace", "path": "/status", "value": "amended"});
    let of = |number: usize| json!(vec![replace.clone(); number]);
    let got = sent(&confined, OWN, "PATCH", "/Observation/a1", &[], of(200)).await;
    assert_eq!(got.status, 200, "{}", got.text);
    let got = sent(&confined, OWN, "PATCH", "/Observation/a1", &[], of(201)).await;
    refused(&got, 413, "too-long");
    assert!(got.text.contains("200 operations"), "{}", got.text);
}

#[tokio::test]
async fn the_entries_of_a_bundle_share_the_few_headers_that_count() {
    let binary = json!({"resourceType": "Binary", "id": "b", "contentType": "text/plain", "data": "eA==",
        "securityContext": {"reference": "Patient/1"}});
    let mut records = records();
    records.push(binary);
    let confined = Confined::before(Careless::with(records)).await;
    let body = bundle_of("batch", &[entry("GET", "Binary/b", json!(null))]);
    let accepts = ("accept", "text/plain, application/fhir+json;q=0.5");
    let mut headers = vec![("accept-language", "de"); 100];
    headers.push(accepts);
    let got = sent(&confined, "patient/*.rs", "POST", "", &headers, body).await;
    assert_eq!(statuses(&got), ["200"]);
    let resource = &got.json()["entry"][0]["resource"];
    assert_eq!(resource["resourceType"], "Binary", "what is in a bundle is JSON: {}", got.text);
    let last = confined.server.last_headers();
    assert!(last.len() < 40, "{}", last.len());
}

#[tokio::test]
async fn the_log_has_a_line_for_many_entries_and_not_for_each() {
    let deletion = |number: usize| {
        json!({"request": {"method": "DELETE",
        "url": format!("https://elsewhere.example.org/Observation/{number}")}})
    };
    let entries: Vec<Value> = (0..50).map(deletion).collect();
    let history = json!({"resourceType": "Bundle", "type": "history", "entry": entries});
    let server = Careless::with(records()).answering("/Observation/_history", 200, &history);
    let confined = Confined::before(server).await;
    let log = crate::operator_log::OperatorLog::start();
    assert!(confined.get("patient/*.rs", "/Observation/_history").await.entries().is_empty());
    assert_eq!(log.lines("WARN", "lead elsewhere"), 1, "{}", log.text());
    assert_eq!(log.lines("WARN", "links=50"), 1, "{}", log.text());
    let entries: Vec<Value> =
        (0..50).map(|number| entry("GET", &format!("Condition/{number}"), json!(null))).collect();
    let body = bundle_of("batch", &entries);
    let got = sent(&confined, "patient/Observation.rs", "POST", "", &[], body).await;
    assert_eq!(statuses(&got), ["403"; 50]);
    assert_eq!(log.lines("INFO", "request refused"), 1, "{}", log.text());
    assert_eq!(log.lines("INFO", "entries=50"), 1, "{}", log.text());
}

#[tokio::test]
async fn a_placeholder_is_no_longer_than_placeholders_are() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    for (length, status) in [(36, 200), (200, 400)] {
        let mut created = entry("POST", "Observation", observation("x", "1", "laboratory"));
        created["fullUrl"] = format!("urn:uuid:{}", "a".repeat(length)).into();
        let body = bundle_of("transaction", &[created]);
        let got = sent(&confined, OWN, "POST", "", &[], body).await;
        assert_eq!(got.status, status, "{length}: {}", got.text);
    }
}

#[tokio::test]
async fn a_condition_has_a_bounded_number_of_values() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let asked_before = confined.server.asked().len();
    let new = observation("x", "1", "laboratory");
    for (values, status) in [(64, 201), (65, 400)] {
        let below = format!("/Observation?code={}", vec!["none"; values].join(","));
        let mut sent_resource = new.clone();
        sent_resource.as_object_mut().unwrap().remove("id");
        let got = sent(&confined, OWN, "PUT", &below, &[], &sent_resource).await;
        assert_eq!(got.status, status, "{values}: {}", got.text);
        if status == 400 {
            assert!(got.text.contains("64 values"), "{}", got.text);
        }
    }
    assert!(confined.server.asked().len() > asked_before);
}
