//! Batches of tokens that are confined: each entry is judged as if it had come by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};
use tower_fhir_auth::confine::ConfineSettings;

use super::careless::{Asked, Careless};
use super::changes::{OWN, sent};
use super::store::Store;
use super::{Confined, Got, observation, records};

pub(super) fn entry(method: &str, url: &str, resource: Value) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if !resource.is_null() {
        entry["resource"] = resource;
    }
    entry
}

pub(super) fn bundle_of(kind: &str, entries: &[Value]) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

/// The status of each entry.
pub(super) fn statuses(got: &Got) -> Vec<String> {
    assert_eq!(got.status, 200, "{}", got.text);
    let entries = got.json()["entry"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|one| one["response"]["status"].as_str().unwrap().to_owned()).collect()
}

async fn batch(confined: &Confined, scope: &str, entries: &[Value]) -> Got {
    sent(confined, scope, "POST", "", &[], bundle_of("batch", entries)).await
}

#[tokio::test]
async fn a_batch_is_taken_apart_and_its_answers_are_put_together_in_order() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let own = |id: &str| observation(id, "1", "laboratory");
    let data = base64::engine::general_purpose::STANDARD
        .encode(r#"[{"op":"replace","path":"/status","value":"a>b?c"}]"#);
    let patch = json!({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data});
    let mut conditional = entry("POST", "Observation", own("x"));
    conditional["request"]["ifNoneExist"] = "code=none".into();
    let mut outdated = entry("PUT", "Observation/a1", own("a1"));
    outdated["request"]["ifMatch"] = "W/\"77\"".into();
    let got = batch(
        &confined,
        OWN,
        &[
            entry("GET", "Observation/a1", json!(null)),
            entry("GET", "Observation/a2", json!(null)),
            entry("GET", "/Observation", json!(null)),
            entry("GET", "Patient/2", json!(null)),
            entry("POST", "Observation", own("x")),
            entry("POST", "Observation", observation("x", "2", "laboratory")),
            entry("PUT", "Observation/a1", own("a1")),
            outdated,
            entry("PATCH", "Observation/b1", patch),
            entry("PUT", "Observation/zz", own("zz")),
            conditional,
            entry("DELETE", "Observation/a1", json!(null)),
            entry("GET", "Observation/a1", json!(null)),
            entry("POST", "", bundle_of("batch", &[])),
            entry("POST", "Patient/1/$unheard-of", json!(null)),
            entry("GET", "metadata", json!(null)),
            json!({"resource": own("x")}),
            json!({"request": {"method": "PUT", "url": "Observation/b1", "ifMatch": 99}}),
            entry("POST", "Observation/_search", json!(null)),
        ],
    )
    .await;
    let expected = [
        "200", "404", "200", "403", "201", "403", "200", "412", "200", "404", "201", "204", "410",
        "403", "403", "403", "400", "400", "400",
    ];
    assert_eq!(statuses(&got), expected, "{}", got.text);
    let answer = got.json();
    assert_eq!(answer["type"], "batch-response");
    assert_eq!(answer["entry"][0]["resource"]["id"], "a1");
    assert_eq!(answer["entry"][2]["resource"]["type"], "searchset");
    assert_eq!(answer["entry"][3]["response"]["outcome"]["issue"][0]["code"], "forbidden");
    assert!(answer["entry"][4]["response"]["location"].as_str().unwrap().contains("/_history/1"));
    assert_eq!(answer["entry"][6]["response"]["etag"], "W/\"2\"");
    assert_eq!(answer["entry"][8]["resource"]["status"], "a>b?c");
    assert!(!got.text.contains("mark-of-2") && !got.text.contains("mark-of-the-server"));
    let asked = confined.server.asked();
    assert!(asked.iter().all(|(line, _)| line != "POST /r4"), "no bundle has reached the server");
}

#[tokio::test]
async fn a_batch_of_refused_entries_alone_is_200_and_reaches_nobody() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let refused = [
        entry("GET", "Observation/a1", json!(null)),
        entry("DELETE", "Observation/a1", json!(null)),
    ];
    let got = batch(&confined, "patient/Patient.r", &refused).await;
    assert_eq!(statuses(&got), ["403", "403"]);
    assert_eq!(confined.server.asked(), []);
    let got = batch(&confined, "patient/Patient.r", &[]).await;
    assert_eq!(got.json(), json!({"resourceType": "Bundle", "type": "batch-response"}));
    assert_eq!(batch(&confined, "openid", &refused).await.status, 403, "no right to data at all");
}

#[tokio::test]
async fn a_bundle_has_1000_entries_at_most_and_can_be_read_in_one_way() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let many = |count: usize| vec![entry("GET", "Patient/2", json!(null)); count];
    assert_eq!(statuses(&batch(&confined, OWN, &many(1000)).await).len(), 1000);
    let got = batch(&confined, OWN, &many(1001)).await;
    assert_eq!((got.status.as_u16(), &got.json()["issue"][0]["code"]), (413, &json!("too-long")));
    for body in [
        "{",
        "[]",
        r#"{"resourceType":"Bundle"}"#,
        r#"{"resourceType":"Bundle","type":"collection"}"#,
        r#"{"resourceType":"Patient","type":"batch"}"#,
        r#"{"resourceType":"Bundle","type":"batch","type":"transaction"}"#,
        r#"{"resourceType":"Bundle","type":"batch","x":{"y":1,"y":2}}"#,
        r#"{"resourceType":"Bundle","type":"batch","entry":7}"#,
        r#"{"resourceType":"Bundle","type":"batch","entry":[{"request":{"method":"GET","method":"DELETE","url":"Observation/a1"}}]}"#,
    ] {
        let got = sent(&confined, OWN, "POST", "", &[], body).await;
        assert_eq!(got.status, 400, "{body}: {}", got.text);
    }
    let xml = [("content-type", "application/fhir+xml")];
    assert_eq!(sent(&confined, OWN, "POST", "", &xml, "<Bundle/>").await.status, 415);
    assert_eq!(confined.server.asked(), []);
}

/// Every search of somebody who may see none of the results looks for a page that shows something.
#[tokio::test]
async fn one_bundle_takes_no_more_than_4096_requests_to_the_server() {
    let hidden = vec![observation("a2", "2", "laboratory")];
    let confined = Confined::before(Careless::with(hidden).paging(1).endless()).await;
    let searches = vec![entry("GET", "Observation?status=final", json!(null)); 1000];
    let got = batch(&confined, OWN, &searches).await;
    let answered = statuses(&got);
    assert_eq!((answered[0].as_str(), answered[999].as_str()), ("200", "413"));
    assert_eq!(got.json()["entry"][999]["response"]["outcome"]["issue"][0]["code"], "too-costly");
    assert_eq!(confined.server.asked().len(), 4096);
    let got = sent(&confined, OWN, "POST", "", &[], bundle_of("transaction", &searches)).await;
    assert_eq!((got.status.as_u16(), &got.json()["issue"][0]["code"]), (413, &json!("too-costly")));
    assert_eq!(confined.server.asked().len(), 2 * 4096);
}

#[tokio::test]
async fn a_batch_by_who_may_do_everything_passes_as_it_is() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let got = batch(&confined, "system/*.cruds", &[]).await;
    assert_eq!(got.status, 200, "{}", got.text);
    assert_eq!(confined.server.asked().len(), 1);
    assert_eq!(confined.server.asked()[0].0, "POST /r4");
}

/// The statuses of a bundle that is sent to a server which breaks off when an address is asked for once more than so
/// many times; `None` where that is all of the answer.
async fn before_a_break(
    confined: &Confined,
    bundle: &Value,
    (address, times): (&'static str, usize),
) -> Option<Vec<String>> {
    let (server, asked) = (confined.server.service(), Arc::new(AtomicUsize::new(0)));
    let breaking = tower::service_fn(move |request: Asked| {
        let is_it = request.uri().path() == address;
        let is_broken = is_it && asked.fetch_add(1, Ordering::Relaxed) >= times;
        let server = server.clone();
        async move {
            match is_broken {
                true => Err("broken off"),
                false => Ok(server.oneshot(request).await.unwrap()),
            }
        }
    });
    let token = confined.token(OWN, "1", "amara");
    let request = Request::post("/r4").header("authorization", format!("Bearer {token}"));
    let request = request.header("content-type", "application/fhir+json");
    let request = request.body(Full::new(Bytes::from(bundle.to_string()))).unwrap();
    let response = confined.layer.layer(breaking).oneshot(request).await.ok()?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    Some(statuses(&Got { status: parts.status, headers: parts.headers, text }))
}

#[tokio::test]
async fn what_was_changed_before_the_server_broke_off_is_told() {
    let create = entry("POST", "Observation", observation("x", "1", "laboratory"));
    let refused = entry("POST", "Observation", observation("x", "2", "laboratory"));
    let none = entry("DELETE", "Observation?code=none", json!(null));
    let [breaks, read] =
        ["a1", "b1"].map(|id| entry("GET", &format!("Observation/{id}"), json!(null)));
    for (kind, entries, times, expected) in [
        ("batch", vec![&create, &breaks, &read], 0, &["201", "502", "502"][..]),
        ("batch", vec![&breaks, &create], 0, &[]),
        ("batch", vec![&read, &breaks], 0, &[]),
        ("batch", vec![&refused, &breaks], 0, &[]),
        // It is read once before anything is changed, and once after that.
        ("transaction", vec![&create, &breaks], 1, &["201", "502"]),
        ("transaction", vec![&none, &breaks], 1, &[]),
    ] {
        let store = Store::with(&records());
        let confined = Confined::before(store.server()).await;
        let entries: Vec<Value> = entries.into_iter().cloned().collect();
        let bundle = bundle_of(kind, &entries);
        let found = before_a_break(&confined, &bundle, ("/r4/Observation/a1", times)).await;
        assert_eq!(found.unwrap_or_default(), expected, "{bundle}");
    }
}

#[tokio::test]
async fn a_change_whose_answer_has_no_room_is_told_without_the_resource() {
    let store = Store::with(&records());
    let settings = ConfineSettings::default().max_body(3000);
    let confined = Confined::with(store.server(), settings).await;
    let data = base64::engine::general_purpose::STANDARD.encode("[]");
    let patch = json!({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data});
    let patches = vec![entry("PATCH", "Observation/a1", patch); 15];
    let got = batch(&confined, OWN, &patches).await;
    assert_eq!(statuses(&got), ["200"; 15]);
    let entries = got.json()["entry"].as_array().cloned().unwrap();
    let shown = entries.iter().filter(|one| one.get("resource").is_some()).count();
    assert!((1..15).contains(&shown), "{}", got.text);
}

#[tokio::test]
async fn what_no_request_is_left_for_is_not_taken_for_absent() {
    let hidden = vec![observation("a2", "2", "laboratory")];
    let server = Careless::with(hidden).paging(1).endless().answering("/Observation/x", 410, "{}");
    let settings = ConfineSettings::default().versions_checked();
    let confined = Confined::with(server, settings).await;
    // 17 requests each, and one each.
    let mut entries = vec![entry("GET", "Observation?status=final", json!(null)); 240];
    entries.extend(vec![entry("GET", "Observation/zz", json!(null)); 15]);
    // The last request tells that it is gone, and none is left for its history.
    entries.push(entry("GET", "Observation/x", json!(null)));
    entries.push(entry("DELETE", "Observation/a2", json!(null)));
    let got = batch(&confined, OWN, &entries).await;
    assert_eq!(statuses(&got)[254..], ["404", "413", "413"]);
    assert_eq!(confined.server.asked().len(), 4096);
}

/// The address of its status would be nowhere in the answer.
#[tokio::test]
async fn no_export_begins_in_a_batch() {
    let confined = Confined::before(Careless::with(records())).await;
    let [export, read] =
        ["$export?_type=Observation", "Observation/a1"].map(|url| entry("GET", url, json!(null)));
    let got = batch(&confined, "system/*.rs", &[export, read]).await;
    assert_eq!(statuses(&got), ["403", "200"]);
    let asked = confined.server.asked();
    assert!(asked.iter().all(|(line, _)| !line.contains("export")), "{asked:?}");
}
