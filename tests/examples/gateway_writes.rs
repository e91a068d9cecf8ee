//! Writes through `fhir-auth gateway`, before `fhir_server --unprotected`: they give what they give at `fhir_server`,
//! whose handlers enforce.

use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::support::{BASE, Example, Fhir, Reply, command};

/// What patient 1 holds: everything of one's own.
const OWN: &str = "patient/*.cruds";

const LABORATORY: &str = "user/Observation.cruds?category=laboratory";

struct Asked {
    scope: &'static str,
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    body: Value,
}

async fn before_bare_store(sections: &str) -> (Gateway, Example) {
    let arguments = ["--unprotected", "--listen", "127.0.0.1:0"];
    let command = command("fhir_server", &arguments);
    let store = tokio::task::spawn_blocking(|| Example::start(command)).await.unwrap();
    (Gateway::before(&store.base, sections).await, store)
}

async fn through(gateway: &Gateway, asked: &Asked) -> Reply {
    let mut request = gateway.request(asked.method, asked.scope, asked.path);
    for (name, value) in &asked.headers {
        request = request.header(*name, *value);
    }
    if !asked.body.is_null() {
        request =
            request.body(asked.body.as_str().map_or_else(|| asked.body.to_string(), str::to_owned));
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Reply { status, headers, body, text }
}

/// An answer without times, ids that are given, links, and words for people.
fn plain(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(plain),
        Value::Object(members) => {
            for name in [
                "meta",
                "id",
                "link",
                "total",
                "diagnostics",
                "details",
                "lastModified",
                "fullUrl",
                "location",
                "search",
            ] {
                members.remove(name);
            }
            let reference = members.get("reference").and_then(Value::as_str);
            if reference.is_some_and(|reference| reference.starts_with("Encounter/")) {
                members.insert("reference".to_owned(), "Encounter".into());
            }
            members.values_mut().for_each(plain);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn observation(id: Option<&str>, patient: &str) -> Value {
    let mut one = json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "category": [{"coding": [{"code": "laboratory"}]}],
        "subject": {"reference": format!("Patient/{patient}")}});
    if let Some(id) = id {
        one["id"] = id.into();
    }
    one
}

fn entry(method: &str, url: &str, resource: Value) -> Value {
    let mut entry = json!({"request": {"method": method, "url": url}});
    if !resource.is_null() {
        entry["resource"] = resource;
    }
    entry
}

fn bundle(kind: &str, entries: &Value) -> Value {
    json!({"resourceType": "Bundle", "type": kind, "entry": entries})
}

fn requests() -> Vec<Asked> {
    let identified = |value: &str| {
        let mut one = observation(None, "1");
        one["identifier"] = json!([{"system": "s", "value": value}]);
        one
    };
    let patch = || json!([{"op": "replace", "path": "/status", "value": "amended"}]);
    let kind = ("content-type", "application/fhir+json");
    let to_patch = ("content-type", "application/json-patch+json");
    let mut all = Vec::new();
    let mut ask = |scope, method, path, headers: &[(&'static str, &'static str)], body: Value| {
        let kind = if method == "PATCH" { to_patch } else { kind };
        let headers = std::iter::once(kind).chain(headers.iter().copied()).collect();
        all.push(Asked { scope, method, path, headers, body });
    };
    for scope in [
        OWN,
        LABORATORY,
        "patient/*.rs",
        "patient/Observation.cu",
        "user/*.cruds",
        "system/Observation.cruds",
    ] {
        ask(scope, "POST", "/Observation", &[], observation(None, "1"));
        ask(scope, "POST", "/Observation", &[], observation(None, "2"));
        ask(scope, "POST", "/Observation", &[("prefer", "return=minimal")], observation(None, "1"));
        ask(scope, "POST", "/Patient", &[], json!({"resourceType": "Patient"}));
        ask(scope, "POST", "/Observation", &[], json!({"resourceType": "Patient"}));
        ask(scope, "PUT", "/Observation/amara-hba1c", &[], observation(Some("amara-hba1c"), "1"));
        ask(
            scope,
            "PUT",
            "/Observation/amara-hba1c",
            &[("if-match", "W/\"99\"")],
            observation(Some("amara-hba1c"), "1"),
        );
        ask(
            scope,
            "PUT",
            "/Observation/amara-hba1c",
            &[("if-none-match", "*")],
            observation(Some("amara-hba1c"), "1"),
        );
        ask(scope, "PUT", "/Observation/amara-hba1c", &[], observation(Some("other"), "1"));
        ask(scope, "PUT", "/Observation/tobi-hba1c", &[], observation(Some("tobi-hba1c"), "1"));
        ask(scope, "PATCH", "/Observation/amara-hba1c", &[], patch());
        ask(scope, "PATCH", "/Observation/tobi-hba1c", &[], patch());
        ask(scope, "PATCH", "/Observation/nothing", &[], patch());
        ask(
            scope,
            "PATCH",
            "/Observation/amara-hba1c",
            &[],
            json!([{"op": "remove", "path": "/none"}]),
        );
        ask(
            scope,
            "PUT",
            "/Organization/hospital",
            &[],
            json!({"resourceType": "Organization", "id": "hospital"}),
        );
        ask(scope, "DELETE", "/Observation/tobi-hba1c", &[("if-match", "W/\"77\"")], Value::Null);
        ask(scope, "PUT", "/Observation?identifier=s|1", &[], identified("1"));
        ask(scope, "PUT", "/Observation?identifier=s|1", &[], identified("1"));
        let excluded = observation(Some("amara-smoking"), "1");
        ask(scope, "PUT", "/Observation?identifier=s|none", &[], excluded);
        ask(scope, "POST", "/Observation", &[("if-none-exist", "identifier=s|1")], identified("1"));
        ask(scope, "POST", "/Observation", &[("if-none-exist", "identifier=s|2")], identified("2"));
        ask(scope, "PATCH", "/Observation?identifier=s|1", &[], patch());
        ask(scope, "PATCH", "/Observation?identifier=s|none", &[], patch());
        ask(scope, "DELETE", "/Observation?identifier=s|1", &[], Value::Null);
        ask(scope, "DELETE", "/Observation?identifier=s|none", &[], Value::Null);
        ask(scope, "DELETE", "/Observation?status=final,amended", &[], Value::Null);
        let entries = json!([
            entry("GET", "Observation/amara-hba1c", json!(null)),
            entry("GET", "Observation/tobi-hba1c", json!(null)),
            entry("GET", "Patient/2", json!(null)),
            entry("POST", "Observation", observation(None, "1")),
            entry("POST", "Observation", observation(None, "2")),
            entry("PUT", "Observation/amara-hba1c", observation(Some("amara-hba1c"), "1")),
            entry("DELETE", "Observation?identifier=s|2", json!(null)),
            {"request": {"method": "GET"}},
        ]);
        ask(scope, "POST", "", &[], bundle("batch", &entries));
        ask(scope, "POST", "", &[], bundle("transaction", &entries));
        let mut named = entry(
            "POST",
            "Encounter",
            json!({"resourceType": "Encounter", "status": "planned",
            "class": {"code": "AMB"}, "subject": {"reference": "Patient/1"}}),
        );
        named["fullUrl"] = "urn:uuid:6cd8ad2a-6e4c-4a6e-8f2e-0f6d0c8d2b11".into();
        let mut at = observation(None, "1");
        at["encounter"] = json!({"reference": "urn:uuid:6cd8ad2a-6e4c-4a6e-8f2e-0f6d0c8d2b11"});
        ask(
            scope,
            "POST",
            "",
            &[],
            bundle(
                "transaction",
                &json!([
                    named,
                    entry("POST", "Observation", at),
                    entry("PUT", "Observation/amara-hba1c", observation(Some("amara-hba1c"), "1")),
                    entry("GET", "Observation/amara-hba1c", json!(null))
                ]),
            ),
        );
        ask(scope, "POST", "", &[], bundle("collection", &json!([])));
    }
    ask(OWN, "DELETE", "/Observation/amara-smoking", &[], Value::Null);
    for method in ["GET", "DELETE"] {
        ask(OWN, method, "/Observation/amara-smoking", &[], Value::Null);
    }
    ask(OWN, "PUT", "/Observation/amara-smoking", &[], observation(Some("amara-smoking"), "1"));
    ask("user/*.cruds", "GET", "/Observation/amara-smoking", &[], Value::Null);
    ask(LABORATORY, "GET", "/Observation/amara-smoking", &[], Value::Null);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_writes_give_equal_answers() {
    let fhir = Fhir::start("scopes", &[]).await;
    let (gateway, _store) = before_bare_store("").await;
    let (mut different, mut refused, mut done) = (Vec::new(), 0, 0);
    for asked in requests() {
        let token = fhir.token(asked.scope);
        let expected =
            fhir.send(&token, asked.method, asked.path, &asked.headers, asked.body.clone());
        let mut expected = expected.await;
        let mut got = through(&gateway, &asked).await;
        plain(&mut expected.body);
        plain(&mut got.body);
        for body in [&mut expected.body, &mut got.body] {
            *body = serde_json::from_str(&body.to_string().replace(BASE, "")).unwrap();
        }
        let both = [&expected, &got].map(|reply| {
            let challenge = reply.headers.contains_key("www-authenticate");
            (reply.status, challenge, reply.body.clone())
        });
        match expected.status {
            200..300 => done += 1,
            _ => refused += 1,
        }
        if both[0] != both[1] {
            let Asked { scope, method, path, headers, .. } = asked;
            different.push(format!(
                "{scope} {method} {path} {headers:?}\n  {:?}\n  {:?} {}",
                both[0], both[1], got.text
            ));
        }
    }
    assert!(
        different.is_empty(),
        "{} of {}:\n{}",
        different.len(),
        done + refused,
        different.join("\n")
    );
    assert!(done > 50 && refused > 50, "{done} done, {refused} refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_has_checked_is_in_the_file() {
    let (gateway, store) = before_bare_store("").await;
    let asked = Asked {
        scope: OWN,
        method: "PATCH",
        path: "/Observation/amara-hba1c",
        headers: vec![("content-type", "application/json-patch+json")],
        body: r#"[{"op":"add","path":"/valueQuantity/value","value":5.40}]"#.into(),
    };
    let got = through(&gateway, &asked).await;
    assert_eq!(got.status, 200, "{}", got.text);
    let stored = reqwest::get(format!("{}/Observation/amara-hba1c", store.base)).await.unwrap();
    assert!(stored.text().await.unwrap().contains("amara-hba1c"));
    // The careless server says nothing of versions.
    let careless = crate::careless_server::Careless::start().await;
    let asked = |gateway| {
        let asked = Asked {
            scope: OWN,
            method: "PUT",
            path: "/Observation/o10",
            headers: vec![("content-type", "application/fhir+json")],
            body: observation(Some("o10"), "1"),
        };
        async move { through(&gateway, &asked).await.status }
    };
    let gateway = Gateway::before(&careless.base, "").await;
    assert_eq!(asked(gateway).await, 403);
    assert!(careless.asked().iter().all(|asked| asked.line.starts_with("GET ")));
    let gateway = Gateway::before(&careless.base, "versions = \"checked\"").await;
    assert_eq!(asked(gateway).await, 200);
    assert_eq!(careless.last().line, "PUT /fhir/Observation/o10");
    assert_eq!(careless.last().headers["if-match"], "W/\"3\"");
}
