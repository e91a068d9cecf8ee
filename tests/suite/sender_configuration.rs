//! Mistakes in the file about senders and their users: `[dpop]`, `[mtls]`,
//! `[[require]]`, `sender_constraint`, `introspection`.

use std::time::Duration;

use tower_fhir_auth::authentication::Dpop;
use tower_fhir_auth::config::Config;
use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};

use crate::support::BASE;

/// The errors of a file with these lines in its issuer, and these behind it.
fn errors(issuer: &str, sections: &str) -> String {
    let text = format!(
        "base_url = \"{BASE}\"\n[[issuers]]\nissuer = \"https://idp.example.org\"\n{issuer}\n{sections}\n"
    );
    match Config::from_toml(&text) {
        Ok(config) => panic!("accepted: {config:#?}"),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn each_is_told(cases: &[(&str, &str)]) {
    for (sections, line) in cases {
        let told = errors("", sections);
        assert!(told.contains(line), "no `{line}` for {sections}: {told}");
        assert_eq!(told.lines().count(), 1, "{sections}: {told}");
    }
}

#[test]
fn a_mistake_about_proofs_names_its_key_and_what_was_expected() {
    each_is_told(&[
        ("[dpop]\nnonce = \"yes\"", "dpop.nonce: expected true or false, found a string"),
        ("[dpop]\nmax_age = 60", "dpop.max_age: expected a duration such as \"30s\""),
        ("[dpop]\nmax_age = \"soon\"", "found \"soon\""),
        ("[dpop]\nmax_age = \"0s\"", "dpop.max_age: expected from 1 s to 1 h"),
        ("[dpop]\nmax_age = \"61m\"", "dpop.max_age: expected from 1 s to 1 h"),
        ("[dpop]\nnounce = true", "dpop.nounce: unknown key: did you mean `nonce`?"),
        ("[dpop]\nmaxage = \"5s\"", "dpop.maxage: unknown key: did you mean `max_age`?"),
        ("[dopp]\nnonce = true", "dopp: unknown key: did you mean `dpop`?"),
        ("[[dpop]]\nnonce = true", "dpop: expected a table, found an array"),
    ]);
}

#[tokio::test]
async fn an_age_of_proofs_that_cannot_be_remembered_is_an_error_in_code_too() {
    for (seconds, is_good) in [(0, false), (1, true), (3600, true), (3601, false)] {
        let layer = FhirAuthLayer::builder(BASE)
            .issuer(TrustedIssuer::discover("https://idp.example.org"))
            .authorizer(authenticated())
            .dpop(Dpop::new().max_age(Duration::from_secs(seconds)));
        assert_eq!(layer.build().is_ok(), is_good, "{seconds}");
    }
}

#[test]
fn a_mistake_about_certificates_names_its_key_and_what_was_expected() {
    let proxies = "proxies = [\"127.0.0.1/32\"]";
    let with = |lines: &str| format!("[mtls]\n{lines}\n");
    for (lines, line) in [
        (
            "header = \"client-cert\"".to_owned(),
            "mtls.proxies: is required: expected the networks of the proxies",
        ),
        (
            format!("header = \"x-cert\"\n{proxies}"),
            "mtls.format: is required for this header: expected one of client-cert, xfcc, pem",
        ),
        (
            format!("header = \"x-cert\"\nformat = \"der\"\n{proxies}"),
            "mtls.format: expected one of client-cert, xfcc, pem; found \"der\"",
        ),
        ("format = \"pem\"".to_owned(), "mtls.format: expected `header` beside it"),
        (proxies.to_owned(), "mtls.proxies: expected `header` beside it"),
        (
            format!("header = \"a b\"\nformat = \"pem\"\n{proxies}"),
            "mtls.header: expected the name of a header for certificates",
        ),
        (
            format!("header = \"authorization\"\nformat = \"pem\"\n{proxies}"),
            "mtls.header: expected the name of a header for certificates",
        ),
        (
            "header = \"client-cert\"\nproxies = []".to_owned(),
            "mtls.proxies: expected at least one network, such as \"127.0.0.1/32\"",
        ),
        (
            "header = \"client-cert\"\nproxies = [\"localhost\"]".to_owned(),
            "mtls.proxies: expected at least one network, such as \"127.0.0.1/32\"",
        ),
        (
            "header = \"client-cert\"\nproxies = \"127.0.0.1\"".to_owned(),
            "mtls.proxies: expected an array of strings",
        ),
        (
            format!("headre = \"client-cert\"\n{proxies}").replace(proxies, ""),
            "mtls.headre: unknown key: did you mean `header`?",
        ),
    ] {
        each_is_told(&[(&with(&lines), line)]);
    }
}

#[test]
fn a_mistake_about_step_up_names_its_block_its_key_and_what_was_expected() {
    let block = |lines: &str| format!("[[require]]\n{lines}\n");
    let on = "on = [\"Patient.d\"]";
    const ON: &str = "require[0].on: expected `Type.letter`, `*.letter` or `$operation`, with one of c, r, u, d, s";
    for (lines, line) in [
        (
            "acr = [\"a\"]".to_owned(),
            "require[0].on: is required: expected `Type.letter`, `*.letter` or `$operation`",
        ),
        ("on = []\nacr = [\"a\"]".to_owned(), ON),
        ("on = [\"Patient.read\"]\nacr = [\"a\"]".to_owned(), ON),
        ("on = [\"patient/Patient.r\"]\nacr = [\"a\"]".to_owned(), ON),
        (
            "on = [\"Pateint.r\"]\nacr = [\"a\"]".to_owned(),
            "require[0].on: expected types of R4, or declared ones, before the letter",
        ),
        (on.to_owned(), "require[0].acr: expected `acr`, `max_auth_age` or both"),
        (
            format!("{on}\nacr = []"),
            "require[0].acr: expected at least one string, and no empty one",
        ),
        (
            format!("{on}\nacr = [\"a b\"]"),
            "require[0].acr: expected values without spaces, quotes and backslashes",
        ),
        (format!("{on}\nmax_auth_age = \"0s\""), "require[0].max_auth_age: expected more than 0s"),
        (format!("{on}\nmax_auth_age = 300"), "require[0].max_auth_age: expected a duration"),
        (
            format!("{on}\nacr = [\"a\"]\ncallers = \"apps\""),
            "require[0].callers: expected one of all, users; found \"apps\"",
        ),
        (
            format!("{on}\nacr = [\"a\"]\nmax_age = \"5m\""),
            "require[0].max_age: unknown key: did you mean `max_auth_age`?",
        ),
    ] {
        let told = errors("", &block(&lines));
        assert!(told.contains(line), "no `{line}` for {lines}: {told}");
    }
    each_is_told(&[(
        "[require]\non = [\"Patient.d\"]",
        "require: expected tables, each headed [[require]]",
    )]);
}

#[test]
fn a_mistake_about_bound_tokens_names_its_issuer_and_what_was_expected() {
    for (line, words) in [
        (
            "sender_constraint = \"dpop\"",
            "issuers[0].sender_constraint: expected one of accept, require, refuse; found \"dpop\"",
        ),
        ("sender_constraint = true", "issuers[0].sender_constraint: expected a string"),
        (
            "sender_constrain = \"require\"",
            "issuers[0].sender_constrain: unknown key: did you mean `sender_constraint`?",
        ),
        (
            "introspecton = {}",
            "issuers[0].introspecton: unknown key: did you mean `introspection`?",
        ),
    ] {
        let told = errors(line, "");
        assert!(told.contains(words), "{line}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
}

#[test]
fn all_mistakes_about_senders_are_told_at_once() {
    let told = errors(
        "sender_constraint = \"always\"\nintrospection = { endpoint = \"here\", client_id = 5, \
         client_secret = \"s\", whne = \"opaque\" }",
        "[dpop]\nnonce = 1\nmax_age = \"2h\"\n[mtls]\nheader = \"x-cert\"\n[[require]]\n\
         acr = [\"a\"]\n[[require]]\non = [\"x\"]\ncallers = \"nobody\"",
    );
    for place in [
        "issuers[0].sender_constraint: ",
        "issuers[0].introspection.endpoint: ",
        "issuers[0].introspection.client_id: ",
        "issuers[0].introspection.whne: unknown key: did you mean `when`?",
        "dpop.nonce: ",
        "dpop.max_age: ",
        "mtls.format: ",
        "mtls.proxies: ",
        "require[0].on: ",
        "require[1].on: ",
        "require[1].callers: ",
    ] {
        assert!(told.lines().any(|line| line.contains(place)), "no `{place}` in {told}");
    }
    assert_eq!(told.lines().count(), 11, "{told}");
}

#[test]
fn the_file_is_named_beside_each_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.toml");
    std::fs::write(&file, format!("base_url = \"{BASE}\"\n[dpop]\nnonce = 1\n")).unwrap();
    let told = Config::from_file(&file).unwrap_err().to_string();
    assert!(told.contains("auth.toml") && told.contains("dpop.nonce: "), "{told}");
}
