//! Answer of a hostile server → what of it gets to a token that confines.
//!
//! The first line is the number of a token and an address, each further line an answer of the upstream server, in their
//! order; the last one serves for all requests after it. Nothing may come out that the model hides: resources of types
//! that were not granted, that are not the patient's, that are not final; and of the bundle itself nothing but what a
//! bundle of this layer has.

#![no_main]

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_fhir_auth_fuzz::confined::{Confined, Got, TOKENS, send};
use tower_fhir_auth_fuzz::model::shown::{
    fault_of_bundle, is_binary_of_what_is_shown, may_be_shown,
};
use tower_fhir_auth_fuzz::model::token::BASE;

fuzz_target!(|data: &str| {
    let mut lines = data.split('\n');
    let Some((number, below)) = lines.next().and_then(|line| line.split_once(' ')) else { return };
    let Some(token) = number.parse().ok().and_then(|number: usize| TOKENS.get(number)) else {
        return;
    };
    let answers: Vec<String> = lines.map(str::to_owned).collect();
    let request = Request::get(format!("/r4{below}"));
    let request = request.header("authorization", format!("Bearer {}", &*token.token));
    let Ok(request) = request.body(Full::<Bytes>::default()) else { return };
    let last = answers.len().saturating_sub(1);
    let sent = answers.clone();
    let got = send(request, move |number, _| {
        let answer = sent.get(number.min(last)).map(String::as_str).unwrap_or("404 ");
        // A status of three digits may stand before.
        match answer.split_at_checked(4) {
            Some((status, text)) if status.ends_with(' ') => match status.trim_end().parse() {
                Ok(status @ 200..=599) => (status, text.to_owned()),
                _ => (200, answer.to_owned()),
            },
            _ => (200, answer.to_owned()),
        }
    });
    check(token, below, &answers, &got);
});

fn check(token: &Confined, below: &str, answers: &[String], got: &Got) {
    // A public path is for everybody, and what stands there is the server's own.
    if below.split(['?', '#']).next() == Some("/health") {
        return;
    }
    let headers = format!("{:?}", got.headers);
    assert!(!headers.contains("mark-of-the-server"), "{headers}");
    if got.status == 304 || got.text.is_empty() {
        return;
    }
    if got.status != 200 {
        // A refusal is in words of this server, and of the address that was asked.
        let is_told = got.text.contains("mark-of-") && !below.contains("mark");
        assert!(!is_told, "{}: {}", got.status, got.text);
        return;
    }
    let shown: Value = serde_json::from_str(&got.text).expect("what is shown is JSON");
    let may_show =
        |resource: &Value| may_be_shown(resource, token.to_patient, token.to_final, token.types);
    let hides = |resource: &Value| {
        let is_granted = token.types.is_empty() || token.types.contains(&"Binary");
        !may_show(resource)
            && !(is_granted && is_binary_of_what_is_shown(resource, answers, &may_show))
    };
    if shown["resourceType"] != "Bundle" {
        let is_own = ["CapabilityStatement", "TerminologyCapabilities"];
        let is_statement = is_own.iter().any(|name| shown["resourceType"] == *name);
        let is_document = shown.get("issuer").is_some() || shown.get("capabilities").is_some();
        assert!(is_statement || is_document || !hides(&shown), "{}: {shown}", token.scope);
        return;
    }
    if let Some(fault) = fault_of_bundle(&shown, BASE) {
        panic!("{fault}: {shown}");
    }
    for entry in shown["entry"].as_array().into_iter().flatten() {
        match entry.get("resource") {
            Some(resource) => assert!(!hides(resource), "{}: {resource}", token.scope),
            // A deletion is told of types of which everything is shown, and these tokens have none.
            None => panic!("{}: {entry}", token.scope),
        }
    }
}
