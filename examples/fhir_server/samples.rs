//! Requests to try, printed ready to paste.

use crate::demo_idp::SECRET;

/// Prints one command for each outcome worth seeing, each after a line that says what to expect.
pub(crate) fn print(base: &str, idp: &str) {
    println!();
    println!(
        "This demo issues its own tokens, for everybody on this machine: for trying out only."
    );
    println!("Paste a line into another terminal. The first word says what status to expect.");
    for (expectation, command) in samples(base, idp) {
        println!();
        println!("# {expectation}");
        println!("{command}");
    }
}

fn samples(base: &str, idp: &str) -> Vec<(&'static str, String)> {
    let get = |who: &str, asked: &str, path: &str| {
        let token = token(idp, who, asked);
        format!("curl -si -H \"Authorization: Bearer {token}\" '{base}{path}'")
    };
    let create = |who: &str| {
        let patient = r#"{"resourceType":"Patient","name":[{"family":"Haddad"}]}"#;
        format!(
            "{} -H 'Content-Type: application/fhir+json' -d '{patient}'",
            get(who, "", "/Patient")
        )
    };
    vec![
        ("200: the reader reads a patient", get("reader", "", "/Patient/1")),
        (
            "200: an application searches with a scope",
            get("app", "&scope=system/Observation.rs", "/Observation?patient=1"),
        ),
        ("201: the writer creates a patient", create("writer")),
        ("200: Amara reads her own record", get("amara", "", "/Patient/1")),
        (
            "200: Amara searches everybody's observations, and finds her own",
            get("amara", "", "/Observation?_include=Observation:subject"),
        ),
        ("403: another patient's record", get("amara", "", "/Patient/2")),
        (
            "404: another patient's observation, as one that does not exist",
            get("amara", "", "/Observation/tobi-hba1c"),
        ),
        (
            "404: a doctor who may see laboratory results does not see a weight",
            get(
                "doctor",
                "&scope=user/Observation.rs?category=laboratory",
                "/Observation/weight-1",
            ),
        ),
        ("200: the capability statement needs no token", format!("curl -si {base}/metadata")),
        ("401: no token", format!("curl -si {base}/Patient/1")),
        ("400: a token in the address", format!("curl -si '{base}/Patient/1?access_token=x'")),
        (
            "401: a token for another audience",
            get("reader", "&resource=https://other.example.org", "/Patient/1"),
        ),
        (
            "403: a scope for another type, and the answer names one that would do",
            get("app", "&scope=system/Observation.rs", "/Patient/1"),
        ),
        ("403: the reader's role does not create", create("reader")),
        ("202: the application begins an export", get("app", "&scope=system/*.rs", "/$export")),
        ("200: a backend that has a key in place of a secret", {
            let token = token_by_assertion(idp);
            format!("curl -si -H \"Authorization: Bearer {token}\" '{base}/Encounter'")
        }),
        (
            "401: no token, told in XML",
            format!("curl -si -H 'Accept: application/fhir+xml' {base}/Patient/1"),
        ),
        (
            "204: the keys rotate now; every line above still works",
            format!("curl -si -X POST {idp}/rotate"),
        ),
    ]
}

/// The same for a client that signs an assertion; the demo hands one out.
fn token_by_assertion(idp: &str) -> String {
    let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let form = format!("grant_type=client_credentials&client_assertion_type={kind}");
    let assertion = format!("client_assertion=$(curl -s {idp}/assertion)");
    let pick = r#"sed 's/.*"access_token":"\([^"]*\)".*/\1/'"#;
    format!("$(curl -s -d '{form}' -d \"{assertion}\" {idp}/token | {pick})")
}

/// A command substitution that fetches a token.
fn token(idp: &str, who: &str, asked: &str) -> String {
    let form = format!("grant_type=client_credentials{asked}");
    let pick = r#"sed 's/.*"access_token":"\([^"]*\)".*/\1/'"#;
    format!("$(curl -s -u {who}:{SECRET} -d '{form}' {idp}/token | {pick})")
}
