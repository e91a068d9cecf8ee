//! Real OpenID providers: discovery, token, request, key rotation, request.
//!
//! Not part of a plain `cargo test`, because it needs Node 20 or later:
//!
//! ```text
//! npm ci --prefix tests/providers && cargo test --test providers
//! ```

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::Value;
use tower_fhir_auth::authentication::{Introspection, IntrospectionClient};
use tower_fhir_auth::{FhirAuthLayer, Principal, TrustedIssuer, require_scope};

const BASE: &str = "https://fhir.example.org/r4";

/// A provider that is running.
struct Provider {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    issuer: String,
    token_endpoint: String,
}

impl Provider {
    fn start(script: &str) -> Self {
        Self::start_with(script, &[])
    }

    fn start_with(script: &str, arguments: &[&str]) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers");
        let installed = folder.join("node_modules").is_dir();
        assert!(installed, "not installed: run `npm ci --prefix tests/providers` first");
        let mut process = Command::new("node")
            .arg(folder.join(script))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (issuer, token_endpoint) = (String::new(), String::new());
        let mut provider = Self { process, input, output, issuer, token_endpoint };
        let hello = provider.hear();
        let text = |name: &str| hello.get(name).and_then(Value::as_str).unwrap().to_owned();
        (provider.issuer, provider.token_endpoint) = (text("issuer"), text("token_endpoint"));
        provider
    }

    /// The next line that is JSON; providers say other things too.
    fn hear(&mut self) -> Value {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "the provider has ended");
            if let Ok(value @ Value::Object(_)) = serde_json::from_str(&line) {
                return value;
            }
        }
    }

    fn rotate(&mut self) {
        writeln!(self.input, "rotate").unwrap();
        assert!(self.hear().get("rotated").is_some());
    }

    async fn token(&self) -> String {
        let form = [
            ("grant_type", "client_credentials"),
            ("scope", "system/Patient.rs"),
            ("resource", BASE),
        ];
        let request = reqwest::Client::new().post(&self.token_endpoint).form(&form);
        let response = request.basic_auth("svc", Some("svc-secret")).send().await.unwrap();
        let status = response.status();
        let answer: Value = response.json().await.unwrap();
        let token = answer.get("access_token").and_then(Value::as_str);
        token.unwrap_or_else(|| panic!("{status}: {answer}")).to_owned()
    }
}

impl Provider {
    async fn revoke(&self, token: &str) {
        let url = format!("{}/revocation", self.token_endpoint);
        let request = reqwest::Client::new().post(url).form(&[("token", token)]);
        let response = request.basic_auth("svc", Some("svc-secret")).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A guarded server on loopback.
async fn serve(layer: FhirAuthLayer) -> String {
    let name = |caller: &Principal| caller.subject().or(caller.client_id()).map(str::to_owned);
    let whoami = move |caller: Principal| async move { name(&caller).unwrap_or_default() };
    let app = Router::new().route("/r4/Patient/1", get(whoami)).layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/r4/Patient/1", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, app).into_future());
    url
}

async fn read(url: &str, token: &str) -> (u16, String) {
    let response = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Any character that is changed makes a token that is not the provider's.
fn forged(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let swapped = if signature.starts_with('A') { "B" } else { "A" };
    format!("{input}.{swapped}{}", signature.get(1..).unwrap())
}

async fn discovery_token_request_rotation_request(script: &str) {
    let mut provider = Provider::start(script);
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::discover(&provider.issuer))
        .authorizer(require_scope("system/Patient.rs"))
        .build()
        .unwrap();
    tokio::time::timeout(Duration::from_secs(10), layer.ready()).await.unwrap();
    let url = serve(layer.clone()).await;

    let before = provider.token().await;
    assert_eq!(read(&url, &before).await, (200, "svc".to_owned()));
    let (status, body) = read(&url, &forged(&before)).await;
    assert_eq!(status, 401);
    assert!(body.contains("the signature does not verify"), "{body}");

    let keys = layer.health().remove(0).keys;
    provider.rotate();
    // A provider that signs with its keys in turn comes to the new one with the second token.
    for _ in 0..2 {
        let after = provider.token().await;
        assert_eq!(read(&url, &after).await, (200, "svc".to_owned()));
    }
    assert_eq!(read(&url, &before).await, (200, "svc".to_owned()), "the old key is published yet");
    let health = layer.health().remove(0);
    assert_eq!(health.keys, keys + 1, "{health:?}");
    assert_eq!(health.loads, 2, "one at the start, one for the unknown key: {health:?}");
}

#[tokio::test]
async fn oidc_provider() {
    discovery_token_request_rotation_request("oidc-provider.mjs").await;
}

#[tokio::test]
async fn oauth2_mock_server() {
    discovery_token_request_rotation_request("oauth2-mock-server.mjs").await;
}

/// Opaque tokens of the provider, at a server that introspects in one way.
async fn introspected(
    provider: &Provider,
    settings: impl FnOnce(Introspection) -> Introspection,
    client: IntrospectionClient,
) {
    let settings = settings(Introspection::discover(client));
    let issuer = TrustedIssuer::discover(&provider.issuer)
        // A token of the client credentials grant has no user.
        .required_claims([""; 0])
        .introspection(settings.max_age(Duration::from_millis(500)));
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(issuer)
        .authorizer(require_scope("system/Patient.rs"))
        .build()
        .unwrap();
    let url = serve(layer.clone()).await;
    let token = provider.token().await;
    assert!(!token.contains('.'), "an opaque token");
    let health = || layer.health().remove(0).introspection.unwrap();
    assert_eq!(read(&url, &token).await, (200, "svc".to_owned()), "{:?}", health());
    let (status, body) = read(&url, &forged(&format!(".{token}"))[1..]).await;
    assert_eq!(status, 401);
    assert!(body.contains("the provider says that the token is not active"), "{body}");

    provider.revoke(&token).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(read(&url, &token).await.0, 401, "{:?}", health());
    assert!(health().reachable);
}

#[tokio::test]
async fn oidc_provider_introspects_as_json_and_signed_by_secret_and_by_key() {
    let private = include_str!("../suite/introspection/rsa_key.json");
    let mut public: Value = serde_json::from_str(private).unwrap();
    let members = public.as_object_mut().unwrap();
    members.retain(|name, _| matches!(name.as_str(), "kty" | "n" | "e"));
    members.insert("kid".to_owned(), "key".into());
    members.insert("use".to_owned(), "sig".into());
    let provider = Provider::start_with("oidc-provider.mjs", &["opaque", &public.to_string()]);
    let secret = || IntrospectionClient::with_secret("fhir", "fhir-secret");
    introspected(&provider, |settings| settings, secret()).await;
    introspected(&provider, Introspection::require_signed_answers, secret()).await;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.jwk");
    let mut key: Value = serde_json::from_str(private).unwrap();
    key.as_object_mut().unwrap().insert("kid".to_owned(), "key".into());
    std::fs::write(&path, key.to_string()).unwrap();
    let by_key = IntrospectionClient::with_key_file("fhir-key", &path);
    introspected(&provider, Introspection::require_signed_answers, by_key).await;

    // Without a client that the provider knows, nobody is told anything.
    let stranger = IntrospectionClient::with_secret("fhir", "wrong");
    let issuer =
        TrustedIssuer::discover(&provider.issuer).introspection(Introspection::discover(stranger));
    let builder = FhirAuthLayer::builder(BASE).issuer(issuer);
    let layer = builder.authorizer(require_scope("system/Patient.rs")).build().unwrap();
    let url = serve(layer).await;
    assert_eq!(read(&url, &provider.token().await).await.0, 503);
}
