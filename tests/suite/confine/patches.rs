//! Patches by tokens that may change what they may not read.

use serde_json::json;

use super::bundles::{bundle_of, entry};
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
