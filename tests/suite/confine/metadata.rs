//! `metadata`: the statement of the upstream server, in the words of this one.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt, service_fn};
use tower_fhir_auth::authorization::{RoleDefinitions, RolePolicy, ScopePolicy};
use tower_fhir_auth::confine::{ConfineSettings, MetadataLayer};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{TestClock, TestIssuer};
use tower_fhir_auth::{Authorizer, FhirAuthLayer, authenticated, require_role};

use super::careless::{Asked, Careless};
use super::{Confined, Got};
use crate::support::{BASE, NOW};

const STATEMENT: &str = r#"{"resourceType":"CapabilityStatement", "id":"s", "fhirVersion":"4.0.1",
    "extension":[{"url":"http://x.test/decimal","valueDecimal":1.50}],
    "implementation":{"description":"mine","url":"http://127.0.0.1:8081/mark"},
    "messaging":[{"endpoint":[{"address":"http://127.0.0.1/mark"}]}],
    "rest":[{"mode":"server","security":{"description":"mark"},
        "interaction":[{"code":"transaction"},{"code":"search-system"}],
        "searchParam":[{"name":"_id"},{"name":"_text"},{"name":"_type"},{"name":"_filter"}],
        "operation":[{"name":"export"},{"name":"export-poll-status"},{"name":"$everything"},{"name":"validate"}],
        "resource":[{"type":"Observation","interaction":[{"code":"read"}],"versioning":"versioned-update",
            "extension":[{"url":"http://x.test/decimal","valueDecimal":2.00}],
            "searchParam":[{"name":"code","type":"token"},{"name":"_has"},{"name":"_content"},{"name":"_list"},
                {"name":"subject.name"},{"name":"unheard-of"},{"name":"_lastUpdated"},{"name":"_include"}],
            "searchInclude":["Observation:subject"],
            "operation":[{"name":"lastn"},{"name":"everything"}]}]},
        {"mode":"client","security":{"description":"of a client"}}]}"#;

fn saying(statement: &str) -> Careless {
    Careless::default().answering("/metadata", 200, statement)
}

/// Asks without a token.
async fn ask(confined: &Confined, request: http::request::Builder) -> Got {
    confined.send_plain(request).await
}

/// Asks a server that confines by itself, with the layer for its statement alone before it.
async fn ask_alone(
    layer: &MetadataLayer,
    server: &Careless,
    request: http::request::Builder,
) -> Got {
    let request = request.body(Full::new(Bytes::new())).unwrap();
    let response = layer.layer(server.service()).oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(body.to_vec()).unwrap();
    Got { status: parts.status, headers: parts.headers, text }
}

fn names(list: &Value) -> Vec<&str> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_statement_says_what_this_server_does_and_nothing_of_the_one_behind() {
    let confined = Confined::before(saying(STATEMENT)).await;
    let got = ask(&confined, Request::get("/r4/metadata")).await;
    assert_eq!(
        (got.status.as_u16(), &got.headers["content-type"]),
        (200, &"application/fhir+json".parse().unwrap())
    );
    assert_eq!(got.headers["access-control-allow-origin"], "*");
    let said = got.json();
    assert_eq!(said["implementation"], json!({"description": "mine", "url": BASE}));
    let rest = &said["rest"][0];
    assert_eq!(rest["security"], confined.layer.auth().capability_security());
    assert_eq!(rest["security"]["service"][0]["coding"][0]["code"], "SMART-on-FHIR");
    assert_eq!(said["rest"][1]["security"]["description"], "of a client");
    assert_eq!(names(&rest["searchParam"]), ["_id", "_type"]);
    assert_eq!(names(&rest["operation"]), ["export", "$everything"], "no scope grants others");
    let observation = &rest["resource"][0];
    assert_eq!(names(&observation["searchParam"]), ["code", "_lastUpdated", "_include"]);
    assert_eq!(names(&observation["operation"]), ["everything"]);
    assert_eq!(rest["interaction"].as_array().unwrap().len(), 2);
    assert_eq!(observation["versioning"], "versioned-update");
    assert!(got.text.contains("1.50") && got.text.contains("2.00"), "decimals keep their digits");
    assert!(!got.text.contains("mark"), "{}", got.text);
    let head = ask(&confined, Request::head("/r4/metadata")).await;
    assert_eq!((head.status.as_u16(), &*head.text), (200, ""));
    assert!(!confined.server.last_headers().contains_key("authorization"));
}

#[tokio::test]
async fn operations_that_a_role_grants_stay() {
    let roles = || RolePolicy::new(RoleDefinitions::microsoft());
    let confined = Confined::ruled(saying(STATEMENT), |_| roles().or(ScopePolicy::new())).await;
    let said = ask(&confined, Request::get("/r4/metadata")).await.json();
    let kept = ["export", "$everything", "validate"];
    assert_eq!(names(&said["rest"][0]["operation"]), kept, "{said}");
    let both = |_: &_| roles().and(ScopePolicy::new()).and(require_role("x"));
    let confined = Confined::ruled(saying(STATEMENT), both).await;
    let said = ask(&confined, Request::get("/r4/metadata")).await.json();
    assert_eq!(names(&said["rest"][0]["operation"]), ["export", "$everything"], "{said}");
}

#[tokio::test]
async fn the_statement_is_json_alone_and_asked_for_as_such() {
    let confined = Confined::before(saying(STATEMENT)).await;
    for (query, accept, status) in [
        ("", "application/fhir+xml", 406),
        ("?_format=xml", "*/*", 406),
        ("?_format=json", "application/fhir+xml", 200),
        ("?_summary=true&_elements=id&mode=full", "*/*", 200),
    ] {
        let request = Request::get(format!("/r4/metadata{query}")).header("accept", accept);
        let request = request.header("authorization", "Bearer nobody has judged this");
        let request = request.header("accept-encoding", "gzip");
        let got = ask(&confined, request).await;
        assert_eq!(got.status, status, "{query} {accept}: {}", got.text);
    }
    let asked = confined.server.asked();
    assert_eq!(asked[0].0, "GET /r4/metadata");
    let headers = confined.server.last_headers();
    assert_eq!(
        (&headers["accept"], &headers["accept-encoding"]),
        (&"application/fhir+json".parse().unwrap(), &"identity".parse().unwrap())
    );
    assert!(!headers.contains_key("authorization"));
}

#[tokio::test]
async fn addresses_of_the_server_behind_are_those_that_clients_know_wherever_they_stand() {
    let statement = r#"{"resourceType":"CapabilityStatement","url":"http://10.0.0.7:8081/fhir/metadata",
        "rest":[{"mode":"server",
            "operation":[{"name":"everything","definition":"http://10.0.0.7:8081/fhir/OperationDefinition/e"}],
            "resource":[{"type":"Patient","supportedProfile":["http:\/\/10.0.0.7:8081\/fhir\/StructureDefinition\/p"],
                "profile":"http://hl7.org/fhir/StructureDefinition/Patient"}]}]}"#;
    let settings = ConfineSettings::default().upstream_base("http://10.0.0.7:8081/fhir");
    let confined = Confined::with(saying(statement), settings).await;
    let got = ask(&confined, Request::get("/r4/metadata")).await;
    let said = got.json();
    let rest = &said["rest"][0];
    let definition = &rest["operation"][0]["definition"];
    assert_eq!(*definition, format!("{BASE}/OperationDefinition/e"));
    let resource = &rest["resource"][0];
    assert_eq!(resource["supportedProfile"][0], format!("{BASE}/StructureDefinition/p"));
    assert_eq!(resource["profile"], "http://hl7.org/fhir/StructureDefinition/Patient");
    assert_eq!(said["url"], format!("{BASE}/metadata"));
    assert!(!got.text.contains("10.0.0.7"), "{}", got.text);
}

#[tokio::test]
async fn what_is_no_statement_or_too_large_a_one_is_502_and_a_refusal_keeps_its_status() {
    for (status, body, told) in [
        (200, "no JSON mark", 502),
        (200, r#"{"resourceType":"Patient","name":"mark"}"#, 502),
        (200, r#"{"resourceType":"CapabilityStatement","rest":[],"rest":[],"x":"mark"}"#, 502),
        (200, r#"{"resourceType":"CapabilityStatement"}"#, 200),
        (
            200,
            r#"{"resourceType":"CapabilityStatement","rest":"mark","implementation":"mark"}"#,
            200,
        ),
        (200, r#"{"resourceType":"TerminologyCapabilities"}"#, 200),
        (401, "mark", 502),
        (503, "mark", 503),
    ] {
        let server = Careless::default().answering("/metadata", status, body);
        let confined = Confined::before(server).await;
        let got = ask(&confined, Request::get("/r4/metadata")).await;
        assert_eq!(got.status, told, "{status} {body}: {}", got.text);
        assert!(!got.text.contains("mark"), "{}", got.text);
        if told == 200 {
            assert_eq!(got.json()["implementation"]["url"], BASE);
        }
    }
    let settings = ConfineSettings::default().max_body(100);
    let confined = Confined::with(saying(STATEMENT), settings).await;
    let got = ask(&confined, Request::get("/r4/metadata")).await;
    assert_eq!((got.status.as_u16(), &got.json()["issue"][0]["code"]), (502, &"too-costly".into()));
}

#[tokio::test]
async fn the_server_behind_is_asked_for_its_statement_once_for_all_who_ask_within_a_while() {
    let confined = Confined::before(saying(STATEMENT)).await;
    let asked = || confined.server.asked().len();
    let first = ask(&confined, Request::get("/r4/metadata")).await;
    for query in ["", "?_format=json", "?_summary=true", "?mode=unheard-of"] {
        let other = ask(&confined, Request::get(format!("/r4/metadata{query}"))).await;
        assert_eq!((other.status, &other.text), (first.status, &first.text), "{query}");
    }
    let head = ask(&confined, Request::head("/r4/metadata")).await;
    assert_eq!(head.headers["content-length"], first.headers["content-length"]);
    assert_eq!(asked(), 1);
    for mode in ["full", "normative", "terminology", "full"] {
        ask(&confined, Request::get(format!("/r4/metadata?mode={mode}"))).await;
    }
    assert_eq!(asked(), 4, "another mode is another statement");
    confined.clock.advance(4);
    ask(&confined, Request::get("/r4/metadata")).await;
    assert_eq!(asked(), 4);
    confined.clock.advance(1);
    ask(&confined, Request::get("/r4/metadata")).await;
    assert_eq!(asked(), 5, "it serves for a while");
    let next = FhirAuthLayer::builder(BASE).issuer(confined.issuer.trusted());
    let next = next.authorizer(ScopePolicy::new()).clock(confined.clock.clone());
    confined.layer.replace(next, ConfineSettings::default()).unwrap();
    ask(&confined, Request::get("/r4/metadata")).await;
    assert_eq!(asked(), 6, "and as long as the configuration");
    confined.clock.advance(-1);
    ask(&confined, Request::get("/r4/metadata")).await;
    assert_eq!(asked(), 7, "and from the time on at which it was asked for");
}

#[tokio::test]
async fn an_answer_that_is_no_statement_is_not_kept() {
    let mut confined = Confined::before(Careless::default().answering("/metadata", 503, "")).await;
    assert_eq!(ask(&confined, Request::get("/r4/metadata")).await.status, 503);
    confined.server = saying(STATEMENT);
    assert_eq!(ask(&confined, Request::get("/r4/metadata")).await.status, 200);
}

#[tokio::test]
async fn who_waited_for_a_statement_that_did_not_come_does_not_ask_again() {
    let number = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&number);
    let slow = service_fn(move |_: Asked| {
        counted.fetch_add(1, Ordering::Relaxed);
        async {
            tokio::task::yield_now().await;
            let response = Response::builder().status(503);
            Ok::<_, Infallible>(response.body(Full::new(Bytes::new())).unwrap())
        }
    });
    let confined = Confined::before(Careless::default()).await;
    let service = confined.layer.layer(slow);
    let ask = || {
        let request = Request::get("/r4/metadata").body(Full::new(Bytes::new())).unwrap();
        service.clone().oneshot(request)
    };
    let (one, other) = tokio::join!(ask(), ask());
    for response in [one.unwrap(), other.unwrap()] {
        assert!(response.status().is_server_error(), "{}", response.status());
    }
    assert_eq!(number.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_token_that_was_judged_goes_on_and_what_its_caller_is_told_is_not_kept() {
    let issuer = TestIssuer::with_algorithm(Algorithm::Es256).await.unwrap();
    let clock = TestClock::at(NOW);
    let layer = FhirAuthLayer::builder(BASE).issuer(issuer.trusted()).clock(clock.clone());
    let layer = layer.authorizer(authenticated()).public(["/health"]);
    let layer = layer.build_confined(ConfineSettings::default()).unwrap();
    layer.auth().ready().await;
    let confined = Confined { issuer, clock, layer, server: saying(STATEMENT) };
    for asked in 1..=2 {
        let got = confined.get("", "/metadata").await;
        assert_eq!(got.status, 200, "{}", got.text);
        assert_eq!(got.json()["implementation"]["url"], BASE);
        assert!(confined.server.last_headers().contains_key("authorization"));
        assert_eq!(confined.server.asked().len(), asked);
    }
}

#[tokio::test]
async fn a_statement_that_has_no_room_for_the_security_of_this_server_is_502() {
    let rest = json!({"mode": "server", "documentation": "x".repeat(500)});
    let statement = json!({"resourceType": "CapabilityStatement", "rest": [rest]}).to_string();
    let settings = ConfineSettings::default().max_body(statement.len() + 30);
    let confined = Confined::with(saying(&statement), settings).await;
    let got = ask(&confined, Request::get("/r4/metadata")).await;
    assert_eq!((got.status.as_u16(), &got.json()["issue"][0]["code"]), (502, &"too-costly".into()));
}

#[tokio::test]
async fn of_a_server_that_confines_by_itself_the_statement_keeps_what_it_can_do() {
    let confined = Confined::ruled(saying(STATEMENT), |_| authenticated()).await;
    let layer = MetadataLayer::new(confined.layer.auth(), ConfineSettings::default());
    let got = ask_alone(&layer, &confined.server, Request::get("/r4/metadata")).await;
    let said = got.json();
    assert_eq!(said["implementation"], json!({"description": "mine", "url": BASE}));
    let rest = &said["rest"][0];
    assert_eq!(rest["security"], confined.layer.auth().capability_security());
    assert_eq!(names(&rest["searchParam"]), ["_id", "_text", "_type", "_filter"]);
    let operations = ["export", "export-poll-status", "$everything", "validate"];
    assert_eq!(names(&rest["operation"]), operations);
}

#[tokio::test]
async fn of_a_server_that_confines_by_itself_all_but_the_statement_passes_untouched() {
    let confined = Confined::ruled(saying(STATEMENT), |_| authenticated()).await;
    let layer = MetadataLayer::new(confined.layer.auth(), ConfineSettings::default());
    for line in ["GET /r4/Observation", "GET /r4/Observation/metadata", "POST /r4/metadata"] {
        let (method, uri) = line.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(uri);
        let got = ask_alone(&layer, &confined.server, request).await;
        assert_eq!(confined.server.asked().last().unwrap().0, line);
        assert!(!got.headers.contains_key("access-control-allow-origin"), "{line}: {got:?}");
        assert!(!got.headers.contains_key("cache-control"), "{line}: {got:?}");
    }
}

#[tokio::test]
async fn a_statement_serves_as_long_as_the_configuration_that_it_was_written_by() {
    let confined = Confined::ruled(saying(STATEMENT), |_| authenticated()).await;
    let layer = MetadataLayer::new(confined.layer.auth(), ConfineSettings::default());
    let ask = || ask_alone(&layer, &confined.server, Request::get("/r4/metadata"));
    for _ in 0..2 {
        assert!(names_of_operations(&ask().await).contains(&"validate".to_owned()));
    }
    assert_eq!(confined.server.asked().len(), 1);
    let next = FhirAuthLayer::builder(BASE).issuer(confined.issuer.trusted());
    let next = next.authorizer(ScopePolicy::new()).clock(confined.clock.clone());
    confined.layer.replace(next, ConfineSettings::default()).unwrap();
    assert!(!names_of_operations(&ask().await).contains(&"validate".to_owned()));
}

fn names_of_operations(got: &Got) -> Vec<String> {
    let said = got.json();
    names(&said["rest"][0]["operation"]).into_iter().map(str::to_owned).collect()
}

/// What becomes of it is for the layers around to say.
#[tokio::test]
async fn an_error_of_the_service_behind_stays_one() {
    let confined = Confined::before(Careless::default()).await;
    let token = confined.token("patient/*.rs", "1", "amara");
    for path in ["/r4/metadata", "/r4/Observation", "/r4/Observation/a1"] {
        let broken = service_fn(|_: Asked| async { Err::<Response<Full<Bytes>>, _>("broken off") });
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let answer = confined.layer.layer(broken).oneshot(request).await;
        assert_eq!(answer.err(), Some("broken off"), "{path}");
    }
}
