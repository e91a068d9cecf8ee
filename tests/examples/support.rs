//! A FHIR server with an issuer of its own, and what it answers.

use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use tower_fhir_auth::test_util::TestIssuer;

pub(crate) use crate::programs::{Example, command, fhir_auth};

pub(crate) async fn status(url: &str, token: &str) -> u16 {
    let request = reqwest::Client::new().get(url).bearer_auth(token);
    request.send().await.unwrap().status().as_u16()
}

/// The status of a request whose path is sent as it is written, which clients tidy up otherwise.
pub(crate) async fn raw_status(url: &str, token: &str) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let rest = url.strip_prefix("http://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!(
        "GET /{path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// The name by which clients of [`Fhir`] know it.
pub(crate) const BASE: &str = "https://fhir.example.org/r4";

/// The example FHIR server, trusting a test issuer.
pub(crate) struct Fhir {
    pub(crate) server: Example,
    pub(crate) issuer: TestIssuer,
    client: reqwest::Client,
}

/// What it answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Fhir {
    /// In an access mode, with Microsoft's roles; with further arguments.
    pub(crate) async fn start(access: &str, arguments: &[&str]) -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.toml");
        std::fs::copy("../examples/fhir_server/roles.json", folder.path().join("roles.json"))
            .unwrap();
        let text = format!(
            "base_url = \"{BASE}\"\naccess = \"{access}\"\n\
             [[issuers]]\nissuer = \"{}\"\n[roles]\ndefinitions = \"roles.json\"\n",
            issuer.url()
        );
        std::fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap().to_owned();
        let further: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let start = move || {
            let mut arguments = vec!["--config", &file, "--listen", "127.0.0.1:0"];
            arguments.extend(further.iter().map(String::as_str));
            Example::start(command("fhir_server", &arguments))
        };
        let server = tokio::task::spawn_blocking(start).await.unwrap();
        let this = Self { server, issuer, client: reqwest::Client::new() };
        let deadline = Instant::now() + Duration::from_secs(20);
        while this.as_caller("", "GET", "/Patient/1").await.status == 503 {
            assert!(Instant::now() < deadline, "no keys");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        this
    }

    /// A token of patient 1 with these scopes.
    pub(crate) fn token(&self, scope: &str) -> String {
        self.token_with(json!({"scope": scope, "patient": "1"}))
    }

    pub(crate) fn token_with(&self, claims: Value) -> String {
        let Value::Object(claims) = claims else { panic!("no claims: {claims}") };
        let token = self.issuer.token().claim("aud", BASE);
        let token =
            claims.into_iter().fold(token, |token, (name, value)| token.claim(&name, value));
        token.sign().unwrap()
    }

    pub(crate) async fn as_caller(&self, scope: &str, method: &str, path: &str) -> Reply {
        self.send(&self.token(scope), method, path, &[], Value::Null).await
    }

    pub(crate) async fn with_body(
        &self,
        scope: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> Reply {
        let kind =
            if method == "PATCH" { "application/json-patch+json" } else { "application/fhir+json" };
        self.send(&self.token(scope), method, path, &[("content-type", kind)], body).await
    }

    /// The body is JSON, or text as it is.
    pub(crate) async fn send(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Reply {
        let method: Method = method.parse().unwrap();
        let mut request = self.client.request(method, self.server.url(path)).bearer_auth(token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(text) = body.as_str() {
            request = request.body(text.to_owned());
        } else if !body.is_null() {
            request = request.body(body.to_string());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Reply { status, headers, body, text }
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `Type/id` of each resource in a bundle, in its order.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = self.body["entry"].as_array().cloned().unwrap_or_default();
        let resources = entries.iter().map(|entry| &entry["resource"]);
        let name = |resource: &Value| {
            let text = |name: &str| resource[name].as_str().unwrap_or("?").to_owned();
            format!("{}/{}", text("resourceType"), text("id"))
        };
        resources.map(name).collect()
    }

    /// The code of the OperationOutcome.
    pub(crate) fn code(&self) -> &str {
        self.body["issue"][0]["code"].as_str().unwrap_or_default()
    }
}
