//! `examples/fhir_server` from outside: its command line, its samples, its configuration.

use std::io::BufRead;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tower_fhir_auth::test_util::TestIssuer;

use crate::support::{Example, Fhir, command, status};

/// A command as the server prints it: what to expect, and the line to paste.
pub(crate) fn samples(server: &mut Example) -> Vec<(String, String)> {
    let mut samples = Vec::new();
    let mut expectation = String::new();
    let mut line = String::new();
    while server.output.read_line(&mut line).unwrap() > 0 {
        if let Some(text) = line.strip_prefix("# ") {
            expectation = text.trim_end().to_owned();
        } else if line.starts_with("curl ") {
            samples.push((std::mem::take(&mut expectation), line.trim_end().to_owned()));
            if line.contains("/rotate") {
                break;
            }
        }
        line.clear();
    }
    samples
}

#[test]
fn each_command_that_the_fhir_server_prints_does_what_its_text_promises() {
    let mut server = Example::start(command("fhir_server", &["--listen", "127.0.0.1:0"]));
    let samples = samples(&mut server);
    assert!(samples.len() >= 18, "{samples:#?}");
    // The last one rotates the keys; after it all must do the same.
    for (expectation, line) in samples.iter().chain(&samples) {
        let run = Command::new("sh").args(["-c", line]).output().unwrap();
        let answer = String::from_utf8(run.stdout).unwrap();
        let promised = expectation.split(':').next().unwrap();
        let found = answer.split(' ').nth(1);
        assert_eq!(found, Some(promised), "{expectation}\n{line}\n{answer}");
        if expectation.contains("XML") {
            assert!(answer.contains("<OperationOutcome"), "{answer}");
        }
        if expectation.contains("names one that would do") {
            assert!(answer.contains("scope=\"system/Patient.r\""), "{answer}");
        }
    }
    // A client with a key gets nothing by another's assertion, or by the secret of the others.
    let rotate = &samples.last().unwrap().1;
    let idp = rotate.split(' ').next_back().unwrap().trim_end_matches("/rotate");
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    for form in [
        format!("client_assertion_type={kind}&client_assertion=a.b.c"),
        format!("client_assertion_type=other&client_assertion=$(curl -s {idp}/assertion)"),
        "client_id=backend&client_secret=demo".to_owned(),
        "client_id=reader&client_secret=wrong".to_owned(),
    ] {
        let line = format!("curl -si -d \"grant_type=client_credentials&{form}\" {idp}/token");
        let run = Command::new("sh").args(["-c", &line]).output().unwrap();
        let answer = String::from_utf8(run.stdout).unwrap();
        assert!(answer.contains(" 401 ") && answer.contains("invalid_client"), "{line}\n{answer}");
    }
    let (code, took) = server.end("-TERM");
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn the_fhir_server_trusts_the_issuers_of_its_file_and_does_not_wait_for_their_keys() {
    let issuer = TestIssuer::start().await.unwrap();
    issuer.fail();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.toml");
    let base = "https://fhir.example.org/r4";
    let text = format!(
        "base_url = \"{base}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n",
        issuer.url()
    );
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let mut server = command("fhir_server", &["--config", file, "--listen", "127.0.0.1:0"]);
    let server = tokio::task::spawn_blocking(move || {
        server.env("RUST_LOG", "debug");
        // A proxy in the environment is not used unless it is asked for.
        server.env("http_proxy", "http://127.0.0.1:9").env("HTTPS_PROXY", "http://127.0.0.1:9");
        Example::start(server)
    });
    let server = server.await.unwrap();
    assert!(server.base.ends_with("/r4"), "{}", server.base);

    let token = issuer.token().claim("aud", base).claim("scope", "user/Patient.r").sign().unwrap();
    let read = server.url("/Patient/1");
    assert_eq!(status(&read, &token).await, 503);
    issuer.recover();
    let deadline = Instant::now() + Duration::from_secs(20);
    while status(&read, &token).await != 200 {
        assert!(Instant::now() < deadline, "no recovery without a restart");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    issuer.rotate().unwrap();
    let rotated = issuer.token().claim("aud", base).claim("scope", "user/Patient.r");
    assert_eq!(status(&read, &rotated.sign().unwrap()).await, 200);

    // A connection that stays open does not keep the server alive.
    let _open = std::net::TcpStream::connect(server.base.split('/').nth(2).unwrap()).unwrap();
    let (code, took) = tokio::task::spawn_blocking(|| server.end("-INT")).await.unwrap();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(4), "{took:?}");
}

#[tokio::test]
async fn the_fhir_server_answers_what_scopes_allow() {
    let fhir = Fhir::start("scopes", &[]).await;
    for (path, scope, expected) in [
        ("/Patient/1", "system/*.rs", 200),
        ("/Patient/1", "patient/Observation.r", 403),
        ("/Patient/1", "system/Observation.r", 403),
        ("/Patient/nobody", "system/Patient.r", 404),
        ("/Patient?_id=1,2", "user/Patient.s", 200),
        ("/Patient?phonetic=x", "user/Patient.s", 400),
        ("/Patient//1", "system/*.cruds", 403),
        ("/Patient/%31", "system/*.cruds", 403),
        ("/Patient/1/_history", "system/*.cruds", 200),
        ("/Patient/1/_history", "system/Patient.s", 403),
        ("/metadata", "", 200),
        ("/health", "", 200),
        ("/.well-known/smart-configuration", "", 200),
    ] {
        let reply = fhir.as_caller(scope, "GET", path).await;
        assert_eq!(reply.status, expected, "{path} with {scope}: {}", reply.text);
    }
    // A token that names no patient has none that a scope could be of.
    let nobody = fhir.token_with(json!({"scope": "patient/Patient.r"}));
    assert_eq!(status(&fhir.server.url("/Patient/1"), &nobody).await, 403);
    let found = fhir.as_caller("system/*.rs", "GET", "/Patient?_id=1,2").await;
    assert_eq!(found.names(), ["Patient/1", "Patient/2"]);
}

#[tokio::test]
async fn the_fhir_server_refuses_what_is_too_large_and_who_is_nobody() {
    let fhir = Fhir::start("scopes", &[]).await;
    let denied = reqwest::Client::new().delete(fhir.server.url("/Patient/1")).send().await.unwrap();
    assert_eq!(denied.status(), 401);
    assert!(!denied.headers().contains_key("allow"), "{denied:?}");
    let large = fhir.with_body("user/Patient.c", "POST", "/Patient", " ".repeat(17 << 20).into());
    let large = large.await;
    assert_eq!((large.status, large.code()), (413, "too-long"));

    // There is room for the largest token that is judged, and for larger ones to be refused.
    let client = reqwest::Client::new();
    for (size, expected) in [(16_000, 401), (20_000, 401), (70_000, 401), (200_000, 401)] {
        let token = "a".repeat(size);
        let answer = client.get(fhir.server.url("/Patient/1")).bearer_auth(token).send();
        let answer = answer.await.unwrap();
        assert_eq!((size, answer.status().as_u16()), (size, expected));
        assert!(answer.headers().contains_key("www-authenticate"));
    }
}

#[test]
fn a_configuration_that_cannot_be_used_ends_with_status_2_and_says_where_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.toml");
    std::fs::write(&file, "base_url = 5\n[[issuers]]\nissuer = \"http://h\"\n").unwrap();
    let path = file.to_str().unwrap().to_owned();
    for (arguments, words) in [
        (
            vec!["--config", &path],
            vec![
                "auth.toml: base_url: expected a string",
                "auth.toml: issuers[0].issuer: expected an https URL",
            ],
        ),
        (vec!["--config", "no-such.toml"], vec!["no-such.toml: (file): expected a readable"]),
        (vec!["--listen", "nowhere"], vec!["--listen nowhere"]),
        (vec!["--data", "no-such-folder"], vec!["--data no-such-folder"]),
        (vec!["--frobnicate"], vec!["--frobnicate", "usage: fhir_server"]),
    ] {
        let run = command("fhir_server", &arguments).output().unwrap();
        let message = String::from_utf8(run.stderr).unwrap();
        assert_eq!(run.status.code(), Some(2), "{message}");
        for word in words {
            assert!(message.contains(word), "no `{word}` in {message}");
        }
        assert!(run.stdout.is_empty());
    }
}

#[tokio::test]
async fn the_fhir_server_loads_resources_and_bundles_from_a_folder() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("a.json"), r#"{"resourceType":"Patient","id":"a","meta":5}"#).unwrap();
    let bundle =
        r#"{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Device","id":"d"}}]}"#;
    std::fs::write(data.join("b.json"), bundle).unwrap();
    std::fs::write(data.join("c.txt"), "not looked at").unwrap();
    std::fs::copy("../examples/fhir_server/roles.json", folder.path().join("roles.json")).unwrap();
    let file = folder.path().join("auth.toml");
    let base = "http://127.0.0.1/fhir";
    std::fs::write(
        &file,
        format!(
            "base_url = \"{base}\"\n[[issuers]]\nissuer = \"{}\"\n\
             [roles]\ndefinitions = \"roles.json\"\n",
            issuer.url()
        ),
    )
    .unwrap();
    let arguments = [
        "--config".to_owned(),
        file.to_str().unwrap().to_owned(),
        "--data".to_owned(),
        data.to_str().unwrap().to_owned(),
        "--listen".to_owned(),
        "127.0.0.1:0".to_owned(),
    ];
    let server = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Example::start(command("fhir_server", &arguments))
    });
    let server = server.await.unwrap();
    let token =
        issuer.token().claim("aud", base).claim("roles", vec!["globalReader"]).sign().unwrap();
    for (path, expected) in [("/Patient/a", 200), ("/Device/d", 200), ("/Patient/1", 404)] {
        assert_eq!(status(&server.url(path), &token).await, expected, "{path}");
    }
    let unknown = issuer.token().claim("aud", base).claim("roles", vec!["nobodysRole"]);
    assert_eq!(status(&server.url("/Patient/a"), &unknown.sign().unwrap()).await, 403);
}

/// Finding: included resources of a public path were shown, although nobody had made their type public.
#[tokio::test]
async fn a_public_path_shows_resources_of_its_type_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.toml");
    let text = "base_url = \"https://fhir.example.org/r4\"\naccess = \"scopes\"\n\
        public = [\"/Practitioner\"]\n[[issuers]]\nissuer = \"https://idp.example.org\"\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let command = command("fhir_server", &["--config", file, "--listen", "127.0.0.1:0"]);
    let server = tokio::task::spawn_blocking(|| Example::start(command)).await.unwrap();
    for query in ["", "?_revinclude=Encounter:participant", "?_include=*&_revinclude=*"] {
        let url = server.url(&format!("/Practitioner{query}"));
        let answer = reqwest::get(url).await.unwrap();
        let status = answer.status().as_u16();
        let body: serde_json::Value = answer.json().await.unwrap();
        let Some(entries) = body["entry"].as_array() else {
            assert_eq!((query, status), ("?_include=*&_revinclude=*", 400), "{body}");
            continue;
        };
        assert!(!entries.is_empty());
        for entry in entries {
            assert_eq!(entry["resource"]["resourceType"], "Practitioner", "{query}: {entry}");
        }
    }
    let chained = server.url("/Practitioner?_has:Encounter:participant:status=finished");
    let answer = reqwest::get(chained).await.unwrap();
    assert_eq!(answer.status(), 403);
    assert!(answer.text().await.unwrap().contains("shows nothing of another type"));
}
