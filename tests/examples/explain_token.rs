//! `examples/explain_token.rs`

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tower_fhir_auth::test_util::TestIssuer;

use crate::support::{BASE, command};

fn explain(folder: &tempfile::TempDir, arguments: &[&str], token: &str) -> Output {
    let config = folder.path().join("auth.toml");
    let mut all = vec!["--config", config.to_str().unwrap()];
    all.extend(arguments);
    let mut command: Command = command("explain_token", &all);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    // With a command line that it cannot understand, it ends before it reads a token.
    let written = running.stdin.take().unwrap().write_all(token.as_bytes());
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
        assert_eq!(text.lines().last(), Some(verdict), "{text}");
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
    assert_eq!(explained["token"]["scopes"], "user/Patient.r");
    assert!(explained["token"]["other claims"].as_str().unwrap().contains("secret"));
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
