//! The example server and the gateway, as a user would start them.

use std::time::{Duration, Instant};

use reqwest::{Client, RequestBuilder};
use serde_json::json;
use tempfile::TempDir;
use tower_fhir_auth::test_util::{TestIssuer, TokenBuilder};

use crate::programs::{Example, command, fhir_auth};

pub(crate) const BASE: &str = "https://fhir.example.org/r4";

pub(crate) struct Server {
    pub(crate) issuer: TestIssuer,
    example: Example,
    client: Client,
    _folder: TempDir,
}

impl Server {
    /// The example, which enforces, with the demo's records.
    pub(crate) async fn example(disclose: &str) -> Self {
        Self::example_of(TestIssuer::start().await.unwrap(), disclose).await
    }

    pub(crate) async fn example_of(issuer: TestIssuer, disclose: &str) -> Self {
        let line = format!("disclose = \"{disclose}\"\n");
        let start =
            |file: &str| command("fhir_server", &["--config", file, "--listen", "127.0.0.1:0"]);
        Self::start(issuer, &line, "", start).await
    }

    /// The gateway.
    pub(crate) async fn gateway(upstream: &str, settings: &str) -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let sections = format!("[upstream]\nurl = \"{upstream}\"\n{settings}");
        let start =
            |file: &str| fhir_auth(&["gateway", "--config", file, "--listen", "127.0.0.1:0"]);
        Self::start(issuer, "", &sections, start).await
    }

    async fn start(
        issuer: TestIssuer,
        lines: &str,
        sections: &str,
        start: impl FnOnce(&str) -> std::process::Command,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("auth.toml");
        let text = format!(
            "base_url = \"{BASE}\"\naccess = \"scopes\"\n{lines}\
             [[issuers]]\nissuer = \"{}\"\n{sections}",
            issuer.url()
        );
        std::fs::write(&file, text).unwrap();
        let example = Example::start(start(file.to_str().unwrap()));
        Self { issuer, example, client: Client::new(), _folder: folder }
    }

    /// Waits for the keys.
    pub(crate) async fn ready(self) -> Self {
        let deadline = Instant::now() + Duration::from_secs(20);
        let token = self.good().sign().unwrap();
        while self.as_bearer(&token, "GET", "/Nothing/1").send().await.unwrap().status() == 503 {
            assert!(Instant::now() < deadline, "no keys");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        self
    }

    /// A token of patient 1.
    pub(crate) fn good(&self) -> TokenBuilder {
        let token = self.issuer.token().claim("aud", BASE).claim("sub", "amara");
        token.claim("scope", "patient/*.cruds").claim("patient", "1")
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(method.parse().unwrap(), self.example.url(path))
    }

    pub(crate) fn as_bearer(&self, token: &str, method: &str, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(token)
    }

    /// With these scopes, of patient 1.
    pub(crate) fn scoped(&self, scope: &str, method: &str, path: &str) -> RequestBuilder {
        let token = self.good().claim("scope", scope);
        let token = if scope.contains("patient/") { token } else { token.without("patient") };
        self.as_bearer(&token.sign().unwrap(), method, path)
    }
}

/// The bare store.
pub(crate) fn unprotected() -> Example {
    Example::start(command("fhir_server", &["--unprotected", "--listen", "127.0.0.1:0"]))
}

/// A resource to be stored.
pub(crate) fn observation(subject: &str) -> String {
    let code = json!({"coding": [{"system": "http://loinc.org", "code": "72166-2"}]});
    let value = json!({
        "resourceType": "Observation", "status": "final", "code": code,
        "subject": {"reference": subject}, "valueString": "never",
    });
    value.to_string()
}
