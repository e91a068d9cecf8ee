//! `fhir-auth check`

use std::process::Output;

use tower_fhir_auth::test_util::TestIssuer;

use crate::support::{BASE, fhir_auth};

fn check(text: &str, arguments: &[&str]) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.toml");
    std::fs::write(&file, text).unwrap();
    let mut all = vec!["check", file.to_str().unwrap()];
    all.extend(arguments);
    let run = fhir_auth(&all).output().unwrap();
    let printed = [run.stdout.clone(), run.stderr.clone()].concat();
    (run, String::from_utf8(printed).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_file_ends_with_0_and_asks_nobody() {
    let issuer = TestIssuer::start().await.unwrap();
    let text = format!("base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{}\"\n", issuer.url());
    let (run, printed) = check(&text, &[]);
    assert_eq!(run.status.code(), Some(0), "{printed}");
    assert!(printed.contains("no mistakes"), "{printed}");
    assert_eq!(issuer.jwks_requests(), 0);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let (run, printed) = check(
        "base_url = 5\naccess = \"rules\"\n[[issuers]]\nisuer = \"x\"\njwks_file = \"none.json\"\n",
        &[],
    );
    assert_eq!(run.status.code(), Some(2), "{printed}");
    for key in ["base_url", "access", "isuer", "jwks_file"] {
        assert!(printed.contains(key), "no {key} in {printed}");
    }
    assert!(run.stdout.is_empty());
}

#[test]
fn the_command_line_is_explained() {
    for (arguments, code) in [
        (&["check"][..], 2),
        (&["check", "/nonexistent.toml"], 2),
        (&["check", "a", "b"], 2),
        (&["frobnicate"], 2),
        (&[], 2),
        (&["--help"], 0),
        (&["check", "--help"], 0),
        (&["explain", "--help"], 0),
        (&["--version"], 0),
    ] {
        let run = fhir_auth(arguments).output().unwrap();
        assert_eq!(run.status.code(), Some(code), "{arguments:?}");
        assert_eq!(run.stdout.is_empty(), code == 2, "{arguments:?}");
        assert_eq!(run.stderr.is_empty(), code == 0, "{arguments:?}");
    }
}

/// A token that is put on the command line is in histories already, and must not get into logs.
#[test]
fn no_value_of_the_command_line_is_repeated() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl";
    let config = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        config.path(),
        format!("base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"https://i.example\"\n"),
    )
    .unwrap();
    let file = config.path().to_str().unwrap();
    let (json, option) = (format!("--json={token}"), format!("--{token}"));
    let path = format!("/Patient?access_token={token} x");
    for arguments in [
        &[token][..],
        &["explain", "--config", file, token],
        &["explain", "--config", file, "--at", token],
        &["explain", "--config", file, "--method", token, "--path", "/Patient"],
        &["explain", "--config", file, "--method", "GET", "--path", &path],
        &["explain", "--config", file, &json],
        &["explain", "--config", file, &option],
        &["check", file, token],
    ] {
        let run = fhir_auth(arguments).stdin(std::process::Stdio::null()).output().unwrap();
        let printed = String::from_utf8([run.stdout, run.stderr].concat()).unwrap();
        // Any token of RFC 9110 is a method.
        let code = if arguments.contains(&"--path") && path != arguments[arguments.len() - 1] {
            1
        } else {
            2
        };
        assert_eq!(run.status.code(), Some(code), "{arguments:?}");
        assert!(!printed.contains("eyJ") && !printed.is_empty(), "{printed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn online_the_keys_of_every_issuer_are_loaded() {
    let (good, down) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    let text = format!("base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{}\"\n", good.url());
    let (run, printed) = check(&text, &["--online"]);
    assert_eq!(run.status.code(), Some(0), "{printed}");
    assert!(printed.contains(&format!("{}: one key", good.url())), "{printed}");
    down.fail();
    let text = format!("{text}[[issuers]]\nissuer = \"{}\"\n", down.url());
    let (run, printed) = check(&text, &["--online"]);
    assert_eq!(run.status.code(), Some(2), "{printed}");
    assert!(printed.contains(&format!("{}: no keys: ", down.url())), "{printed}");
}
