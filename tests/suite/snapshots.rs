//! Refusals, byte by byte: files that these tests compare with what the layer says
//! now. `UPDATE_SNAPSHOTS=1` writes them anew.

use std::fmt::Write as _;
use std::path::Path;

use http::Request;
use serde_json::Value;
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::rejection::Disclosure;
use tower_fhir_auth::test_util::{TestClock, TestIssuer, TokenBuilder};
use tower_fhir_auth::{Enforcement, FhirAuthLayer, RejectionKind, ScopePolicy};

use crate::support::{BASE, NOW, Reply, send};

#[track_caller]
pub(crate) fn is_as_in(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == text,
        "{file} is not what it was; UPDATE_SNAPSHOTS=1 writes it anew:\n{text}"
    );
}

/// A reply as text. What differs from run to run is replaced.
fn shown(reply: &Reply, issuer: &TestIssuer) -> String {
    let mut text = format!("{}\n", reply.status.as_u16());
    let mut headers: Vec<String> = reply
        .headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    for header in headers {
        writeln!(text, "{header}").unwrap();
    }
    writeln!(text, "\n{}", reply.body).unwrap();
    text.replace(issuer.url(), "https://idp.example.org")
}

async fn every_kind(disclosure: Disclosure) -> String {
    let issuer = TestIssuer::start().await.unwrap();
    let down = TestIssuer::start().await.unwrap();
    down.fail();
    let layer = FhirAuthLayer::builder(BASE)
        .disclosure(disclosure)
        .issuer(issuer.trusted())
        .authorizer(ScopePolicy::new())
        .handlers_enforce(Enforcement::ALL)
        .clock(TestClock::at(NOW))
        .build()
        .unwrap();
    layer.ready().await;
    let without_keys = FhirAuthLayer::builder(BASE)
        .disclosure(disclosure)
        .issuer(down.trusted())
        .authorizer(ScopePolicy::new())
        .build()
        .unwrap();
    let bearer = |token: TokenBuilder| format!("Bearer {}", token.sign().unwrap());
    let good = || {
        issuer
            .token_at(UnixTime::from_secs(NOW))
            .claim("aud", BASE)
            .claim("scope", "user/Observation.rs")
    };
    let mut text = String::new();
    let requests = [
        (RejectionKind::MissingCredentials, &layer, None),
        (RejectionKind::InvalidRequest, &layer, Some("Bearer a b".to_owned())),
        (RejectionKind::InvalidToken, &layer, Some(bearer(good().claim("aud", "other")))),
        (RejectionKind::ExpiredToken, &layer, Some(bearer(good().claim("exp", 1_000_000_000)))),
        (RejectionKind::Forbidden, &layer, Some(bearer(good()))),
        (RejectionKind::KeysUnavailable, &without_keys, Some(bearer(down.token()))),
    ];
    for (kind, layer, authorization) in requests {
        for (format, header, value) in [
            ("JSON", "accept", "application/fhir+json"),
            ("XML", "accept", "application/fhir+xml"),
            ("gRPC", "content-type", "application/grpc"),
        ] {
            let mut request = Request::get("/r4/Patient/1").header(header, value);
            if let Some(authorization) = &authorization {
                request = request.header("authorization", authorization);
            }
            let reply = send(layer, request).await;
            assert_eq!(reply.kind(), kind);
            if format == "XML" {
                is_an_outcome_in_order(&reply.body);
            } else if format == "JSON" {
                is_an_outcome(&reply.body);
            }
            let shown = shown(&reply, &issuer);
            writeln!(text, "== {} {format}\n{shown}", kind.name()).unwrap();
        }
    }
    text
}

/// Element order and namespaces of OperationOutcome in XML (R4 sections 2.1.5 and 2.27).
fn is_an_outcome_in_order(xml: &str) {
    let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><OperationOutcome xmlns=\"http://hl7.org/fhir\"><issue>";
    let inside = xml.strip_prefix(start).unwrap_or_else(|| panic!("{xml}"));
    let inside = inside.strip_suffix("</issue></OperationOutcome>").unwrap();
    let mut names: Vec<&str> = Vec::new();
    let mut depth = 0;
    for tag in inside.split('<').skip(1) {
        let name = tag.split([' ', '>', '/']).next().unwrap();
        if tag.starts_with('/') {
            depth -= 1;
            continue;
        }
        if depth == 0 {
            names.push(name);
        }
        if !tag.ends_with("/>") {
            depth += 1;
        }
    }
    assert_eq!((depth, names), (0, vec!["severity", "code", "details", "diagnostics"]), "{xml}");
}

/// Members, types and codes of OperationOutcome in JSON (R4 sections 2.6.2 and 2.27): nothing else
/// than the definition has, nothing empty, nothing that is required missing.
fn is_an_outcome(json: &str) {
    /// Those of the value set `issue-type` that a refusal can mean.
    const CODES: [&str; 5] = ["invalid", "login", "expired", "forbidden", "transient"];
    let members = |value: &Value| -> Vec<String> {
        let object = value.as_object().unwrap_or_else(|| panic!("{json}"));
        let mut names: Vec<String> = object.keys().cloned().collect();
        names.sort_unstable();
        names
    };
    let is_text = |value: &Value| value.as_str().is_some_and(|text| !text.trim().is_empty());
    let outcome: Value = serde_json::from_str(json).unwrap();
    assert_eq!(members(&outcome), ["issue", "resourceType"], "{json}");
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    let [issue] = outcome["issue"].as_array().unwrap().as_slice() else { panic!("{json}") };
    assert_eq!(members(issue), ["code", "details", "diagnostics", "severity"], "{json}");
    assert_eq!(issue["severity"], "error");
    let code = issue["code"].as_str().unwrap();
    assert!(CODES.contains(&code), "{json}");
    assert!(is_text(&issue["diagnostics"]), "{json}");
    assert_eq!(members(&issue["details"]), ["coding"], "{json}");
    let codings = issue["details"]["coding"].as_array().unwrap();
    assert!(!codings.is_empty(), "{json}");
    for coding in codings {
        assert_eq!(members(coding), ["code", "system"], "{json}");
        assert!(is_text(&coding["code"]) && is_text(&coding["system"]), "{json}");
    }
}

#[tokio::test]
async fn every_kind_in_every_format() {
    for (name, disclosure) in [
        ("minimal", Disclosure::Minimal),
        ("reason", Disclosure::Reason),
        ("full", Disclosure::Full),
    ] {
        let file = format!("tests/suite/snapshots/{name}.txt");
        is_as_in(&file, &every_kind(disclosure).await);
    }
}
