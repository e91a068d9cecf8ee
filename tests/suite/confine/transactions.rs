//! Transactions of tokens that are confined: they pass whole, or nothing is stored.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::bundles::{bundle_of, entry, statuses};
use super::careless::Careless;
use super::changes::{OWN, sent};
use super::store::Store;
use super::{Confined, Got, observation, records};
use tower_fhir_auth::confine::ConfineSettings;

async fn transaction(confined: &Confined, scope: &str, entries: &[Value]) -> Got {
    sent(confined, scope, "POST", "", &[], bundle_of("transaction", entries)).await
}

fn own(id: &str) -> Value {
    observation(id, "1", "laboratory")
}

fn named(mut entry: Value, name: &str) -> Value {
    entry["fullUrl"] = name.into();
    entry
}

/// The transaction that has reached the server.
fn passed(confined: &Confined) -> Value {
    let asked = confined.server.asked();
    let (_, body) = asked.iter().rfind(|(line, _)| line == "POST /r4").unwrap();
    serde_json::from_str(body).unwrap()
}

#[tokio::test]
async fn a_transaction_passes_whole_with_the_version_of_what_was_judged() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let got = transaction(
        &confined,
        OWN,
        &[
            entry("POST", "Observation", own("x")),
            entry("PUT", "Observation/a1", own("a1")),
            entry("GET", "Patient/1", json!(null)),
            entry("DELETE", "Observation/b1", json!(null)),
            entry("DELETE", "Observation?code=none", json!(null)),
            entry("GET", "Observation", json!(null)),
        ],
    )
    .await;
    assert_eq!(statuses(&got), ["201", "200", "200", "204", "204", "200"], "{}", got.text);
    let answer = got.json();
    assert_eq!(answer["type"], "transaction-response");
    assert_eq!(answer["entry"][1]["resource"]["id"], "a1");
    assert_eq!(answer["entry"][2]["resource"]["resourceType"], "Patient");
    assert_eq!(answer["entry"][1]["response"]["etag"], "W/\"2\"");
    let place = answer["entry"][1]["response"]["location"].as_str().unwrap();
    assert_eq!(place, "https://fhir.example.org/r4/Observation/a1/_history/2");
    assert!(!got.text.contains("mark-of-2"));
    let bundle = passed(&confined);
    let requests: Vec<&Value> =
        bundle["entry"].as_array().unwrap().iter().map(|one| &one["request"]).collect();
    assert_eq!(requests.len(), 3, "{bundle}");
    assert_eq!(
        *requests[1],
        json!({"method": "PUT", "url": "Observation/a1", "ifMatch": "W/\"1\""})
    );
    assert_eq!(
        *requests[2],
        json!({"method": "DELETE", "url": "Observation/b1", "ifMatch": "W/\"1\""})
    );
    assert!(bundle["entry"][0]["resource"].get("id").is_none());
}

#[tokio::test]
async fn a_transaction_with_a_refused_entry_is_that_refusal_and_stores_nothing() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let sound = entry("POST", "Observation", own("x"));
    for (refused, expected) in [
        (entry("POST", "Observation", observation("x", "2", "laboratory")), 403),
        (entry("GET", "Patient/2", json!(null)), 403),
        (entry("PUT", "Observation/a2", own("a2")), 404),
        (entry("PUT", "Observation/zz", own("zz")), 404),
        (entry("GET", "Observation/a2", json!(null)), 404),
        (entry("DELETE", "Observation/a2", json!(null)), 404),
        (entry("DELETE", "Provenance/own", json!(null)), 403),
        (entry("POST", "Patient/1/$unheard-of", json!(null)), 403),
        (entry("DELETE", "Observation?subject=Patient/1", json!(null)), 412),
        (entry("POST", "Observation", json!(null)), 400),
        (json!({"request": {"method": "GET"}}), 400),
    ] {
        for entries in [[sound.clone(), refused.clone()], [refused.clone(), sound.clone()]] {
            let got = transaction(&confined, OWN, &entries).await;
            assert_eq!(got.status, expected, "{refused}: {}", got.text);
            assert_eq!(got.headers.contains_key("www-authenticate"), expected == 403, "{refused}");
        }
    }
    let mut outdated = entry("PUT", "Observation/a1", own("a1"));
    outdated["request"]["ifMatch"] = "W/\"77\"".into();
    assert_eq!(transaction(&confined, OWN, &[sound, outdated]).await.status, 412);
    assert_eq!(store.count(), records().len(), "nothing was stored");
}

#[tokio::test]
async fn two_entries_about_one_resource_are_refused() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let conditional = |condition: &str| {
        let mut entry = entry("POST", "Observation", own("x"));
        entry["request"]["ifNoneExist"] = condition.into();
        entry
    };
    for entries in [
        [entry("PUT", "Observation/a1", own("a1")), entry("DELETE", "Observation/a1", json!(null))],
        [entry("PUT", "Observation/a1", own("a1")), entry("PUT", "/Observation/a1", own("a1"))],
        [
            entry("PUT", "Observation/a1", own("a1")),
            entry("DELETE", "Observation?_id=a1", json!(null)),
        ],
        [conditional("code=none"), conditional("code=none")],
        // Nor have two one name.
        [
            named(entry("PUT", "Observation/a1", own("a1")), "urn:uuid:known"),
            named(entry("PUT", "Observation/b1", own("b1")), "urn:uuid:known"),
        ],
        [
            named(entry("PUT", "Observation/a1", own("a1")), "urn:uuid:known"),
            named(entry("POST", "Observation", own("x")), "urn:uuid:known"),
        ],
    ] {
        let got = transaction(&confined, OWN, &entries).await;
        assert_eq!(got.status, 400, "{entries:?}: {}", got.text);
    }
    assert_eq!(store.count(), records().len());
}

#[tokio::test]
async fn placeholders_are_judged_as_what_they_will_stand_for() {
    let mut all = records();
    all.push(json!({"resourceType": "Encounter", "id": "e", "subject": {"reference": "Patient/1"},
        "identifier": [{"value": "known"}]}));
    let store = Store::with(&all);
    let confined = Confined::before(store.server()).await;
    let encounter = json!({"resourceType": "Encounter", "subject": {"reference": "Patient/1"}});
    let at = |name: &str| {
        let mut one = own("x");
        one["encounter"] = json!({"reference": name});
        one
    };
    // One that is created, and one that a condition finds.
    let mut known = named(entry("POST", "Encounter", encounter.clone()), "urn:uuid:known");
    known["request"]["ifNoneExist"] = "identifier=known".into();
    let patient = json!({"resourceType": "Patient", "id": "1"});
    let mut of_patient = own("x");
    of_patient["subject"] = json!({"reference": "urn:uuid:patient"});
    let got = transaction(
        &confined,
        OWN,
        &[
            named(entry("POST", "Encounter", encounter.clone()), "urn:uuid:new"),
            entry("POST", "Observation", at("urn:uuid:new")),
            known,
            entry("POST", "Observation", at("urn:uuid:known")),
            named(entry("PUT", "Patient/1", patient), "urn:uuid:patient"),
            entry("POST", "Observation", of_patient.clone()),
        ],
    )
    .await;
    assert_eq!(statuses(&got), ["201", "201", "200", "201", "200", "201"], "{}", got.text);
    let bundle = passed(&confined);
    let references: Vec<&Value> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["resource"]["encounter"]["reference"])
        .collect();
    assert_eq!(bundle["entry"][0]["fullUrl"], "urn:uuid:new");
    assert_eq!(references[1], "urn:uuid:new", "the server's to resolve");
    assert_eq!(references[2], "Encounter/e", "resolved here");
    assert_eq!(bundle["entry"][4]["resource"]["subject"]["reference"], "Patient/1");
    // Whom a placeholder names that nobody has named, cannot be told.
    let got =
        transaction(&confined, OWN, &[entry("POST", "Observation", of_patient.clone())]).await;
    assert_eq!(got.status, 403, "{}", got.text);
    let other = named(entry("POST", "Encounter", encounter.clone()), "urn:uuid:patient");
    let got = transaction(&confined, OWN, &[other, entry("POST", "Observation", of_patient)]).await;
    assert_eq!(got.status, 403, "an Encounter is no patient: {}", got.text);
    let twice = named(entry("POST", "Encounter", encounter.clone()), "urn:uuid:new");
    let got = transaction(&confined, OWN, &[twice.clone(), twice]).await;
    assert_eq!(got.status, 400, "{}", got.text);
    let conditional = entry("POST", "Observation", at("Encounter?identifier=known"));
    assert_eq!(transaction(&confined, OWN, &[conditional]).await.status, 400);
    for name in ["urn:uuid:new", "urn:oid:1.2.3"] {
        let condition = entry("DELETE", &format!("Observation?encounter={name}"), json!(null));
        let got = transaction(&confined, OWN, &[condition]).await;
        assert_eq!(got.status, 400, "{name}: {}", got.text);
        assert!(got.text.contains("what another entry creates"), "{name}: {}", got.text);
    }
    // The system of an identifier may be an OID, if no entry is called so.
    for (name, is_refused) in
        [("urn:oid:1.2.4", false), ("7", false), ("", false), ("urn:oid:1.2.3", true)]
    {
        let first = named(entry("POST", "Encounter", encounter.clone()), name);
        for value in ["urn:oid:1.2.3|7", "http://i.test|urn:oid:1.2.3", "|7,urn:oid:1.2.3|8"] {
            let condition = format!("Observation?identifier={value}");
            let condition = entry("DELETE", &condition, json!(null));
            let got = transaction(&confined, OWN, &[first.clone(), condition]).await;
            assert_eq!(got.status == 400, is_refused, "{name} {value}: {}", got.text);
        }
    }
}

/// A `fullUrl` that names a resource which is there would make the server read references to that as others.
#[tokio::test]
async fn a_foreign_full_url_gives_no_way_into_another_record() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let encounter = json!({"resourceType": "Encounter", "subject": {"reference": "Patient/1"}});
    for name in [
        "Patient/2",
        "patient/2",
        "/Patient/2",
        "Patient/2/_history/1",
        "https://fhir.example.org/r4/Patient/2",
        "https://evil.example/r4/Patient/1",
        "urn:uuid:Patient/2",
        "urn:oid:1.2.3",
        "#2",
        "Patient?identifier=2",
    ] {
        let before = store.count();
        let mut attack = own("x");
        attack["subject"] = json!({"reference": name});
        let first = named(entry("POST", "Encounter", encounter.clone()), name);
        let got =
            transaction(&confined, OWN, &[first.clone(), entry("POST", "Observation", attack)])
                .await;
        assert!(got.status == 403 || got.status == 400, "{name}: {}", got.text);
        assert_eq!(store.count(), before, "{name}: something was stored");
        let got =
            transaction(&confined, OWN, &[first, entry("POST", "Observation", own("x"))]).await;
        assert_eq!(got.status, 200, "{name}: {}", got.text);
        let sent = passed(&confined);
        let full_url = sent["entry"][0]["fullUrl"].as_str();
        assert_eq!(full_url.is_some(), name.starts_with("urn:"), "{name}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_fit_the_transaction_leaks_nothing() {
    let other = observation("a2", "2", "laboratory");
    let one = |entry: Value| bundle_of("transaction-response", &[entry]).to_string();
    let made = json!({"response": {"status": "200"}});
    for (status, body, expected) in [
        (200, other.to_string(), 502),
        (200, bundle_of("transaction-response", &[]).to_string(), 502),
        (200, bundle_of("transaction-response", &[made.clone(), made]).to_string(), 502),
        (200, one(json!({"response": {"status": "200"}, "resource": other})), 502),
        (200, one(json!({"response": {"status": "nonsense"}})), 502),
        (200, one(json!({"response": {"status": "404 mark"}})), 502),
        (
            200,
            one(
                json!({"response": {"status": "200 OK", "location": "Observation/a2/_history/mark",
            "outcome": {"text": "mark"}}}),
            ),
            200,
        ),
        (
            200,
            one(
                json!({"response": {"status": "200"}, "resource": observation("a1", "2", "laboratory")}),
            ),
            200,
        ),
        (412, "mark".to_owned(), 412),
        (422, "mark".to_owned(), 422),
        (500, "mark".to_owned(), 500),
        (302, "mark".to_owned(), 502),
    ] {
        let answered = body.clone();
        let server = Careless::handled_by(move |method, _, _, _| {
            let response = http::Response::builder().header("etag", "W/\"1\"");
            let own = own("a1").to_string();
            let response = if method == "GET" {
                response.body(own)
            } else {
                response.status(status).body(answered.clone())
            };
            response.unwrap().map(http_body_util::Full::from)
        });
        let settings = ConfineSettings::default().versions_checked();
        let confined = Confined::with(server, settings).await;
        let got = transaction(&confined, OWN, &[entry("PUT", "Observation/a1", own("a1"))]).await;
        assert_eq!(got.status, expected, "{body}: {}", got.text);
        assert!(!format!("{:?}{}", got.headers, got.text).contains("mark"), "{got:?}");
    }
}

#[tokio::test]
async fn a_condition_of_a_confined_creation_is_resolved_here_and_not_sent() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let device = json!({"resourceType": "Device", "patient": {"reference": "Patient/1"}});
    let mut create = entry("POST", "Device", device);
    create["request"]["ifNoneExist"] = "identifier=s|new".into();
    let got = transaction(&confined, OWN, &[create]).await;
    assert_eq!(statuses(&got), ["201"], "{}", got.text);
    assert!(passed(&confined)["entry"][0]["request"].get("ifNoneExist").is_none());
}

#[tokio::test]
async fn a_creation_that_has_found_something_hidden_tells_nothing_of_it() {
    let hidden = observation("mark", "2", "laboratory");
    for (resource, prefer) in [
        (hidden, "return=representation"),
        (json!(null), "return=representation"),
        (json!(null), "return=minimal"),
    ] {
        let response = json!({"status": "200 OK", "location": "Observation/mark/_history/1",
            "etag": "W/\"mark\"", "lastModified": "mark"});
        let mut one = json!({"response": response});
        if !resource.is_null() {
            one["resource"] = resource;
        }
        let answered = bundle_of("transaction-response", &[one.clone()]).to_string();
        let server = Careless::handled_by(move |method, address, _, _| {
            let body = if method == "GET" {
                bundle_of("searchset", &[]).to_string()
            } else if address == "/r4" {
                answered.clone()
            } else {
                one["resource"].to_string()
            };
            let response = http::Response::builder().header("etag", "W/\"mark\"");
            let response = response.header("last-modified", "mark");
            let response = response.header("location", "Observation/mark/_history/1");
            response.body(body).unwrap().map(http_body_util::Full::from)
        });
        let confined = Confined::before(server).await;
        let mut create = entry("POST", "Observation", own("x"));
        let bundle = bundle_of("transaction", &[create.clone()]);
        create["request"]["ifNoneExist"] = "code=none".into();
        let conditional = bundle_of("transaction", &[create]);
        let headers = [("prefer", prefer)];
        for (below, body) in [("", bundle), ("", conditional), ("/Observation", own("x"))] {
            let got = sent(&confined, OWN, "POST", below, &headers, body).await;
            for told in ["Observation/mark", "W/", "\"mark"] {
                let all = format!("{:?}{}", got.headers, got.text);
                assert!(!all.contains(told), "{below} {prefer} {told}: {all}");
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_honour_versions_gets_no_transaction_that_changes_something() {
    let store = Store::with(&records()).saying("versioned").heedless();
    let confined = Confined::before(store.server()).await;
    let create = entry("POST", "Observation", own("x"));
    let update = entry("PUT", "Observation/a1", own("a1"));
    assert_eq!(transaction(&confined, OWN, &[create.clone(), update]).await.status, 403);
    assert_eq!(store.count(), records().len());
    assert_eq!(transaction(&confined, OWN, &[create]).await.status, 200);
}

/// A patch makes far more than it has of bytes.
#[tokio::test]
async fn what_the_entries_of_a_transaction_store_together_is_bounded() {
    const SIZE: usize = 20_000;
    let mut all = records();
    all.extend((0..4).map(|number| own(&format!("o{number}"))));
    let store = Store::with(&all);
    let settings = ConfineSettings::default().max_body(SIZE);
    let confined = Confined::with(store.server(), settings).await;
    let large = json!({"op": "add", "path": "/note/0/text", "value": "x".repeat(900)});
    let copy = json!({"op": "copy", "from": "/note/0", "path": "/note/-"});
    let operations: Vec<Value> = std::iter::once(large).chain(vec![copy; 6]).collect();
    let data = STANDARD.encode(json!(operations).to_string());
    let patch = json!({"resourceType": "Binary", "contentType": "application/json-patch+json",
        "data": data});
    let entries: Vec<Value> = (0..4)
        .map(|number| entry("PATCH", &format!("Observation/o{number}"), patch.clone()))
        .collect();
    let sent_bytes = bundle_of("transaction", &entries).to_string().len();
    assert!(sent_bytes < SIZE, "{sent_bytes}: not what is sent is too long");
    let got = transaction(&confined, OWN, &entries).await;
    assert_eq!((got.status.as_u16(), &got.json()["issue"][0]["code"]), (413, &json!("too-long")));
    assert_eq!(store.count(), all.len(), "nothing was stored");
    assert_eq!(transaction(&confined, OWN, &entries[..2]).await.status, 200);
}

#[tokio::test]
async fn a_transaction_that_changes_nothing_is_read_once() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let reads = ["Observation/a1", "Patient/1"].map(|url| entry("GET", url, json!(null)));
    assert_eq!(statuses(&transaction(&confined, OWN, &reads).await), ["200", "200"]);
    let lines: Vec<String> = confined.server.asked().into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, ["GET /r4/Observation/a1", "GET /r4/Patient/1"]);
}

#[tokio::test]
async fn the_answers_to_a_transaction_are_bounded_together() {
    let store = Store::with(&records());
    let settings = ConfineSettings::default().max_body(3000);
    let confined = Confined::with(store.server(), settings).await;
    let mut entries = vec![entry("GET", "Observation/a1", json!(null)); 15];
    // Alone, they would take more than one answer may.
    let got = transaction(&confined, OWN, &entries).await;
    let refused = |got: &Got| statuses(got).iter().filter(|status| *status == "413").count();
    assert!((1..14).contains(&refused(&got)), "{}", got.text);
    assert!(got.text.len() < 10_000, "{}", got.text.len());
    entries.insert(0, entry("PUT", "Observation/a1", own("a1")));
    let got = transaction(&confined, OWN, &entries).await;
    assert_eq!(statuses(&got)[0], "200");
    assert!((1..14).contains(&refused(&got)), "{}", got.text);
}

#[tokio::test]
async fn decimals_keep_their_digits_in_bundles() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let resource = r#"{"resourceType":"Observation","subject":{"reference":"urn:uuid:1"},"valueQuantity":{"value":5.40}}"#;
    let patient = r#"{"resourceType":"Patient","id":"1"}"#;
    let body = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[
            {{"fullUrl":"urn:uuid:1","resource":{patient},"request":{{"method":"PUT","url":"Patient/1"}}}},
            {{"resource":{resource},"request":{{"method":"POST","url":"Observation"}}}}]}}"#
    );
    let got = sent(&confined, OWN, "POST", "", &[], body).await;
    assert_eq!(got.status, 200, "{}", got.text);
    let asked = confined.server.asked();
    let (_, sent) = asked.iter().rfind(|(line, _)| line == "POST /r4").unwrap();
    assert!(sent.contains("5.40") && sent.contains("Patient/1"), "{sent}");
}

#[tokio::test]
async fn a_transaction_that_has_found_nothing_to_change_sends_none() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let entries = [
        entry("DELETE", "Observation?code=none", json!(null)),
        entry("GET", "Observation/a1", json!(null)),
    ];
    assert_eq!(statuses(&transaction(&confined, OWN, &entries).await), ["204", "200"]);
    let asked = confined.server.asked();
    assert!(asked.iter().all(|(line, _)| line.starts_with("GET ")), "{asked:?}");
}

#[tokio::test]
async fn a_resource_without_placeholders_goes_on_byte_by_byte() {
    let store = Store::with(&records());
    let confined = Confined::before(store.server()).await;
    let resource = r#"{"subject": {"reference": "Patient/1"},  "resourceType": "Observation"}"#;
    let body = format!(
        r#"{{"resourceType":"Bundle","type":"transaction","entry":[
            {{"fullUrl":"urn:uuid:1","resource":{resource},"request":{{"method":"POST","url":"Observation"}}}}]}}"#
    );
    let got = sent(&confined, OWN, "POST", "", &[], body).await;
    assert_eq!(statuses(&got), ["201"]);
    let asked = confined.server.asked();
    let (_, sent) = asked.iter().rfind(|(line, _)| line == "POST /r4").unwrap();
    assert!(sent.contains(resource), "{sent}");
}

#[tokio::test]
async fn an_entry_shows_a_resource_where_one_was_asked_for_and_none_that_was_deleted() {
    let made = json!({"response": {"status": "200"}, "resource": own("a1")});
    let answered = bundle_of("transaction-response", &[made]).to_string();
    for (method, prefer, shows) in [
        ("PUT", "return=representation", true),
        ("PUT", "return=minimal", false),
        ("DELETE", "return=representation", false),
    ] {
        let answered = answered.clone();
        let server = Careless::handled_by(move |method, _, _, _| {
            let body = if method == "GET" { own("a1").to_string() } else { answered.clone() };
            let response = http::Response::builder().header("etag", "W/\"1\"");
            response.body(body).unwrap().map(http_body_util::Full::from)
        });
        let settings = ConfineSettings::default().versions_checked();
        let confined = Confined::with(server, settings).await;
        let resource = if method == "PUT" { own("a1") } else { json!(null) };
        let body = bundle_of("transaction", &[entry(method, "Observation/a1", resource)]);
        let got = sent(&confined, OWN, "POST", "", &[("prefer", prefer)], body).await;
        assert_eq!(statuses(&got), ["200"], "{method} {prefer}");
        let answer = &got.json()["entry"][0];
        assert_eq!(answer.get("resource").is_some(), shows, "{method} {prefer}: {}", got.text);
    }
}

#[tokio::test]
async fn a_patch_of_what_is_open_goes_on_in_a_transaction_as_it_came() {
    let made = json!({"response": {"status": "200"}, "resource": own("a1")});
    let answered = bundle_of("transaction-response", &[made]).to_string();
    let server = Careless::handled_by(move |_, _, _, _| {
        http::Response::new(http_body_util::Full::from(answered.clone()))
    });
    let confined = Confined::before(server).await;
    let data = STANDARD.encode(r#"[{"op":"replace","path":"/status","value":"final"}]"#);
    let patch = json!({"resourceType": "Binary", "contentType": "application/json-patch+json",
        "data": data});
    let entries = [entry("PATCH", "Observation/a1", patch)];
    let got = transaction(&confined, "system/Observation.cruds", &entries).await;
    assert_eq!(statuses(&got), ["200"]);
    assert_eq!(passed(&confined)["entry"], json!(entries));
}
