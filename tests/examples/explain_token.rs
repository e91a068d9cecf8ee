//! `fhir-auth explain`, and `examples/explain_token`, which is the same with another name.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tower_fhir_auth::test_util::TestIssuer;

use crate::support::{BASE, command, fhir_auth};

/// Runs both programs, which answer alike.
fn explain(folder: &tempfile::TempDir, arguments: &[&str], input: &str) -> Output {
    let config = folder.path().join("auth.toml");
    let mut all = vec!["explain", "--config", config.to_str().unwrap()];
    all.extend(arguments);
    let one = run(fhir_auth(&all), input);
    let other = run(command("explain_token", all.get(1..).unwrap()), input);
    assert_eq!(one.status.code(), other.status.code(), "{arguments:?}");
    // The moment of "now" is in both.
    let is_timeless = |line: &&str| !line.contains("T");
    for (one, other) in [(&one.stdout, &other.stdout), (&one.stderr, &other.stderr)] {
        let (one, other) = (String::from_utf8_lossy(one), String::from_utf8_lossy(other));
        assert!(
            one.lines().filter(is_timeless).eq(other.lines().filter(is_timeless)),
            "{one}{other}"
        );
    }
    other
}

fn run(mut command: Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    // With a command line that it cannot understand, it ends before it reads a token.
    let written = running.stdin.take().unwrap().write_all(input.as_bytes());
    assert!(written.is_ok() || running.wait().unwrap().code() == Some(2));
    running.wait_with_output().unwrap()
}

fn write(folder: &tempfile::TempDir, text: &str) {
    std::fs::write(folder.path().join("auth.toml"), text).unwrap();
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn outcome<'a>(explained: &'a Value, check: &str) -> &'a Value {
    let checks = explained["checks"].as_array().unwrap();
    checks.iter().find(|one| one["check"] == check).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_of_every_check_how_it_went_and_ends_with_the_verdict() {
    let issuer = TestIssuer::start().await.unwrap();
    let (down, other) = (TestIssuer::start().await.unwrap(), TestIssuer::start().await.unwrap());
    down.fail();
    let folder = tempfile::tempdir().unwrap();
    write(
        &folder,
        &format!(
            "base_url = \"{BASE}\"\naccess = \"scopes\"\n[keys]\ntimeout = \"1s\"\n\
             [[issuers]]\nissuer = \"{}\"\n[[issuers]]\nissuer = \"{}\"\n\
             [[issuers]]\nissuer = \"{}\"\n",
            issuer.url(),
            down.url(),
            other.url()
        ),
    );
    let good = || {
        issuer
            .token()
            .claim("aud", BASE)
            .claim("scope", "user/Patient.r")
            .claim("secret", "hush-hush-hush")
    };
    let token = good().sign().unwrap();
    let read = ["--method", "GET", "--path", "/Patient/1"];
    let write_it = ["--method", "PUT", "--path", "/Patient/1"];
    for (arguments, token, code, verdict) in [
        (&[][..], token.clone(), 0, "accepted"),
        (&read[..], token.clone(), 0, "accepted"),
        (&write_it[..], token.clone(), 1, "refused"),
        (&["--method", "GET", "--path", "/Patient/%31"], token.clone(), 1, "refused"),
        (&["--at", "2100-01-01T00:00:00Z"], token.clone(), 1, "refused"),
        (&[], format!("\n {token} \n"), 0, "accepted"),
        // What the layer lets in without a token.
        (&["--method", "GET", "--path", "/metadata"], String::new(), 0, "accepted"),
        (
            &["--method", "GET", "--path", "/.well-known/smart-configuration"],
            "nonsense".to_owned(),
            0,
            "accepted",
        ),
        (&["--method", "GET", "--path", "?_type=Patient"], token.clone(), 1, "refused"),
        (&[], String::new(), 1, "refused"),
        (&[], "non sense".to_owned(), 1, "refused"),
        (&[], good().claim("aud", "other").sign().unwrap(), 1, "refused"),
        (&[], good().claim("iss", "https://nobody.example.org").sign().unwrap(), 1, "refused"),
        (&[], good().claim("iss", down.url()).sign().unwrap(), 2, "undecided"),
    ] {
        let run = explain(&folder, arguments, &token);
        let text = String::from_utf8(run.stdout.clone()).unwrap();
        assert_eq!(run.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.starts_with(verdict), "{text}");
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let run = explain(&folder, &arguments, &token);
        assert_eq!((run.status.code(), &json(&run)["verdict"]), (Some(code), &verdict.into()));
        let both = format!("{text}{}", json(&run));
        assert!(!both.contains("hush"), "{both}");
        for part in token.trim().split('.').filter(|part| part.len() > 20) {
            assert!(!both.contains(part.get(..12).unwrap()), "{both}");
        }
    }
    // Only the keys of the token's issuer are loaded.
    assert_eq!(other.jwks_requests(), 0);
    assert!(issuer.jwks_requests() > 0);
    let run = explain(&folder, &["--method", "PUT", "--path", "/Patient/1", "--json"], &token);
    let explained = json(&run);
    let audience = outcome(&explained, "audience");
    assert_eq!((&audience["found"], &audience["expected"]), (&BASE.into(), &BASE.into()));
    let authorization = outcome(&explained, "authorization");
    assert_eq!(authorization["found"], "user/Patient.r");
    assert_eq!(authorization["advice"][0]["text"], "ask for the scope `user/Patient.u`");
    assert_eq!(explained["token"]["scopes"][0], "user/Patient.r");
    let others = explained["token"]["other_claims"].as_array().unwrap();
    assert!(others.contains(&"secret".into()), "{others:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_what_to_change_on_which_side() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(&folder, &format!("base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{}\"\n", issuer.url()));
    let client_id = "11111111-2222-3333-4444-555555555555";
    for (token, check, side, words) in [
        (
            issuer.token().claim("aud", client_id),
            "audience",
            "server",
            format!("add `{client_id}` to `audiences`"),
        ),
        (
            issuer.token().claim("aud", client_id),
            "audience",
            "client",
            format!("ask for a token for `{BASE}`"),
        ),
        (
            issuer.token().claim("aud", BASE).claim("iss", format!("{}/", issuer.url())),
            "issuer",
            "server",
            format!("set `issuer` to `{}/`", issuer.url()),
        ),
        (
            issuer.token().claim("iss", format!("https://sts.windows.net/{client_id}/")),
            "issuer",
            "provider",
            "accessTokenAcceptedVersion".to_owned(),
        ),
        (
            issuer.token().claim("aud", BASE).claim("exp", 1),
            "expiry",
            "client",
            "ask for a new token".to_owned(),
        ),
    ] {
        let run = explain(&folder, &["--json"], &token.sign().unwrap());
        let explained = json(&run);
        let advice = outcome(&explained, check)["advice"].as_array().unwrap().clone();
        let found = advice
            .iter()
            .any(|one| one["side"] == side && one["text"].as_str().unwrap().contains(&words));
        assert!(found, "no `{words}` in {advice:?}");
    }
}

#[test]
fn what_cannot_be_judged_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "base_url = 5\n");
    for arguments in [&[][..], &["--method", "GET"], &["--at", "yesterday"], &["--frobnicate"]] {
        let run = explain(&folder, arguments, "x");
        assert_eq!(run.status.code(), Some(2), "{arguments:?}");
        assert!(!run.stderr.is_empty() && run.stdout.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_paste_is_understood_and_said() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(&folder, &format!("base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{}\"\n", issuer.url()));
    let token = issuer.token().claim("aud", BASE).sign().unwrap();
    let (start, end) = token.split_at(60);
    for (input, taken_away) in [
        (token.clone(), json!([])),
        (format!("Bearer {token}"), json!(["the scheme `Bearer`"])),
        (
            format!("authorization: Bearer {token}\r\n"),
            json!(["the name of the header", "the scheme `Bearer`"]),
        ),
        (format!("\"{token}\""), json!(["quotes"])),
        (format!("{start}\n{end}\n"), json!(["line breaks"])),
        (
            json!({"token_type": "Bearer", "access_token": token, "refresh_token": "r"})
                .to_string(),
            json!(["the token response around `access_token`, with its `refresh_token`"]),
        ),
    ] {
        let run = explain(&folder, &["--json"], &input);
        let explained = json(&run);
        assert_eq!(
            (run.status.code(), &explained["taken_away"]),
            (Some(0), &taken_away),
            "{input}"
        );
        let text = String::from_utf8(explain(&folder, &[], &input).stdout).unwrap();
        assert!(
            text.starts_with("accepted: the token is good; no request was asked about\n"),
            "{text}"
        );
        for what in taken_away.as_array().unwrap() {
            assert!(text.lines().nth(1).unwrap().contains(what.as_str().unwrap()), "{text}");
        }
    }
    // Another scheme, and what holds no access token, are no credentials of this server.
    for input in ["Authorization: Basic dXNlcjpwYXNz", "{\"id_token\": \"a.b.c\"}", ""] {
        assert_eq!(explain(&folder, &[], input).status.code(), Some(1), "{input}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_may_be_a_whole_address() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(
        &folder,
        &format!(
            "base_url = \"{BASE}\"\naccess = \"scopes\"\n[[issuers]]\nissuer = \"{}\"\n",
            issuer.url()
        ),
    );
    let token = issuer.token().claim("aud", BASE).claim("scope", "user/Patient.r").sign().unwrap();
    for (path, code) in [
        (format!("{BASE}/Patient/1"), 0),
        (format!("{BASE}/Observation/1"), 1),
        ("/Patient/1".to_owned(), 0),
        ("Patient/1".to_owned(), 2),
    ] {
        let run = explain(&folder, &["--method", "GET", "--path", &path], &token);
        assert_eq!(run.status.code(), Some(code), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_no_provider_is_asked_and_all_that_can_be_told_is() {
    let issuer = TestIssuer::start().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    write(&folder, &format!("base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{}\"\n", issuer.url()));
    let token = issuer.token().claim("aud", "other").claim("exp", 1).sign().unwrap();
    let run = explain(&folder, &["--offline"], &token);
    let text = String::from_utf8(run.stdout).unwrap();
    assert_eq!(run.status.code(), Some(2), "{text}");
    assert!(text.starts_with("undecided: the keys of "), "{text}");
    for told in ["would fail   audience (unverified)\n", "would fail   expiry (unverified)\n"] {
        assert!(text.contains(told), "{text}");
    }
    assert!(String::from_utf8(run.stderr).unwrap().contains("--offline"));
    assert_eq!(issuer.jwks_requests(), 0);
    // Keys of a file need nobody.
    std::fs::write(folder.path().join("keys.json"), issuer.jwks().to_string()).unwrap();
    write(
        &folder,
        &format!(
            "base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"{}\"\njwks_file = \"keys.json\"\n",
            issuer.url()
        ),
    );
    let token = issuer.token().claim("aud", BASE).sign().unwrap();
    assert_eq!(explain(&folder, &["--offline"], &token).status.code(), Some(0));
}
