//! The page of the gateway, with `--demo`.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tower_fhir_auth::test_util::TestIssuer;

use crate::support::{Example, command, fhir_auth};

const BASE: &str = "https://fhir.example.org/r4";

fn configuration(issuer: &TestIssuer, base: &str, upstream: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "base_url = \"{base}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n\
         [upstream]\nurl = \"{upstream}\"\n",
        issuer.url()
    );
    std::fs::write(folder.path().join("gateway.toml"), text).unwrap();
    folder
}

async fn start(folder: &tempfile::TempDir, further: &[&str]) -> Example {
    let file = folder.path().join("gateway.toml");
    let arguments = ["gateway", "--config", file.to_str().unwrap(), "--listen", "127.0.0.1:0"];
    let command = fhir_auth(&[&arguments[..], further].concat());
    tokio::task::spawn_blocking(move || Example::start(command)).await.unwrap()
}

#[tokio::test]
async fn with_demo_the_gateway_has_the_page_and_explains_by_its_own_configuration() {
    let issuer = TestIssuer::start().await.unwrap();
    let start_bare =
        || Example::start(command("fhir_server", &["--unprotected", "--listen", "127.0.0.1:0"]));
    let behind = tokio::task::spawn_blocking(start_bare).await.unwrap();
    let folder = configuration(&issuer, BASE, &behind.base);
    let gateway = start(&folder, &["--demo", "--demo-client", "spa"]).await;
    let origin = gateway.base.strip_suffix("/r4").unwrap();
    let client = Client::new();
    let page = client.get(origin).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
    assert!(page.text().await.unwrap().contains("page.js"));
    let described = client.get(format!("{origin}/demo.json")).send().await.unwrap();
    let described: Value = described.json().await.unwrap();
    assert_eq!((&described["base"], &described["client_id"]), (&json!("/r4"), &json!("spa")));
    let samples = described["samples"].as_array().unwrap();
    assert!(
        samples.iter().all(|sample| sample["method"] == "GET"),
        "nothing is changed by a click"
    );

    let token = issuer.token().claim("aud", BASE).claim("scope", "user/Patient.rs").sign().unwrap();
    let request = |path: &str| json!({"method": "GET", "path": path});
    let question =
        json!({"token": token, "requests": [request("/Patient/1"), request("/Observation/1")]});
    let explain = |question: &Value| client.post(format!("{origin}/explain")).json(question).send();
    let answer = explain(&question).await.unwrap().text().await.unwrap();
    assert!(!answer.contains(&token));
    let explained: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(explained[0]["verdict"], "accepted", "{explained}");
    assert_eq!(explained[1]["verdict"], "refused");
    // As the gateway itself answers.
    for (path, expected) in [("/Patient/1", 200), ("/Observation/1", 403)] {
        let read = client.get(gateway.url(path)).bearer_auth(&token).send().await.unwrap();
        assert_eq!(read.status().as_u16(), expected, "{path}");
    }

    let many = json!({"requests": vec![request("/Patient/1"); 65]});
    assert_eq!(explain(&many).await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    let large = json!({"token": "a".repeat(200_000), "requests": []});
    assert_eq!(explain(&large).await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    let plain = client.post(format!("{origin}/explain")).body("{}").send().await.unwrap();
    assert_eq!(plain.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let rebound = client.get(origin).header("host", "rebound.example").send().await.unwrap();
    assert_eq!(rebound.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn without_demo_the_gateway_has_no_page_and_explains_nothing() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = configuration(&issuer, BASE, "http://127.0.0.1:9");
    let gateway = start(&folder, &[]).await;
    let origin = gateway.base.strip_suffix("/r4").unwrap();
    for path in ["/", "/demo.json", "/explain", "/page.js"] {
        let answer = Client::new().post(format!("{origin}{path}")).json(&json!({})).send().await;
        assert_eq!(answer.unwrap().status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn demo_needs_loopback_and_a_root_that_is_free() {
    let issuer = TestIssuer::start().await.unwrap();
    for (base, arguments, word) in [
        (BASE, &["--demo", "--listen", "0.0.0.0:0"][..], "listens on loopback alone"),
        ("https://fhir.example.org", &["--demo", "--listen", "127.0.0.1:0"], "`base_url` without"),
        (BASE, &["--demo-client", "spa"], "--demo-client requires --demo"),
    ] {
        let folder = configuration(&issuer, base, "http://127.0.0.1:9");
        let file = folder.path().join("gateway.toml");
        let all = [&["gateway", "--config", file.to_str().unwrap()], arguments].concat();
        let mut command = fhir_auth(&all);
        let run = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let message = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{message}");
        assert!(message.contains(word), "{message}");
    }
}
