//! Conditional changes, which are resolved to what the caller may see.

use http::Response;
use http_body_util::Full;
use serde_json::{Value, json};
use tower_fhir_auth::confine::ConfineSettings;

use super::careless::Careless;
use super::changes::{OWN, sent};
use super::store::Store;
use super::{Confined, observation, records};

fn identified(id: &str, patient: &str, identifier: &str) -> Value {
    let mut one = observation(id, patient, "laboratory");
    one["identifier"] = json!([{"system": "s", "value": identifier}]);
    one
}

/// Two of patient 1, of which one has a twin of patient 2.
fn store() -> Store {
    let mut all = records();
    all.push(identified("i1", "1", "shared"));
    all.push(identified("i2", "2", "shared"));
    all.push(identified("o1", "1", "own"));
    all.push(identified("o2", "1", "twice"));
    all.push(identified("o3", "1", "twice"));
    all.push(identified("h2", "2", "hidden"));
    Store::with(&all)
}

#[tokio::test]
async fn a_condition_finds_only_what_the_caller_may_see_and_only_what_matches() {
    let patch = json!([{"op": "add", "path": "/language", "value": "en"}]);
    for (identifier, id, put, patched, deleted) in [
        ("shared", Some("i1"), 200, 200, 204),
        ("own", Some("o1"), 200, 200, 204),
        ("twice", None, 412, 412, 412),
        ("hidden", None, 201, 404, 204),
        ("nothing", None, 201, 404, 204),
    ] {
        let store = store();
        let confined = Confined::before(store.server()).await;
        let below = format!("/Observation?identifier=s|{identifier}");
        let mut resource = identified("x", "1", identifier);
        resource.as_object_mut().unwrap().remove("id");
        let got = sent(&confined, OWN, "PUT", &below, &[], &resource).await;
        assert_eq!(got.status, put, "PUT {identifier}: {}", got.text);
        if let Some(id) = id {
            assert_eq!(
                confined.server.asked().last().unwrap().0,
                format!("PUT /r4/Observation/{id}")
            );
            assert_eq!(confined.server.last_headers()["if-match"], "W/\"1\"");
            assert_eq!(store.json(&format!("Observation/{id}"))["id"], id);
        }
        let store = self::store();
        let confined = Confined::before(store.server()).await;
        let got = sent(&confined, OWN, "PATCH", &below, &[], &patch).await;
        assert_eq!(got.status, patched, "PATCH {identifier}: {}", got.text);
        let got = sent(&confined, OWN, "DELETE", &below, &[], "").await;
        assert_eq!(got.status, deleted, "DELETE {identifier}: {}", got.text);
        assert!(store.text("Observation/i2").is_some() && store.text("Observation/h2").is_some());
        assert_eq!(store.text("Observation/i1").is_none(), identifier == "shared");
    }
}

#[tokio::test]
async fn a_condition_that_nobody_can_evaluate_is_never_ignored() {
    let store = store();
    let confined = Confined::before(store.server()).await;
    let resource = identified("x", "1", "new");
    for (condition, expected) in [
        ("identifier=s|own&_count=1", 400),
        ("identifier=s|own&_summary=true", 400),
        ("identifier=s|own&_elements=id", 400),
        ("_summary=count", 400),
        ("_include=Observation:subject", 400),
        ("_format=json", 400),
        ("combo-code-value-quantity=x$5", 400),
        ("date=nonsense", 400),
        ("unheard-of=1", 403),
        ("subject.name=x", 403),
        ("_has:Provenance:target:agent=x", 403),
        ("performer=Patient/2", 403),
    ] {
        let below = format!("/Observation?{condition}");
        for method in ["PUT", "DELETE"] {
            let got = sent(&confined, OWN, method, &below, &[], &resource).await;
            assert_eq!(got.status, expected, "{method} {condition}: {}", got.text);
        }
        let headers = [("if-none-exist", condition)];
        let got = sent(&confined, OWN, "POST", "/Observation", &headers, &resource).await;
        assert_eq!(got.status, expected, "POST {condition}: {}", got.text);
    }
}

#[tokio::test]
async fn the_form_of_the_answer_is_no_part_of_a_condition() {
    for form in ["_format=json", "_pretty=true"] {
        let confined = Confined::before(store().server()).await;
        let below = format!("/Observation?identifier=s|own&{form}");
        let got = sent(&confined, OWN, "DELETE", &below, &[], "").await;
        assert_eq!(got.status, 204, "{form}: {}", got.text);
    }
}

/// Each is asked of every resource that the upstream server finds.
#[tokio::test]
async fn a_condition_has_at_most_32_parameters() {
    let confined = Confined::before(store().server()).await;
    for (parameters, expected) in [(32, 204), (33, 400)] {
        let condition = vec!["identifier=s|own"; parameters].join("&");
        let below = format!("/Observation?{condition}");
        let got = sent(&confined, OWN, "DELETE", &below, &[], "").await;
        assert_eq!(got.status, expected, "{parameters}: {}", got.text);
    }
}

#[tokio::test]
async fn a_conditional_creation_finds_ones_own_and_creates_beside_what_is_hidden() {
    let store = store();
    let confined = Confined::before(store.server()).await;
    for (condition, expected) in [
        ("identifier=s|own", 200),
        ("?identifier=s|shared", 200),
        ("identifier=s|twice", 412),
        ("identifier=s|hidden", 201),
        ("identifier=s|nothing", 201),
    ] {
        let before = store.count();
        let headers = [("if-none-exist", condition)];
        let resource = identified("x", "1", "x");
        let got = sent(&confined, OWN, "POST", "/Observation", &headers, &resource).await;
        assert_eq!(got.status, expected, "{condition}: {}", got.text);
        assert_eq!(store.count() - before, usize::from(expected == 201), "{condition}");
        if expected == 200 {
            assert_eq!(got.json()["subject"]["reference"], "Patient/1", "{}", got.text);
            assert!(got.headers["location"].to_str().unwrap().contains("/Observation/"));
        }
        // What it would find of others is not asked.
        if expected == 201 {
            assert!(!confined.server.last_headers().contains_key("if-none-exist"));
        }
    }
    let twice = [("if-none-exist", "identifier=s|a"), ("if-none-exist", "identifier=s|b")];
    let got = sent(&confined, OWN, "POST", "/Observation", &twice, identified("x", "1", "x")).await;
    assert_eq!(got.status, 400, "{}", got.text);
    // What is no resource is none, whatever is there already.
    let found = [("if-none-exist", "identifier=s|own")];
    assert_eq!(sent(&confined, OWN, "POST", "/Observation", &found, "[]").await.status, 400);
}

#[tokio::test]
async fn a_condition_goes_on_where_it_can_be_narrowed_to_what_may_be_seen() {
    let store = store();
    let confined = Confined::before(store.server()).await;
    let condition = [("if-none-exist", "identifier=s|new")];
    let laboratory = "user/Observation.cruds?category=laboratory";
    let resource = identified("x", "2", "new");
    let got = sent(&confined, laboratory, "POST", "/Observation", &condition, &resource).await;
    assert_eq!(got.status, 201, "{}", got.text);
    let sent_on = confined.server.last_headers();
    assert_eq!(sent_on["if-none-exist"], "identifier=s%7Cnew&category=laboratory");
    let device = json!({"resourceType": "Device", "patient": {"reference": "Patient/1"}});
    let got = sent(&confined, OWN, "POST", "/Device", &condition, &device).await;
    assert_eq!(got.status, 201, "{}", got.text);
    let sent_on = confined.server.last_headers();
    assert_eq!(sent_on["if-none-exist"], "identifier=s%7Cnew&patient=Patient%2F1");
}

#[tokio::test]
async fn a_conditional_update_creates_only_under_an_id_of_the_server() {
    let store = store();
    let confined = Confined::before(store.server()).await;
    let below = "/Observation?identifier=s|new";
    let mut resource = identified("chosen", "1", "new");
    let got = sent(&confined, OWN, "PUT", below, &[], &resource).await;
    assert_eq!(got.status, 404, "{}", got.text);
    // Nor is one updated that is there, and that the condition has not found.
    let other = identified("o1", "1", "new");
    assert_eq!(sent(&confined, OWN, "PUT", below, &[], &other).await.status, 404);
    assert_eq!(store.json("Observation/o1"), identified("o1", "1", "own"));
    resource.as_object_mut().unwrap().remove("id");
    let condition = [("if-match", "W/\"1\"")];
    assert_eq!(sent(&confined, OWN, "PUT", below, &condition, &resource).await.status, 412);
    assert_eq!(sent(&confined, OWN, "PUT", below, &[], &resource).await.status, 201);
    assert_eq!(sent(&confined, OWN, "PUT", below, &[], &resource).await.status, 200);
    resource["subject"] = json!({"reference": "Patient/2"});
    assert_eq!(sent(&confined, OWN, "PUT", below, &[], &resource).await.status, 403);
}

#[tokio::test]
async fn who_may_update_every_resource_of_a_type_may_give_the_new_one_an_id() {
    for (id, status) in [
        (json!("chosen"), 201),
        (json!(".."), 400),
        (json!("a/../b"), 400),
        (json!(""), 400),
        (json!(7), 400),
    ] {
        let store = store();
        let confined = Confined::before(store.server()).await;
        let mut resource = identified("x", "2", "new");
        resource["id"] = id.clone();
        let below = "/Observation?identifier=s|new";
        let scope = "system/Observation.cruds";
        let got = sent(&confined, scope, "PUT", below, &[], &resource).await;
        assert_eq!(got.status, status, "{id}: {}", got.text);
        assert_eq!(store.text("Observation/chosen").is_some(), status == 201, "{id}");
        assert_eq!(store.count() - self::store().count(), usize::from(status == 201), "{id}");
    }
}

#[tokio::test]
async fn a_condition_finds_results_of_its_type_and_nothing_that_comes_along() {
    let entry =
        |resource: Value, mode: &str| json!({"resource": resource, "search": {"mode": mode}});
    let own = identified("o1", "1", "own");
    let mut device = own.clone();
    device["resourceType"] = "Device".into();
    device["id"] = "d".into();
    device["patient"] = json!({"reference": "Patient/1"});
    let entries = [
        entry(device, "match"),
        entry(own.clone(), "match"),
        entry(identified("i1", "1", "own"), "include"),
    ];
    let found = json!({"resourceType": "Bundle", "type": "searchset", "entry": entries});
    let address = "/Observation?identifier=s%7Cown";
    let server = Careless::with(vec![own]).answering(address, 200, &found);
    let settings = ConfineSettings::default().versions_checked();
    let confined = Confined::with(server, settings).await;
    let got = sent(&confined, OWN, "DELETE", "/Observation?identifier=s|own", &[], "").await;
    assert_eq!(got.status, 204, "{}", got.text);
    assert_eq!(confined.server.asked().last().unwrap().0, "DELETE /r4/Observation/o1");
}

#[tokio::test]
async fn what_a_condition_finds_is_looked_for_on_each_page_up_to_the_limit() {
    let all: Vec<Value> =
        (0..4).map(|number| identified(&format!("o{number}"), "1", &number.to_string())).collect();
    // A page has more than 500 bytes.
    for (limit, status) in [(100_000, 204), (1500, 412)] {
        let settings = ConfineSettings::default().versions_checked().max_body(limit);
        let confined = Confined::with(Careless::with(all.clone()).paging(1), settings).await;
        let got = sent(&confined, OWN, "DELETE", "/Observation?identifier=s|3", &[], "").await;
        assert_eq!(got.status, status, "{limit}: {}", got.text);
    }
}

#[tokio::test]
async fn a_condition_whose_further_results_are_elsewhere_is_502_and_changes_nothing() {
    for next in [
        json!({"relation": "next", "url": "https://elsewhere.example.org/r4/Observation?_page=2"}),
        json!({"relation": "next"}),
    ] {
        let own = identified("o1", "1", "own");
        let found = json!({"resourceType": "Bundle", "type": "searchset", "link": [next],
            "entry": [{"resource": own, "search": {"mode": "match"}}]});
        let address = "/Observation?identifier=s%7Cown";
        let server = Careless::with(vec![own]).answering(address, 200, &found);
        let settings = ConfineSettings::default().versions_checked();
        let confined = Confined::with(server, settings).await;
        let got = sent(&confined, OWN, "DELETE", "/Observation?identifier=s|own", &[], "").await;
        assert_eq!(got.status, 502, "{next}: {}", got.text);
        assert!(got.text.contains("its next page is elsewhere"), "{next}: {}", got.text);
        assert!(confined.server.asked().iter().all(|(asked, _)| asked.starts_with("GET ")));
    }
}

#[tokio::test]
async fn a_creation_is_sent_again_only_where_its_condition_has_found_what_is_hidden() {
    for (condition, status, expected, creations) in [
        (Some("identifier=s|new"), 201, 201, 1),
        (Some("identifier=s|new"), 200, 201, 2),
        (Some("identifier=s|new"), 412, 201, 2),
        (Some("identifier=s|new"), 422, 422, 1),
        (None, 200, 200, 1),
    ] {
        let server = Careless::handled_by(move |method, _, headers, _| {
            let is_asked = condition.is_none() || headers.contains_key("if-none-exist");
            let (status, body) = match method {
                "GET" => (200, "{\"resourceType\":\"Bundle\"}"),
                _ if is_asked => (status, ""),
                _ => (201, ""),
            };
            Response::builder().status(status).body(Full::from(body)).unwrap()
        });
        let confined = Confined::before(server).await;
        let headers: Vec<(&str, &str)> =
            condition.into_iter().map(|text| ("if-none-exist", text)).collect();
        let scope = "user/Observation.cruds?category=laboratory";
        let resource = identified("x", "2", "new");
        let got = sent(&confined, scope, "POST", "/Observation", &headers, &resource).await;
        assert_eq!(got.status, expected, "{condition:?} {status}: {}", got.text);
        let asked = confined.server.asked();
        let posts = asked.iter().filter(|(line, _)| line == "POST /r4/Observation").count();
        assert_eq!(posts, creations, "{condition:?} {status}");
    }
}
