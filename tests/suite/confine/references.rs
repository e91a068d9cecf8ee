//! References that only the upstream server would find out.

use serde_json::{Value, json};

use super::bundles::{bundle_of, entry};
use super::changes::{OWN, sent};
use super::store::Store;
use super::{Confined, observation, records};
use crate::support::BASE;

fn at(encounter: &Value) -> Value {
    let mut one = observation("a1", "1", "laboratory");
    one["encounter"] = json!({"reference": encounter});
    one
}

/// Checks that a reference is refused in each kind of change, and that nothing is stored.
async fn assert_refused(encounter: &Value) {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let put = at(encounter);
    let set = json!([{"op": "add", "path": "/encounter/reference", "value": encounter}]);
    let add = json!([{"op": "add", "path": "/encounter", "value": {"reference": encounter}}]);
    for scope in [OWN, "user/Observation.cruds"] {
        for (method, below, body) in [
            ("POST", "/Observation", put.clone()),
            ("PUT", "/Observation/a1", put.clone()),
            ("PATCH", "/Observation/a1", add.clone()),
            ("PATCH", "/Observation/a1", set.clone()),
            ("POST", "", bundle_of("transaction", &[entry("PUT", "Observation/a1", put.clone())])),
        ] {
            let got = sent(&confined, scope, method, below, &[], &body).await;
            assert_eq!(got.status, 400, "{scope} {method} {below} {encounter}: {}", got.text);
        }
    }
    assert_eq!(store.count(), records().len());
}

#[tokio::test]
async fn a_conditional_reference_is_refused_in_whatever_form() {
    for reference in [
        "Encounter?patient.name=Smith".to_owned(),
        "Encounter?".to_owned(),
        "/Encounter?identifier=x".to_owned(),
        format!("{BASE}/Encounter?patient.name=Smith"),
        "https://elsewhere.example.org/Encounter?identifier=x".to_owned(),
        "urn:uuid:Encounter?identifier=x".to_owned(),
    ] {
        assert_refused(&json!(reference)).await;
    }
}

#[tokio::test]
async fn a_list_of_references_is_no_reference() {
    for list in [
        json!(["Encounter?identifier=x"]),
        json!(["Encounter/of-patient-2"]),
        json!([["Encounter/of-patient-2"]]),
        json!([{"display": "x"}, "Encounter/of-patient-2"]),
    ] {
        assert_refused(&list).await;
    }
}

#[tokio::test]
async fn a_reference_of_a_patch_that_passes_is_put_in_and_not_copied() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    for op in ["copy", "move"] {
        let patch = json!([{"op": op, "from": "/note/0/text", "path": "/encounter/reference"}]);
        let scope = "user/Observation.cruds";
        let got = sent(&confined, scope, "PATCH", "/Observation/a1", &[], patch).await;
        assert_eq!(got.status, 400, "{op}: {}", got.text);
    }
    assert_eq!(store.count(), records().len());
}
