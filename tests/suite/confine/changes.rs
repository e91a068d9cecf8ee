//! Changes of single resources by tokens that are confined: what is as it is, and as it would be, is judged, and
//! nothing slips in between.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use tower::{Layer, ServiceExt};
use tower_fhir_auth::confine::ConfineSettings;

use super::careless::{Asked, Careless};
use super::store::Store;
use super::{Confined, Got, observation, records};

/// What patient 1 holds: everything of one's own.
pub(super) const OWN: &str = "patient/*.cruds";

const LABORATORY: &str = "user/Observation.cruds?category=laboratory";

pub(super) async fn sent(
    confined: &Confined,
    scope: &str,
    method: &str,
    below: &str,
    headers: &[(&str, &str)],
    body: impl ToString,
) -> Got {
    let token = confined.token(scope, "1", "amara");
    let mut request = Request::builder().method(method).uri(format!("/r4{below}"));
    let kind =
        if method == "PATCH" { "application/json-patch+json" } else { "application/fhir+json" };
    if !headers.iter().any(|(name, _)| *name == "content-type") {
        request = request.header("content-type", kind);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    confined.send_with(&token, request, body.to_string()).await
}

async fn before(store: &Store) -> Confined {
    Confined::before(store.server()).await
}

#[tokio::test]
async fn ones_own_is_created_updated_patched_and_deleted() {
    let store = Store::with(&records());
    let confined = before(&store).await;
    let mut new = observation("x", "1", "laboratory");
    let created = sent(&confined, OWN, "POST", "/Observation", &[], &new).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert_eq!(created.headers["cache-control"], "no-store");
    assert!(!created.headers.contains_key("x-total-count"));
    let place = created.headers["location"].to_str().unwrap();
    let name = place.strip_prefix("https://fhir.example.org/r4/").unwrap();
    let name = name.strip_suffix("/_history/1").unwrap().to_owned();
    assert_ne!(name, "Observation/x", "the id is the server's to give");
    assert_eq!(created.json()["id"], name.rsplit('/').next().unwrap());
    assert!(!confined.server.asked().last().unwrap().1.contains("\"id\""), "nor is it sent");

    new["id"] = "a1".into();
    new["status"] = "amended".into();
    let updated = sent(&confined, OWN, "PUT", "/Observation/a1", &[], &new).await;
    assert_eq!(
        (updated.status.as_u16(), &updated.headers["etag"]),
        (200, &"W/\"2\"".parse().unwrap())
    );
    assert_eq!(store.json("Observation/a1")["status"], "amended");
    assert_eq!(confined.server.last_headers()["if-match"], "W/\"1\"", "of what was judged");

    let patch = json!([{"op": "replace", "path": "/status", "value": "corrected"}]);
    let patched = sent(&confined, OWN, "PATCH", "/Observation/a1", &[], patch).await;
    assert_eq!((patched.status.as_u16(), &patched.json()["status"]), (200, &json!("corrected")));
    let (line, _) = confined.server.asked().last().unwrap().clone();
    assert_eq!(line, "PUT /r4/Observation/a1", "what comes of it was judged, and is sent");
    assert_eq!(confined.server.last_headers()["if-match"], "W/\"2\"");

    let deleted = sent(&confined, OWN, "DELETE", "/Observation/a1", &[], "").await;
    assert_eq!((deleted.status.as_u16(), deleted.text.as_str()), (204, ""));
    assert_eq!(confined.server.last_headers()["if-match"], "W/\"3\"");
    assert_eq!(store.text("Observation/a1"), None);
    for (method, body) in [("GET", ""), ("PUT", &*new.to_string()), ("PATCH", "[]"), ("DELETE", "")]
    {
        let got = sent(&confined, OWN, method, "/Observation/a1", &[], body).await;
        assert_eq!(got.status, 410, "{method}: one's own, and not brought back: {}", got.text);
        assert_eq!(got.json()["issue"][0]["code"], "deleted");
    }
}

#[tokio::test]
async fn hidden_and_absent_are_alike_for_every_method_and_condition() {
    let mut all = records();
    all.push(observation("gone", "2", "laboratory"));
    let store = Store::with(&all);
    let confined = before(&store).await;
    let other = confined.token("patient/*.cruds", "2", "tobi");
    let gone = confined.send_with(&other, Request::delete("/r4/Observation/gone"), "").await;
    assert_eq!(gone.status, 204);
    let count = store.count();
    let mut answers: Vec<String> = Vec::new();
    for id in ["a2", "nothing", "gone"] {
        let mut all = String::new();
        let path = format!("/Observation/{id}");
        let own = observation(id, "1", "laboratory").to_string();
        let patch = json!([{"op": "replace", "path": "/status", "value": "amended"}]).to_string();
        for (method, body) in [("GET", ""), ("PUT", &*own), ("PATCH", &*patch), ("DELETE", "")] {
            for headers in [
                &[][..],
                &[("if-match", "W/\"1\"")],
                &[("if-match", "W/\"77\"")],
                &[("if-none-match", "*")],
                &[("prefer", "return=minimal")],
            ] {
                let got = sent(&confined, OWN, method, &path, headers, body).await;
                assert_eq!(got.status, 404, "{method} {path} {headers:?}: {}", got.text);
                all.push_str(&format!("{:?} {}", got.headers, got.text));
            }
        }
        answers.push(all);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[2], answers[1]);
    assert_eq!(store.count(), count, "nothing was written");
}

#[tokio::test]
async fn what_is_about_somebody_else_is_neither_written_nor_given_away() {
    let store = Store::with(&records());
    let confined = before(&store).await;
    let (one, two) = (json!({"reference": "Patient/1"}), json!({"reference": "Patient/2"}));
    for (method, below, resource) in [
        ("POST", "/Observation", json!({"subject": two, "performer": [one]})),
        ("POST", "/Observation", json!({"subject": one, "performer": [two]})),
        ("POST", "/Observation", json!({"performer": [one]})),
        ("POST", "/Observation", json!({"subject": {"reference": "urn:uuid:1"}})),
        ("POST", "/Patient", json!({})),
        ("POST", "/Organization", json!({})),
        ("POST", "/Provenance", json!({"target": [one]})),
        ("PUT", "/Observation/a1", json!({"id": "a1", "subject": two})),
        ("PUT", "/Patient/1", json!({"id": "1", "link": [{"other": two, "type": "seealso"}]})),
        ("PATCH", "/Observation/a1", json!([{"op": "replace", "path": "/subject", "value": two}])),
        ("PUT", "/Provenance/own", json!({"id": "own", "target": [one]})),
        ("DELETE", "/Provenance/own", json!("")),
    ] {
        let mut resource = resource;
        if resource.is_object() {
            resource["resourceType"] = below.split('/').nth(1).unwrap().into();
        }
        let got = sent(&confined, OWN, method, below, &[], &resource).await;
        assert_eq!(got.status, 403, "{method} {below} {resource}: {}", got.text);
        assert!(got.headers.contains_key("www-authenticate"), "{method} {below}");
    }
    for (method, below) in [("PUT", "/Provenance/other"), ("DELETE", "/Provenance/mixed")] {
        let id = below.rsplit('/').next().unwrap();
        let resource = json!({"resourceType": "Provenance", "id": id, "target": [one]});
        assert_eq!(sent(&confined, OWN, method, below, &[], resource).await.status, 404);
    }
    assert_eq!(store.count(), records().len(), "nothing was written");
}

#[tokio::test]
async fn a_constrained_write_needs_the_old_and_the_new_state_inside() {
    let store = Store::with(&records());
    let confined = before(&store).await;
    let with = |id: &str, category: &str| observation(id, "2", category);
    for (method, below, resource, expected) in [
        ("POST", "/Observation", with("x", "laboratory"), 201),
        ("POST", "/Observation", with("x", "vital-signs"), 403),
        ("PUT", "/Observation/a2", with("a2", "laboratory"), 200),
        ("PUT", "/Observation/a2", with("a2", "vital-signs"), 403),
        ("PUT", "/Observation/b1", with("b1", "laboratory"), 404),
        ("PUT", "/Observation/zz", with("zz", "laboratory"), 404),
        ("DELETE", "/Observation/b1", json!(""), 404),
        ("DELETE", "/Observation/a2", json!(""), 204),
    ] {
        let got = sent(&confined, LABORATORY, method, below, &[], &resource).await;
        assert_eq!(got.status, expected, "{method} {below}: {}", got.text);
    }
}

/// The subject of the resource changes between the look at it and the write, a thousand times.
#[tokio::test]
async fn no_race_slips_a_write_in_between() {
    let store = Store::with(&records()).before_each_write(|versions| {
        let other = observation("a1", "2", "laboratory").to_string();
        versions.get_mut("Observation/a1").unwrap().push(Some(other));
    });
    let reset = |store: &Store| {
        let own = observation("a1", "1", "laboratory").to_string();
        store.push("Observation/a1", own);
    };
    let confined = before(&store).await;
    let put = observation("a1", "1", "vital-signs");
    let patch = json!([{"op": "add", "path": "/language", "value": "en"}]);
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [
        {"request": {"method": "PUT", "url": "Observation/a1"}, "resource": put}]});
    let mut refused = 0;
    for round in 0..1000 {
        reset(&store);
        let got = match round % 4 {
            0 => sent(&confined, OWN, "PUT", "/Observation/a1", &[], &put).await,
            1 => sent(&confined, OWN, "PATCH", "/Observation/a1", &[], &patch).await,
            2 => sent(&confined, OWN, "POST", "", &[], &bundle).await,
            _ => sent(&confined, OWN, "DELETE", "/Observation/a1", &[], "").await,
        };
        assert_eq!(got.status, 412, "{round}: {}", got.text);
        assert_eq!(got.json()["issue"][0]["code"], "conflict");
        assert!(!got.text.contains("mark-of-the-server"), "{}", got.text);
        let now = store.json("Observation/a1");
        assert_eq!(now["subject"]["reference"], "Patient/2", "{round}: something was written");
        assert_eq!(now["category"][0]["coding"][0]["code"], "laboratory", "{round}");
        refused += 1;
    }
    assert_eq!(refused, 1000);
}

#[tokio::test]
async fn a_server_that_does_not_say_that_it_honours_if_match_gets_no_confined_write() {
    let log = crate::operator_log::OperatorLog::start();
    for says in ["versioned", "no-version", ""] {
        let store = Store::with(&records()).saying(says).heedless();
        let confined = before(&store).await;
        let put = observation("a1", "1", "laboratory");
        let patch = json!([{"op": "add", "path": "/language", "value": "en"}]);
        for (method, body) in
            [("PUT", put.to_string()), ("PATCH", patch.to_string()), ("DELETE", String::new())]
        {
            for path in ["/Observation/a1", "/Observation/a2", "/Observation/zz"] {
                let got = sent(&confined, OWN, method, path, &[], &body).await;
                assert_eq!(got.status, 403, "{says} {method} {path}: {}", got.text);
                assert!(got.text.contains("versioned-update"), "{}", got.text);
            }
        }
        assert_eq!(store.count(), records().len(), "nothing was written");
        let asked = confined.server.asked();
        assert_eq!(asked, [("GET /r4/metadata".to_owned(), String::new())], "asked once");
        // A creation changes nothing that is there.
        let new = observation("x", "1", "laboratory");
        assert_eq!(sent(&confined, OWN, "POST", "/Observation", &[], new).await.status, 201);
        // Who is not confined needs no version.
        let open = "system/Observation.cruds";
        assert_eq!(sent(&confined, open, "PUT", "/Observation/a1", &[], &put).await.status, 200);
    }
    assert!(log.lines("WARN", "says `versioned-update` of no type") >= 3, "{}", log.text());
    assert!(log.lines("INFO", "versioned-update") >= 9, "{}", log.text());
}

#[tokio::test]
async fn an_operator_who_has_checked_it_may_say_so() {
    let store = Store::with(&records()).saying("versioned");
    let settings = ConfineSettings::default().versions_checked();
    let confined = Confined::with(store.server(), settings).await;
    let put = observation("a1", "1", "laboratory");
    assert_eq!(sent(&confined, OWN, "PUT", "/Observation/a1", &[], &put).await.status, 200);
    assert!(confined.server.asked().iter().all(|(line, _)| !line.contains("metadata")));
}

#[tokio::test]
async fn a_server_that_sends_no_version_gets_no_confined_write() {
    let store = Store::with(&records()).silent_of_versions();
    let confined = before(&store).await;
    let put = observation("a1", "1", "laboratory");
    let got = sent(&confined, OWN, "PUT", "/Observation/a1", &[], &put).await;
    assert_eq!(got.status, 403, "{}", got.text);
    assert!(got.text.contains("version"), "{}", got.text);
    let hidden = observation("a2", "1", "laboratory");
    assert_eq!(sent(&confined, OWN, "PUT", "/Observation/a2", &[], hidden).await.status, 404);
    // It may stand in the resource.
    let mut with_meta = put.clone();
    with_meta["meta"] = json!({"versionId": "2"});
    store.push("Observation/a1", with_meta.to_string());
    assert_eq!(sent(&confined, OWN, "PUT", "/Observation/a1", &[], &put).await.status, 200);
    assert_eq!(confined.server.last_headers()["if-match"], "W/\"2\"");
}

#[tokio::test]
async fn the_capability_statement_is_kept_for_a_bounded_time() {
    let store = Store::with(&records());
    let confined = before(&store).await;
    let asked = |confined: &Confined| {
        confined.server.asked().iter().filter(|(line, _)| line.contains("metadata")).count()
    };
    let put = observation("a1", "1", "laboratory");
    for (advance, expected) in [(0, 1), (290, 1), (20, 2)] {
        confined.clock.advance(advance);
        for _ in 0..3 {
            assert_eq!(sent(&confined, OWN, "PUT", "/Observation/a1", &[], &put).await.status, 200);
        }
        assert_eq!(asked(&confined), expected, "{advance}");
    }
}

#[tokio::test]
async fn who_asks_at_the_same_time_asks_once() {
    let store = Store::with(&records()).saying("versioned");
    let confined = before(&store).await;
    let put = observation("a1", "1", "laboratory");
    let all = (0..20).map(|_| sent(&confined, OWN, "PUT", "/Observation/a1", &[], &put));
    let mut all = Box::pin(futures_all(all));
    let all = all.as_mut().await;
    assert!(all.iter().all(|got| got.status == 403));
    assert_eq!(confined.server.asked().len(), 1);
}

#[tokio::test]
async fn who_has_waited_for_a_statement_that_did_not_come_does_not_ask_again() {
    let confined = Confined::before(Careless::default().answering("/metadata", 500, "{}")).await;
    let server = confined.server.service();
    let slow = tower::service_fn(move |request: Asked| {
        let server = server.clone();
        async move {
            tokio::task::yield_now().await;
            server.oneshot(request).await
        }
    });
    let token = confined.token(OWN, "1", "amara");
    let ask = || {
        let request = Request::delete("/r4/Observation/a1");
        let request = request.header("authorization", format!("Bearer {token}"));
        let request = request.body(Full::<Bytes>::default()).unwrap();
        confined.layer.layer(slow.clone()).oneshot(request)
    };
    let all = futures_all((0..20).map(|_| ask())).await;
    assert!(all.iter().all(|response| response.as_ref().unwrap().status() == 502));
    assert_eq!(confined.server.asked().len(), 1);
}

#[tokio::test]
async fn a_capability_statement_that_does_not_come_is_told_and_asked_for_again() {
    for (status, expected) in [(500, 502), (503, 503), (429, 503), (404, 403), (200, 403)] {
        let store = Store::with(&records());
        let (answer, down) = (store.clone(), std::sync::Arc::new(AtomicUsize::new(1)));
        let is_down = std::sync::Arc::clone(&down);
        let server = Careless::handled_by(move |method, address, headers, body| {
            match address.contains("metadata") && is_down.load(Ordering::Relaxed) == 1 {
                true => http::Response::builder().status(status).body(Default::default()).unwrap(),
                false => answer.answer(method, address, headers, body),
            }
        });
        let confined = Confined::before(server).await;
        let put = observation("a1", "1", "laboratory");
        let got = sent(&confined, OWN, "PUT", "/Observation/a1", &[], &put).await;
        assert_eq!(got.status, expected, "{status}: {}", got.text);
        assert_eq!(store.count(), records().len());
        down.store(0, Ordering::Relaxed);
        confined.clock.advance(if expected == 403 { 10 } else { 0 });
        let got = sent(&confined, OWN, "PUT", "/Observation/a1", &[], &put).await;
        assert_eq!(got.status, 200, "{status}: {}", got.text);
    }
}

async fn futures_all<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        let mut is_over = true;
        for (one, output) in &mut all {
            if output.is_none() {
                match one.as_mut().poll(context) {
                    std::task::Poll::Ready(ready) => *output = Some(ready),
                    std::task::Poll::Pending => is_over = false,
                }
            }
        }
        if is_over { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    all.into_iter().filter_map(|(_, output)| output).collect()
}

#[tokio::test]
async fn the_conditions_of_a_client_are_heeded_for_what_it_may_see() {
    let store = Store::with(&records());
    let confined = before(&store).await;
    let put = observation("a1", "1", "laboratory");
    for (headers, expected) in [
        ([("if-match", "W/\"77\"")], 412),
        ([("if-match", "")], 412),
        ([("if-none-match", "*")], 412),
        ([("if-none-match", "W/\"1\"")], 412),
        ([("if-none-match", "W/\"9\"")], 200),
        ([("if-match", "W/\"1\", W/\"2\"")], 200),
        ([("if-match", "*")], 200),
    ] {
        let got = sent(&confined, OWN, "PUT", "/Observation/a1", &headers, &put).await;
        assert_eq!(got.status, expected, "{headers:?}: {}", got.text);
    }
}

#[tokio::test]
async fn decimals_keep_their_digits_through_a_patch() {
    let text = r#"{"resourceType":"Observation","id":"d","status":"final","subject":{"reference":"Patient/1"},
        "valueQuantity":{"value":5.40,"unit":"%"},"extension":[{"valueDecimal":1.0e-10}]}"#;
    let store = Store::with(&records());
    store.push("Observation/d", text.to_owned());
    let confined = before(&store).await;
    let patch = r#"[{"op":"test","path":"/valueQuantity/value","value":5.4},
        {"op":"add","path":"/extension/-","value":{"valueDecimal":7.10}},
        {"op":"copy","from":"/valueQuantity","path":"/component"}]"#;
    let got = sent(&confined, OWN, "PATCH", "/Observation/d", &[], patch).await;
    assert_eq!(got.status, 200, "{}", got.text);
    let stored = store.text("Observation/d").unwrap();
    for digits in ["5.40", "7.10", "1.0e-10"] {
        assert!(stored.contains(digits) && got.text.contains(digits), "{digits}: {stored}");
    }
    assert_eq!(stored.matches("5.40").count(), 2, "{stored}");
}

#[tokio::test]
async fn a_patch_that_cannot_be_applied_is_400_and_of_another_kind_415() {
    let store = Store::with(&records());
    let confined = before(&store).await;
    for (kind, patch, expected) in [
        ("application/json-patch+json", r#"[{"op":"test","path":"/status","value":"x"}]"#, 400),
        ("application/json-patch+json", r#"[{"op":"replace","path":"/id","value":"a2"}]"#, 400),
        ("application/json-patch+json", r#"[{"op":"remove","path":"/status","path":"/x"}]"#, 400),
        ("application/json-patch+json", "{", 400),
        ("application/fhir+json", r#"{"resourceType":"Parameters"}"#, 415),
        ("application/fhir+xml", "<Parameters/>", 415),
    ] {
        let headers = [("content-type", kind)];
        let got = sent(&confined, OWN, "PATCH", "/Observation/a1", &headers, patch).await;
        assert_eq!(got.status, expected, "{kind} {patch}: {}", got.text);
    }
    assert_eq!(store.count(), records().len());
}

#[tokio::test]
async fn a_body_that_can_be_read_in_two_ways_is_400() {
    let store = Store::with(&records());
    let confined = before(&store).await;
    let json = ("content-type", "application/fhir+json");
    let doubled = r#"{"resourceType":"Observation","id":"a1","subject":{"reference":"Patient/1"},"subject":{"reference":"Patient/2"}}"#;
    let inner = r#"{"resourceType":"Observation","id":"a1","subject":{"reference":"Patient/2","reference":"Patient/1"}}"#;
    let conditional = r#"{"resourceType":"Observation","id":"a1","subject":{"reference":"Patient/1"},"encounter":{"reference":"Encounter?identifier=x"}}"#;
    let escaped = conditional.replace('?', "\\u003f");
    let escaped = escaped.as_str();
    for (headers, body, expected) in [
        (vec![json], doubled, 400),
        (vec![json], inner, 400),
        (vec![json], conditional, 400),
        (vec![json], escaped, 400),
        (vec![json], "{", 400),
        (vec![json], "", 400),
        (vec![json], "[]", 400),
        (vec![json], r#"{"resourceType":"Patient","id":"a1"}"#, 400),
        (vec![json], r#"{"resourceType":"Observation","id":"a2"}"#, 400),
        (vec![json], r#"{"resourceType":"Observation"}"#, 400),
        (vec![("content-type", "application/fhir+xml")], "<Observation/>", 415),
        (vec![json, ("content-encoding", "gzip")], "{}", 415),
        (vec![json, ("accept", "application/fhir+xml")], "{}", 406),
    ] {
        let got = sent(&confined, OWN, "PUT", "/Observation/a1", &headers, body).await;
        assert_eq!(got.status, expected, "{headers:?} {body}: {}", got.text);
    }
    let patch = Request::patch("/r4/Observation/a1");
    let got = confined.send_with(&confined.token(OWN, "1", "amara"), patch, "[]").await;
    assert_eq!(got.status, 415, "a patch of which nobody says what it is: {}", got.text);
    let settings = ConfineSettings::default().max_body(100);
    let small = Confined::with(store.server(), settings).await;
    let large = observation("x", "1", "laboratory");
    let got = sent(&small, OWN, "POST", "/Observation", &[], large).await;
    assert_eq!((got.status.as_u16(), &got.json()["issue"][0]["code"]), (413, &json!("too-long")));
    assert_eq!(store.count(), records().len());
}

#[tokio::test]
async fn what_a_client_prefers_to_have_back_it_gets_and_never_what_it_may_not_see() {
    let store = Store::with(&records());
    let confined = before(&store).await;
    let put = observation("a1", "1", "laboratory");
    for (scope, prefer, shows) in [
        (OWN, "return=representation", "Observation"),
        (OWN, "respond-async", "Observation"),
        (OWN, "return=minimal", ""),
        (OWN, "return=OperationOutcome", "OperationOutcome"),
        ("patient/*.cu", "return=representation", ""),
    ] {
        let headers = [("prefer", prefer)];
        for (method, below, status) in
            [("PUT", "/Observation/a1", 200), ("POST", "/Observation", 201)]
        {
            let got = sent(&confined, scope, method, below, &headers, &put).await;
            assert_eq!(got.status, status, "{scope} {prefer}: {}", got.text);
            assert!(got.headers.contains_key("location") && got.headers.contains_key("etag"));
            match shows {
                "" => assert_eq!(got.text, "", "{scope} {prefer}"),
                name => assert_eq!(got.json()["resourceType"], name, "{scope} {prefer}"),
            }
        }
    }
    let outcome = [("prefer", "return=OperationOutcome")];
    let got = sent(&confined, OWN, "DELETE", "/Observation/a1", &outcome, "").await;
    assert_eq!(
        (got.status.as_u16(), &got.json()["resourceType"]),
        (200, &json!("OperationOutcome"))
    );
}

#[tokio::test]
async fn a_server_that_answers_a_write_with_another_resource_leaks_nothing() {
    let other = observation("a2", "2", "laboratory").to_string();
    let answers = [
        (200, other.clone(), 502),
        (200, "<Observation/> mark".to_owned(), 502),
        (200, "mark".to_owned(), 502),
        (200, observation("a1", "2", "laboratory").to_string(), 200),
        (200, json!({"resourceType": "OperationOutcome", "text": "mark"}).to_string(), 200),
        (202, observation("a1", "1", "laboratory").to_string(), 502),
        (302, other.clone(), 502),
        (401, other.clone(), 502),
        (409, json!({"resourceType": "OperationOutcome", "issue": [{"code": "conflict", "diagnostics": "mark"}]}).to_string(), 409),
        (422, "mark".to_owned(), 422),
        (500, "mark".to_owned(), 500),
    ];
    for (status, body, expected) in answers {
        let number = AtomicUsize::new(0);
        let own = observation("a1", "1", "laboratory").to_string();
        let answered = body.clone();
        let server = Careless::handled_by(move |method, _, _, _| {
            number.fetch_add(1, Ordering::Relaxed);
            let response = http::Response::builder().header("etag", "W/\"1\"");
            let response = match method {
                "GET" => response.body(own.clone()),
                _ => response
                    .status(status)
                    .header("location", "https://fhir.example.org/r4/Observation/a2/_history/mark")
                    .header("content-location", "https://elsewhere.example.org/mark")
                    .header("warning", "mark")
                    .body(answered.clone()),
            };
            response.unwrap().map(Full::from)
        });
        let settings = ConfineSettings::default().versions_checked();
        let confined = Confined::with(server, settings).await;
        let put = observation("a1", "1", "laboratory").to_string();
        let got = sent(&confined, OWN, "PUT", "/Observation/a1", &[], &put).await;
        assert_eq!(got.status, expected, "{status} {body}: {}", got.text);
        assert!(!format!("{:?}{}", got.headers, got.text).contains("mark"), "{got:?}");
    }
}

/// R5 section 3.2.0.4.3. Where the upstream server does not say that the resource is not there, it may be.
#[tokio::test]
async fn a_conditional_update_overwrites_nothing_that_its_condition_has_excluded() {
    for (found, expected) in
        [(200, 409), (404, 200), (410, 200), (401, 502), (429, 429), (500, 500), (503, 503)]
    {
        let server = Careless::handled_by(move |method, path, _, _| {
            let own = observation("a1", "1", "laboratory").to_string();
            let response = http::Response::builder();
            let response = match method {
                "GET" if path.contains('?') => response
                    .body(json!({"resourceType": "Bundle", "type": "searchset"}).to_string()),
                "GET" => response.status(found).body(own),
                _ => response.body(own),
            };
            response.unwrap().map(Full::from)
        });
        let confined = Confined::before(server).await;
        let put = observation("a1", "1", "laboratory").to_string();
        let scope = "system/Observation.cruds";
        let got = sent(&confined, scope, "PUT", "/Observation?identifier=s|none", &[], &put).await;
        assert_eq!(got.status, expected, "{found}: {}", got.text);
        let asked = confined.server.asked();
        let puts = asked.iter().filter(|(line, _)| line.starts_with("PUT")).count();
        assert_eq!(puts, usize::from(expected == 200), "{found}");
    }
}

#[tokio::test]
async fn what_may_reach_more_than_the_resource_is_refused() {
    let store = Store::with(&records());
    let confined = before(&store).await;
    for (scope, below, expected) in [
        (OWN, "/Observation/a1?_cascade=delete", 403),
        (OWN, "/Observation/a1?_hardDelete=true", 403),
        (OWN, "/Observation/a1?_expunge=true", 403),
        ("system/Observation.cruds", "/Observation/a1?_cascade=delete", 403),
        ("system/Observation.cruds", "/Observation/a1?_expunge=true", 403),
        ("system/Observation.cruds", "/Observation/a1?_hardDelete=maybe", 403),
        ("system/Observation.cruds", "/Observation/a1/_history", 403),
        ("system/Observation.cruds", "/Observation/a1?_hardDelete=true", 204),
        (OWN, "/Observation/b1?_pretty=true", 204),
    ] {
        let got = sent(&confined, scope, "DELETE", below, &[], "").await;
        assert_eq!(got.status, expected, "{scope} {below}: {}", got.text);
    }
    let passed = confined.server.asked();
    assert!(passed.iter().any(|(line, _)| line == "DELETE /r4/Observation/a1?_hardDelete=true"));
    assert!(passed.iter().any(|(line, _)| line == "DELETE /r4/Observation/b1"));
}

#[tokio::test]
async fn provenance_in_a_header_goes_on_only_where_it_may_be_created_of_everybody() {
    let store = Store::with(&records());
    let confined = before(&store).await;
    let put = observation("a1", "1", "laboratory");
    let headers = [("x-provenance", "{\"resourceType\":\"Provenance\"}")];
    for (scope, expected) in [(OWN, 403), ("patient/*.cruds system/Provenance.c", 200)] {
        let got = sent(&confined, scope, "PUT", "/Observation/a1", &headers, &put).await;
        assert_eq!(got.status, expected, "{scope}: {}", got.text);
    }
    assert!(confined.server.last_headers().contains_key("x-provenance"));
}

#[tokio::test]
async fn a_history_is_deleted_only_where_that_is_asked_for() {
    let confined = Confined::before(Careless::with(records())).await;
    for (query, sent_on) in [
        ("", ""),
        ("?_hardDelete=false", ""),
        ("?_pretty=true", ""),
        ("?_hardDelete=true", "?_hardDelete=true"),
        ("?_pretty=true&_hardDelete=true", "?_hardDelete=true"),
    ] {
        let below = format!("/Observation/a1{query}");
        let got = sent(&confined, "system/Observation.d", "DELETE", &below, &[], "").await;
        assert_eq!(got.status, 204, "{query}: {}", got.text);
        let line = format!("DELETE /r4/Observation/a1{sent_on}");
        assert_eq!(confined.server.asked().last().unwrap().0, line, "{query}");
    }
}

#[tokio::test]
async fn what_is_created_without_an_id_is_sent_byte_by_byte() {
    let store = Store::with(&records());
    let confined = before(&store).await;
    let text = r#"{"subject": {"reference": "Patient/1"},  "resourceType": "Observation"}"#;
    let got = sent(&confined, OWN, "POST", "/Observation", &[], text).await;
    assert_eq!(got.status, 201, "{}", got.text);
    assert_eq!(confined.server.asked().last().unwrap().1, text);
}

#[tokio::test]
async fn what_is_read_before_a_change_is_of_the_type_of_the_address() {
    let other = json!({"resourceType": "Condition", "id": "a1", "subject": {"reference": "Patient/1"},
        "meta": {"versionId": "1"}});
    let server = Careless::with(records()).answering("/Observation/a1", 200, &other);
    let confined = Confined::with(server, ConfineSettings::default().versions_checked()).await;
    let got = sent(&confined, OWN, "DELETE", "/Observation/a1", &[], "").await;
    assert_eq!(got.status, 404, "{}", got.text);
}
