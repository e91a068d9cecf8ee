//! The log of servers where nobody has set a level.

use std::fs::File;
use std::time::{Duration, Instant};

use tower_fhir_auth::test_util::TestIssuer;

use crate::support::{BASE, Example, command, fhir_auth};

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_in_the_log_of_a_server_and_never_its_token() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.toml");
    let text = format!(
        "base_url = \"{BASE}\"\naccess = \"scopes\"\n[upstream]\nurl = \"http://127.0.0.1:9/fhir\"\n\
         [[issuers]]\nissuer = \"{}\"\n",
        issuer.url()
    );
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let arguments = ["--config", file, "--listen", "127.0.0.1:0"];
    let gateway = ["gateway", "--config", file, "--listen", "127.0.0.1:0"];
    for (name, mut start) in
        [("fhir_server", command("fhir_server", &arguments)), ("gateway", fhir_auth(&gateway))]
    {
        let log = folder.path().join(name);
        start.env_remove("RUST_LOG");
        let output = File::create(&log).unwrap();
        let server = tokio::task::spawn_blocking(|| Example::start_logging_to(start, output));
        let server = server.await.unwrap();
        let token = issuer.token().claim("aud", "https://elsewhere.example").sign().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        let client = reqwest::Client::new();
        let ask = || client.get(server.url("/Patient/1")).bearer_auth(&token).send();
        while ask().await.unwrap().status() == 503 {
            assert!(Instant::now() < deadline, "no keys");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(ask().await.unwrap().status(), 401, "{name}");
        let said = std::fs::read_to_string(&log).unwrap();
        assert!(said.contains("request refused") && said.contains("https://elsewhere"), "{said}");
        assert!(!said.contains(&token), "{name}: {said}");
    }
}
