//! `examples/fhir_server --unprotected`: the store alone, as a gateway finds it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Example, command};

struct Store {
    server: Example,
    client: reqwest::Client,
}

impl Store {
    async fn start(further: &[&str]) -> Self {
        let mut arguments = vec!["--unprotected", "--listen", "127.0.0.1:0"];
        arguments.extend(further);
        let command = command("fhir_server", &arguments);
        let server = tokio::task::spawn_blocking(|| Example::start(command)).await.unwrap();
        Self { server, client: reqwest::Client::new() }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> (u16, Value) {
        let method: Method = method.parse().unwrap();
        let mut request = self.client.request(method, self.server.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.send("GET", path, &[], Value::Null).await
    }
}

#[tokio::test]
async fn everybody_reads_and_writes_everything() {
    let store = Store::start(&[]).await;
    assert!(store.server.base.ends_with("/fhir"), "{}", store.server.base);
    for path in [
        "/Patient/1",
        "/Patient/2/Observation",
        "/Patient/1/$everything",
        "/Observation?_id=weight-1&_include=Observation:subject",
        "/Patient/1/_history/1",
        "/_history",
        "?_type=Patient,Group",
        "/metadata",
        "/health",
    ] {
        assert_eq!(store.get(path).await.0, 200, "{path}");
    }
    let (_, members) = store.get("/Patient/2/*?_type=Observation,Organization").await;
    assert_eq!(members["total"], 6, "the compartment of R4, and nothing that is shared: {members}");
    // A token that comes is not looked at.
    let nonsense = [("authorization", "Bearer nonsense")];
    assert_eq!(store.send("GET", "/Patient/1", &nonsense, Value::Null).await.0, 200);
    // There is no layer that would serve it.
    assert_eq!(store.get("/.well-known/smart-configuration").await.0, 404);
    for unknown in ["/Foo/1", "/Patient//1", "/nonsense/of/any/kind"] {
        assert_eq!(store.get(unknown).await.0, 404, "{unknown}");
    }

    let entry = |method: &str, url: &str| json!({"request": {"method": method, "url": url}});
    let mut created = entry("POST", "Patient");
    created["resource"] = json!({"resourceType": "Patient"});
    let entries = [created, entry("DELETE", "/Observation/weight-3"), entry("GET", "Patient/2")];
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
    let (status, answer) = store.send("POST", "", &[], bundle).await;
    assert_eq!((status, &answer["type"]), (200, &json!("transaction-response")), "{answer}");
    assert_eq!(store.get("/Observation/weight-3").await.0, 410);
    let nested = json!({"resourceType": "Bundle", "type": "batch", "entry": [entry("POST", "")]});
    let (_, answer) = store.send("POST", "", &[], nested).await;
    assert_eq!(answer["entry"][0]["response"]["status"], "400", "{answer}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let search =
        store.client.post(store.server.url("/Patient/_search")).header(form[0].0, form[0].1);
    let found: Value = search.body("name=oyelaran").send().await.unwrap().json().await.unwrap();
    assert_eq!(found["total"], 1);

    let begun = store.client.get(store.server.url("/$export")).send().await.unwrap();
    assert_eq!(begun.status(), 202);
    let status = begun.headers()["content-location"].to_str().unwrap();
    let manifest: Value = store.client.get(status).send().await.unwrap().json().await.unwrap();
    let file = manifest["output"][0]["url"].as_str().unwrap();
    assert_eq!(store.client.get(file).send().await.unwrap().status(), 200, "{manifest}");
    assert_eq!(store.client.delete(status).send().await.unwrap().status(), 202);

    let (code, _) = tokio::task::spawn_blocking(|| store.server.end("-TERM")).await.unwrap();
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn versions_are_honoured_and_metadata_says_so() {
    let store = Store::start(&[]).await;
    let metadata = store.get("/metadata").await.1;
    let rest = &metadata["rest"][0];
    assert_eq!(rest.get("security"), None, "{metadata}");
    for resource in rest["resource"].as_array().unwrap() {
        assert_eq!(resource["versioning"], "versioned-update", "{resource}");
        for name in ["conditionalCreate", "conditionalUpdate", "readHistory", "updateCreate"] {
            assert_eq!(resource[name], true, "{name}");
        }
        assert_eq!(resource["conditionalDelete"], "single");
    }

    let patient = json!({"resourceType": "Patient", "id": "1", "active": true});
    let patch = json!([{"op": "replace", "path": "/active", "value": false}]);
    let changes = [
        ("PUT", "application/fhir+json", patient),
        ("PATCH", "application/json-patch+json", patch),
        ("DELETE", "application/fhir+json", Value::Null),
    ];
    for (current, (method, kind, body)) in (1..).zip(changes) {
        let fresh = format!("W/\"{current}\"");
        for (tags, expected) in [
            ("W/\"77\"", 412),
            ("", 412),
            ("nonsense", 412),
            (&*fresh, if method == "DELETE" { 204 } else { 200 }),
        ] {
            let headers = [("content-type", kind), ("if-match", tags)];
            let (status, answer) = store.send(method, "/Patient/1", &headers, body.clone()).await;
            assert_eq!(status, expected, "{method} with {tags}: {answer}");
        }
    }
    // What is not there has no version that could match.
    let headers = [("if-match", "W/\"1\"")];
    let body = json!({"resourceType": "Patient", "id": "none"});
    assert_eq!(store.send("PUT", "/Patient/none", &headers, body).await.0, 412);
    let conditional = json!({"resourceType": "Patient", "gender": "other"});
    let path = "/Patient?identifier=none";
    assert_eq!(store.send("PUT", path, &headers, conditional).await.0, 412);
}

#[test]
fn it_listens_on_loopback_alone_and_takes_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.toml");
    std::fs::write(&file, "base_url = \"https://fhir.example.org\"").unwrap();
    for (arguments, words) in [
        (vec!["--listen", "0.0.0.0:0"], "--listen 0.0.0.0:0: with --unprotected"),
        (vec!["--listen", "[::]:0"], "loopback"),
        (vec!["--listen", "203.0.113.1:8080"], "loopback"),
        (vec!["--config", file.to_str().unwrap()], "--config"),
    ] {
        let all: Vec<&str> = ["--unprotected"].into_iter().chain(arguments).collect();
        let run = command("fhir_server", &all).output().unwrap();
        let message = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{all:?}: {message}");
        assert!(message.contains(words), "no `{words}` in {message}");
        assert!(run.stdout.is_empty(), "{all:?}");
    }
}

#[test]
fn it_says_that_nothing_is_enforced_and_loads_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("a.json"), r#"{"resourceType":"Patient","id":"a"}"#).unwrap();
    let log = folder.path().join("log");
    let arguments = ["--unprotected", "--listen", "localhost:0", "--data", data.to_str().unwrap()];
    let mut start = command("fhir_server", &arguments);
    start.env("RUST_LOG", "off");
    let server = Example::start_logging_to(start, std::fs::File::create(&log).unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (path, expected) in [("/Patient/a", 200), ("/Patient/1", 404)] {
        let answer = runtime.block_on(reqwest::get(server.url(path))).unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{path}");
    }
    let said = std::fs::read_to_string(&log).unwrap();
    assert!(said.contains("nothing is enforced"), "{said}");
}

/// A site whose name leads here is the same origin to a browser, and a body without a media type needs no preflight.
#[tokio::test]
async fn a_site_that_somebody_has_open_is_not_answered() {
    let store = Store::start(&[]).await;
    for (host, expected) in [
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("LOCALHOST:1", 200),
        ("[::1]", 200),
        ("127.0.1.1", 200),
    ] {
        let got = store.send("GET", "/Patient/1", &[("host", host)], Value::Null).await;
        assert_eq!(got.0, expected, "{host}: {}", got.1);
    }
    let patient = json!({"resourceType": "Patient"});
    let page = [("origin", "https://evil.example")];
    assert_eq!(store.send("POST", "/Patient", &page, patient.clone()).await.0, 415);
    let app = [page[0], ("content-type", "application/fhir+json")];
    assert_eq!(store.send("POST", "/Patient", &app, patient.clone()).await.0, 201);
    assert_eq!(store.send("POST", "/Patient", &[], patient).await.0, 201);
    assert_eq!(store.send("DELETE", "/Observation/weight-2", &page, Value::Null).await.0, 204);
    for (mode, expected) in [("no-cors", 403), ("navigate", 403), ("cors", 202)] {
        let fetched = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", mode)];
        assert_eq!(
            store.send("GET", "/$export", &fetched, Value::Null).await.0,
            expected,
            "{mode}"
        );
    }
}

/// The next export asks for what is newer: a change that has its time and is not in the store yet would be lost.
#[tokio::test]
async fn the_time_of_an_export_is_that_of_the_last_change_in_it() {
    let store = Store::start(&[]).await;
    let patient = json!({"resourceType": "Patient", "id": "1"});
    let (_, changed) = store.send("PUT", "/Patient/1", &[], patient).await;
    let begun = store.client.get(store.server.url("/$export?_type=Patient")).send().await.unwrap();
    let status = begun.headers()["content-location"].to_str().unwrap();
    let manifest: Value = store.client.get(status).send().await.unwrap().json().await.unwrap();
    assert_eq!(manifest["transactionTime"], changed["meta"]["lastUpdated"], "{manifest}");
}
