//! Each kind of refusal, in JSON and in XML, with each degree of disclosure.

use std::net::TcpListener;

use reqwest::RequestBuilder;
use serde_json::json;
use tower_fhir_auth::test_util::{TestIssuer, TokenBuilder};

use crate::collected::Collected;
use crate::servers::{Server, observation, unprotected};

pub(crate) async fn collect(into: &mut Collected) {
    for disclose in ["minimal", "reason", "full"] {
        let server = Server::example(disclose).await.ready().await;
        of_tokens(into, &server, disclose).await;
        of_requests(into, &server, disclose).await;
        of_the_store(into, &server, disclose).await;
    }
    let down = TestIssuer::start().await.unwrap();
    down.fail();
    let server = Server::example_of(down, "reason").await;
    let token = server.good().sign().unwrap();
    both(into, "no keys", || server.as_bearer(&token, "GET", "/Patient/1"), 503).await;
    of_the_gateway(into).await;
}

/// In JSON, and once of all degrees of disclosure in XML.
async fn both(into: &mut Collected, name: &str, request: impl Fn() -> RequestBuilder, status: u16) {
    into.ask(name, request(), status).await;
    if name.starts_with("reason") {
        let xml = request().header("accept", "application/fhir+xml");
        into.ask(&format!("{name}, XML"), xml, status).await;
    }
}

/// The same, whatever the refusal: which one it is, is for other tests.
async fn refused(into: &mut Collected, name: &str, request: impl Fn() -> RequestBuilder) {
    let status = request().send().await.unwrap().status().as_u16();
    assert!(status >= 400, "{name}: {status}");
    both(into, name, request, status).await;
}

/// Tokens with a fault each.
async fn of_tokens(into: &mut Collected, server: &Server, of: &str) {
    type Fault = fn(TokenBuilder) -> TokenBuilder;
    let faults: [(&str, Fault, u16); 24] = [
        ("aud", |token| token.claim("aud", "https://elsewhere \"quoted\" <b>&"), 401),
        ("iss", |token| token.claim("iss", "https://elsewhere"), 401),
        ("exp", |token| token.claim("exp", 1_000_000), 401),
        ("nbf", |token| token.claim("nbf", 4_000_000_000_u64), 401),
        ("iat", |token| token.claim("iat", 4_000_000_000_u64), 401),
        ("iat null", |token| token.claim("iat", serde_json::Value::Null), 401),
        ("sub", |token| token.without("sub"), 401),
        ("alg", |token| token.header("alg", "none"), 401),
        ("symmetric", |token| token.header("alg", "HS256"), 401),
        ("kid", |token| token.header("kid", "unknown"), 401),
        ("typ", |token| token.header("typ", "unknown"), 401),
        ("crit", |token| token.header("crit", json!(["x"])), 401),
        ("b64", |token| token.header("b64", false), 401),
        ("zip", |token| token.header("zip", "DEF"), 401),
        ("cty", |token| token.header("cty", "JWT"), 401),
        ("id token", |token| token.claim("at_hash", "77QmUPtjPfzWtF2AnpK9RQ"), 401),
        ("refresh token", |token| token.claim("typ", "Refresh"), 401),
        ("cnf", |token| token.claim("cnf", json!({"jkt": "x"})), 401),
        ("certificate", |token| token.claim("cnf", json!({"x5t#S256": "x"})), 401),
        ("no scope", |token| token.claim("scope", "openid"), 403),
        ("another type", |token| token.claim("scope", "patient/Observation.rs"), 403),
        ("no patient", |token| token.without("patient"), 403),
        ("patients", |token| token.claim("patient", json!(["1", "2"])), 403),
        ("fhirUser", |token| token.without("patient").claim("fhirUser", json!([1])), 403),
    ];
    for (name, fault, status) in faults {
        let token = fault(server.good()).sign().unwrap();
        let request = || server.as_bearer(&token, "GET", "/Patient/1");
        both(into, &format!("{of} {name}"), request, status).await;
    }
    let good = server.good().sign().unwrap();
    let forged = format!("{}AAAA", good.get(..good.len() - 4).unwrap());
    let long = "a".repeat(70_000);
    for (name, value, status) in [
        ("signature", format!("Bearer {forged}"), 401),
        ("no JWT", "Bearer abc".to_owned(), 401),
        ("another scheme", "Basic YTpi".to_owned(), 401),
        ("alphabet", "Bearer a b".to_owned(), 400),
        ("joined", "Bearer a, Bearer b".to_owned(), 400),
        ("empty", "Bearer ".to_owned(), 400),
        ("long", format!("Bearer {long}"), 401),
    ] {
        let request = || server.request("GET", "/Patient/1").header("authorization", &value);
        both(into, &format!("{of} {name}"), request, status).await;
    }
    let two = || server.as_bearer(&good, "GET", "/Patient/1").header("authorization", "Bearer a");
    both(into, &format!("{of} two headers"), two, 400).await;
    both(into, &format!("{of} no token"), || server.request("GET", "/Patient/1"), 401).await;
}

/// Requests with a fault each, with a good token.
async fn of_requests(into: &mut Collected, server: &Server, of: &str) {
    for (method, path) in [
        ("GET", "/Patient/1?access_token=abc"),
        ("GET", "/Patient/2"),
        ("GET", "/Patient/2/Observation"),
        ("GET", "/Observation/tobi-hba1c"),
        ("GET", "/Observation/none"),
        ("GET", "/Patient/1/"),
        ("GET", "/Patient//1"),
        ("GET", "/Nothing/1"),
        ("GET", "/Patient/an_id"),
        ("GET", "/Patient/1/$unknown"),
        ("GET", "/$export"),
        ("GET", "/_operations/export/none"),
        ("GET", "?_type=Nothing"),
        ("DELETE", "/Practitioner/house-doctor"),
        ("GET", "/Observation?subject:Patient.name=x"),
        ("GET", "/Observation?_filter=x"),
    ] {
        let token = server.good().sign().unwrap();
        let request = || server.as_bearer(&token, method, path);
        refused(into, &format!("{of} {method} {path}"), request).await;
    }
    let long = format!("name={}", "x".repeat(70_000));
    let search = || {
        let request = server.scoped("patient/*.rs", "POST", "/Patient/_search");
        let form = "application/x-www-form-urlencoded";
        request.header("content-type", form).body(long.clone())
    };
    both(into, &format!("{of} a long search"), search, 413).await;
}

/// What the example refuses by itself.
async fn of_the_store(into: &mut Collected, server: &Server, of: &str) {
    let all = "system/*.cruds";
    for (method, path) in [
        ("GET", "/Observation?_sort=date"),
        ("GET", "/Observation?unknown=x"),
        ("GET", "/Observation?_count=x"),
        ("GET", "/Observation?_summary=text"),
        ("GET", "/Observation?date=yesterday"),
        ("GET", "/Observation?_include=Observation:nothing"),
        ("GET", "/Observation/_history?_sort=x"),
        ("GET", "/Patient/1/_history/99"),
        ("GET", "/Device/1/Observation"),
        ("GET", "/$export?_outputFormat=csv"),
        ("GET", "/Patient/$export?_since=x"),
        ("GET", "/_operations/export/none"),
        ("POST", "/metadata"),
    ] {
        let request = || server.scoped(all, method, path);
        refused(into, &format!("{of} store {method} {path}"), request).await;
    }
    let json = "application/fhir+json";
    let patch = "[{\"op\":\"test\",\"path\":\"/id\",\"value\":\"x\"}]".to_owned();
    for (name, method, path, kind, body) in [
        ("no JSON", "POST", "/Observation", json, "{".to_owned()),
        ("another type", "POST", "/Patient", json, observation("Patient/1")),
        ("another media type", "POST", "/Observation", "text/plain", observation("Patient/1")),
        ("no bundle", "POST", "", json, observation("Patient/1")),
        ("a patch that fails", "PATCH", "/Patient/1", "application/json-patch+json", patch),
    ] {
        let request =
            || server.scoped(all, method, path).header("content-type", kind).body(body.clone());
        refused(into, &format!("{of} store {name}"), request).await;
    }
    let stale = || {
        server
            .scoped(all, "PUT", "/Patient/1")
            .header("if-match", "W/\"99\"")
            .header("content-type", json)
            .body("{\"resourceType\":\"Patient\",\"id\":\"1\"}")
    };
    both(into, &format!("{of} store stale"), stale, 412).await;
    let foreign = || {
        server
            .scoped("patient/*.cruds", "POST", "/Observation")
            .header("content-type", json)
            .body(observation("Patient/2"))
    };
    both(into, &format!("{of} a write outside"), foreign, 403).await;
}

async fn of_the_gateway(into: &mut Collected) {
    let store = unprotected();
    let server = Server::gateway(&store.base, "").await.ready().await;
    of_tokens(into, &server, "gateway").await;
    for (name, method, path, header, status) in [
        ("another patient", "GET", "/Patient/2", ("x-none", ""), 403),
        ("hidden", "GET", "/Observation/tobi-hba1c", ("x-none", ""), 404),
        ("absent", "GET", "/Observation/none", ("x-none", ""), 404),
        ("a chain", "GET", "/Observation?subject:Patient.name=x", ("x-none", ""), 403),
        ("a parameter", "GET", "/Observation?_text=x", ("x-none", ""), 403),
        ("a page", "GET", "/_pages/none", ("x-none", ""), 404),
        ("XML alone", "GET", "/Patient/1", ("accept", "application/fhir+xml"), 406),
    ] {
        let token = server.good().sign().unwrap();
        let request = server.as_bearer(&token, method, path).header(header.0, header.1);
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{name}");
        into.keep(&format!("gateway {name}"), response).await;
    }
    let token = server.good().sign().unwrap();
    for (name, kind, body) in [
        (
            "XML body",
            "application/fhir+xml",
            "<Observation xmlns=\"http://hl7.org/fhir\"/>".to_owned(),
        ),
        ("a write outside", "application/fhir+json", observation("Patient/2")),
        (
            "twice",
            "application/fhir+json",
            "{\"resourceType\":\"Observation\",\"resourceType\":\"Observation\"}".to_owned(),
        ),
    ] {
        let request = server.as_bearer(&token, "POST", "/Observation").header("content-type", kind);
        let response = request.body(body).send().await.unwrap();
        let status = response.status().as_u16();
        assert!((400..500).contains(&status), "{name}: {status}");
        into.keep(&format!("gateway {name} {status}"), response).await;
    }
    // A server that is not there, one that does not answer, and one whose answers are too large.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/fhir", silent.local_addr().unwrap());
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let base = store.base.clone();
    for (name, upstream, settings) in [
        ("out of reach", format!("http://{closed}/fhir"), ""),
        ("not in time", silent, "timeout = \"1s\"\n"),
        ("too large", base, "max_body = \"1KiB\"\n"),
    ] {
        let server = Server::gateway(&upstream, settings).await.ready().await;
        let token = server.good().sign().unwrap();
        let response = server.as_bearer(&token, "GET", "/Observation").send().await.unwrap();
        let status = response.status().as_u16();
        assert!(matches!(status, 502 | 504), "{name}: {status}");
        into.keep(&format!("gateway {name} {status}"), response).await;
    }
}
