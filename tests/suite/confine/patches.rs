//! Patches by tokens that may change what they may not read.

use serde_json::json;
use tower_fhir_auth::confine::ConfineSettings;

use super::bundles::{bundle_of, entry};
use super::careless::Careless;
use super::changes::sent;
use super::store::Store;
use super::{Confined, observation, records};

const BLIND: &str = "patient/Observation.u";

const SIGHTED: &str = "patient/Observation.ru";

#[tokio::test]
async fn a_patch_that_asks_what_is_there_needs_the_right_to_read_it() {
    for (operation, is_question) in [
        (json!({"op": "test", "path": "/status", "value": "final"}), true),
        (json!({"op": "test", "path": "/status", "value": "amended"}), true),
        (json!({"op": "copy", "from": "/status", "path": "/language"}), true),
        (json!({"op": "move", "from": "/note", "path": "/component"}), true),
        (json!({"op": "add", "path": "/language", "value": "en"}), false),
        (json!({"op": "replace", "path": "/status", "value": "amended"}), false),
    ] {
        let store = Store::with(&records());
        let confined = Confined::before(store.server()).await;
        let patch = json!([operation]);
        let got = sent(&confined, BLIND, "PATCH", "/Observation/a1", &[], &patch).await;
        assert_eq!(got.status, if is_question { 403 } else { 200 }, "{operation}: {}", got.text);
        assert_eq!(store.count(), records().len() + usize::from(!is_question));
        let got = sent(&confined, SIGHTED, "PATCH", "/Observation/a1", &[], &patch).await;
        assert_ne!(got.status, 403, "{operation}: {}", got.text);
        // What is hidden is no other than what is not there.
        let got = sent(&confined, BLIND, "PATCH", "/Observation/a2", &[], &patch).await;
        assert_eq!(got.status, 404, "{operation}: {}", got.text);
    }
}

#[tokio::test]
async fn a_resource_that_may_be_changed_but_not_read_answers_no_test_in_a_bundle_either() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    // [{"op":"test","path":"/status","value":"final"}]
    let data = "W3sib3AiOiJ0ZXN0IiwicGF0aCI6Ii9zdGF0dXMiLCJ2YWx1ZSI6ImZpbmFsIn1d";
    let patch = json!({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": data});
    let bundle = bundle_of("transaction", &[entry("PATCH", "Observation/a1", patch)]);
    assert_eq!(sent(&confined, BLIND, "POST", "", &[], &bundle).await.status, 403);
    assert_eq!(sent(&confined, SIGHTED, "POST", "", &[], &bundle).await.status, 200);
    // A constraint on reading is heeded, too.
    let scope = "patient/Observation.u patient/Observation.r?category=vital-signs";
    let test = json!([{"op": "test", "path": "/status", "value": "final"}]);
    for (id, expected) in [("a1", 403), ("b1", 200)] {
        let below = format!("/Observation/{id}");
        let got = sent(&confined, scope, "PATCH", &below, &[], &test).await;
        assert_eq!(got.status, expected, "{id}: {}", got.text);
    }
    assert_eq!(store.json("Observation/a1"), observation("a1", "1", "laboratory"));
}

#[tokio::test]
async fn a_patch_of_what_is_open_goes_on_as_it_came_unless_it_could_attach_a_binary() {
    let document = json!({"resourceType": "DocumentReference", "id": "d", "status": "current",
        "subject": {"reference": "Patient/1"}});
    let put = document.to_string();
    let server = Careless::with(vec![observation("a1", "1", "laboratory"), document]);
    let settings = ConfineSettings::default().versions_checked();
    let confined = Confined::with(server, settings).await;
    let patch = json!([{"op": "add", "path": "/language", "value": "en"}]).to_string();
    let [resource, changes] = ["application/fhir+json", "application/json-patch+json"].map(Some);
    let both = "system/DocumentReference.u system/Binary.r";
    for (scope, below, body, lines, kind) in [
        ("system/Observation.u", "Observation/a1", &*patch, &["PATCH"][..], changes),
        (both, "DocumentReference/d", &*patch, &["PATCH"], changes),
        ("system/DocumentReference.u", "DocumentReference/d", &*patch, &["GET", "PUT"], resource),
        ("system/DocumentReference.u", "DocumentReference/d", &*put, &["PUT"], resource),
        ("system/DocumentReference.d", "DocumentReference/d", "", &["DELETE"], None),
    ] {
        let before = confined.server.asked().len();
        let method = match body {
            "" => "DELETE",
            _ if body.starts_with('[') => "PATCH",
            _ => "PUT",
        };
        let got = sent(&confined, scope, method, &format!("/{below}"), &[], body).await;
        assert!(got.status.is_success(), "{scope} {method}: {}", got.text);
        let asked = confined.server.asked();
        let asked: Vec<&str> = asked[before..].iter().map(|(line, _)| line.as_str()).collect();
        let expected: Vec<String> =
            lines.iter().map(|line| format!("{line} /r4/{below}")).collect();
        assert_eq!(asked, expected, "{scope} {method}");
        let headers = confined.server.last_headers();
        let found = headers.get("content-type").map(|value| value.to_str().unwrap());
        assert_eq!(found, kind, "{scope} {method}");
    }
}

#[tokio::test]
async fn in_a_patch_that_passes_only_references_are_looked_at() {
    let server = Careless::with(vec![observation("a1", "1", "laboratory")]);
    let confined = Confined::before(server).await;
    for (operation, status) in [
        (json!({"op": "copy", "from": "/status", "path": "/language"}), 200),
        (json!({"op": "replace", "path": "/note/0/text", "value": "why?"}), 200),
        (json!({"op": "replace", "path": "/subject/reference", "value": "Patient/1"}), 200),
        (json!({"op": "replace", "path": "/subject/reference", "value": "Patient?name=x"}), 400),
        (json!({"op": "copy", "from": "/note/0/text", "path": "/subject/reference"}), 400),
    ] {
        let patch = json!([operation]);
        let scope = "system/Observation.u";
        let got = sent(&confined, scope, "PATCH", "/Observation/a1", &[], &patch).await;
        assert_eq!(got.status, status, "{operation}: {}", got.text);
    }
}
