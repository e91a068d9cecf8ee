//! Attachments in changes: nobody has a Binary shown that was not.

use serde_json::{Value, json};
use tower_fhir_auth::confine::ConfineSettings;

use super::changes::{OWN, sent};
use super::store::Store;
use super::{Confined, records};

const URL: &str = "Binary/secret";

/// Whom a Binary is not open to, but every document is.
const ANY_DOCUMENT: &str = "user/DocumentReference.u user/DiagnosticReport.u user/Media.u \
    patient/DocumentReference.r patient/Binary.r";

fn resource(kind: &str, member: &str, value: &Value) -> Value {
    let mut one = json!({"resourceType": kind, "id": "d", "status": "current",
        "subject": {"reference": "Patient/1"}});
    if !value.is_null() {
        one[member] = value.clone();
    }
    one
}

fn store() -> Store {
    let mut all = records();
    for (kind, member) in MEMBERS {
        all.push(resource(kind, member, &Value::Null));
    }
    all.push(json!({"resourceType": "Binary", "id": "secret", "data": "eA=="}));
    Store::with(&all)
}

async fn before(store: &Store) -> Confined {
    Confined::with(store.server(), ConfineSettings::default().versions_checked()).await
}

const MEMBERS: [(&str, &str); 3] =
    [("DocumentReference", "content"), ("DiagnosticReport", "presentedForm"), ("Media", "content")];

/// What servers may take for attachments, though FHIR does not write them so.
fn lenient(kind: &str) -> Vec<Value> {
    let strange = [json!(["x", URL]), json!({"value": URL}), json!(7), json!([[URL]])]
        .map(|url| json!({"url": url}));
    let attachment = json!({"url": URL});
    let mut all = match kind {
        "DocumentReference" => vec![
            json!({"attachment": attachment}),
            json!([{"attachment": attachment}, 7]),
            json!([{"attachment": [attachment]}]),
            json!([[{"attachment": attachment}]]),
            json!([{"attachment": URL}]),
        ],
        "DiagnosticReport" => {
            vec![attachment.clone(), json!([attachment, 7]), json!([[attachment]])]
        }
        _ => vec![json!([attachment]), json!(URL)],
    };
    all.extend(strange.into_iter().map(|one| match kind {
        "DocumentReference" => json!([{"attachment": one}]),
        "DiagnosticReport" => json!([one]),
        _ => one,
    }));
    all
}

/// The form that FHIR gives to attachments.
fn plain(kind: &str) -> Value {
    let attachment = json!({"url": URL});
    match kind {
        "DocumentReference" => json!([{"attachment": attachment}]),
        "DiagnosticReport" => json!([attachment]),
        _ => attachment,
    }
}

#[tokio::test]
async fn an_attachment_in_a_form_that_cannot_be_read_is_refused() {
    let store = store();
    let confined = before(&store).await;
    let count = store.count();
    for (kind, member) in MEMBERS {
        for value in lenient(kind) {
            let body = resource(kind, member, &value);
            let patch = json!([{"op": "add", "path": format!("/{member}"), "value": value}]);
            let instance = format!("/{kind}/d");
            for (method, below, body) in [
                ("POST", &*format!("/{kind}"), &body),
                ("PUT", &*instance, &body),
                ("PATCH", &*instance, &patch),
            ] {
                let got = sent(&confined, OWN, method, below, &[], body).await;
                assert_eq!(got.status, 400, "{method} {kind} {value}: {}", got.text);
            }
        }
    }
    assert_eq!(store.count(), count);
    let none = resource("DocumentReference", "content", &json!([{"attachment": {"title": "x"}}]));
    let got = sent(&confined, OWN, "PUT", "/DocumentReference/d", &[], none).await;
    assert_eq!(got.status, 200, "{}", got.text);
}

#[tokio::test]
async fn a_token_that_may_change_every_document_has_no_binary_shown_that_it_may_not_see() {
    let store = store();
    let confined = before(&store).await;
    let count = store.count();
    for (kind, member) in MEMBERS {
        for value in [plain(kind)].into_iter().chain(lenient(kind)) {
            let body = resource(kind, member, &value);
            let patch = json!([{"op": "add", "path": format!("/{member}"), "value": value}]);
            for (method, body) in [("PUT", &body), ("PATCH", &patch)] {
                let below = format!("/{kind}/d");
                let got = sent(&confined, ANY_DOCUMENT, method, &below, &[], body).await;
                assert_eq!(got.status, 400, "{method} {kind} {value}: {}", got.text);
            }
        }
        let patch = json!([{"op": "add", "path": "/language", "value": "en"}]);
        let below = format!("/{kind}/d");
        let got = sent(&confined, ANY_DOCUMENT, "PATCH", &below, &[], patch).await;
        assert_eq!(got.status, 200, "{kind}: {}", got.text);
    }
    assert_eq!(store.count(), count + 3);
    // To whom every Binary is open, nothing is hidden.
    let body = resource("Media", "content", &plain("Media"));
    let open = format!("{ANY_DOCUMENT} user/Binary.r");
    let got = sent(&confined, &open, "PUT", "/Media/d", &[], body).await;
    assert_eq!(got.status, 200, "{}", got.text);
}
