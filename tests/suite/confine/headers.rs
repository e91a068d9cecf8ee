//! The headers that reach the upstream server.

use http::Request;

use super::careless::Careless;
use super::{Confined, records};

#[tokio::test]
async fn no_header_makes_another_request_of_the_one_that_was_let_in() {
    let confined = Confined::before(Careless::with(records())).await;
    for (scope, below) in [
        ("patient/*.rs", "/Observation/a1"),
        ("system/*.rs", "/Observation/a1"),
        ("patient/*.rs", "/metadata"),
    ] {
        let token = confined.token(scope, "1", "amara");
        for name in [
            "x-http-method-override",
            "X_HTTP_Method-Override",
            "x-http-method",
            "x-method-override",
            "x_method_override",
            "x-original-url",
            "x-original-method",
            "x_original_uri",
            "x-rewrite-url",
            "x-rewrite_target",
        ] {
            let request = Request::get(format!("/r4{below}"));
            let request = request.header(name, "/r4/Patient/2").header(name, "DELETE");
            let got = confined.send(&token, request).await;
            assert_eq!(got.status, 200, "{scope} {below} {name}: {}", got.text);
            let sent = confined.server.last_headers();
            assert!(!format!("{sent:?}").contains("DELETE"), "{scope} {below} {name}: {sent:?}");
        }
    }
    let path = Request::get("/r4/Patient/1/%24everything");
    assert_eq!(
        confined.send(&confined.token("patient/*.rs", "1", "amara"), path).await.status,
        200
    );
    let mut asked = confined.server.asked().into_iter().map(|(address, _)| address);
    assert!(asked.any(|address| address == "GET /r4/Patient/1/$everything"));
}

#[tokio::test]
async fn of_a_request_that_is_judged_only_known_headers_go_on() {
    let confined = Confined::before(Careless::with(records())).await;
    let ask = async |scope: &str| {
        let mut request = Request::get("/r4/Observation/a1");
        for (name, value) in [
            ("accept", "application/json"),
            ("accept-encoding", "gzip"),
            ("accept-language", "de"),
            ("cookie", "session=1"),
            ("if-match", "W/\"1\""),
            ("prefer", "handling=lenient"),
            ("range", "bytes=0-1"),
            ("traceparent", "00-a-b-01"),
            ("user-agent", "app"),
            ("x-cascade", "delete"),
            ("x-request-id", "7"),
            ("x-tenant", "other"),
        ] {
            request = request.header(name, value);
        }
        let got = confined.send(&confined.token(scope, "1", "amara"), request).await;
        assert_eq!(got.status, 200, "{}", got.text);
        confined.server.last_headers()
    };
    let judged = ask("patient/*.rs").await;
    let mut names: Vec<&str> = judged.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "accept",
            "accept-encoding",
            "accept-language",
            "authorization",
            "traceparent",
            "user-agent",
            "x-request-id"
        ]
    );
    assert_eq!(judged["accept"], "application/fhir+json");
    assert_eq!(judged["accept-encoding"], "identity");
    let untouched = ask("system/*.rs").await;
    assert_eq!(
        (&untouched["cookie"], &untouched["range"]),
        (&"session=1".parse().unwrap(), &"bytes=0-1".parse().unwrap())
    );
}

#[tokio::test]
async fn headers_go_on_with_4_kib_for_each_request_for_one_of_a_client() {
    let confined = Confined::before(Careless::with(records())).await;
    for (length, goes_on) in [(4096 - 1, true), (4096, false)] {
        let request = Request::get("/r4/Observation/a1")
            .header("user-agent", "a".repeat(length))
            .header("x-request-id", "7");
        let got = confined.send(&confined.token("patient/*.rs", "1", "amara"), request).await;
        assert_eq!(got.status, 200, "{}", got.text);
        let headers = confined.server.last_headers();
        // The one that does not fit is left out, and no other.
        let first = usize::from(headers.contains_key("user-agent"));
        let second = usize::from(headers.contains_key("x-request-id"));
        assert_eq!(first + second, if goes_on { 2 } else { 1 }, "{length}");
        assert!(headers.contains_key("authorization"));
    }
    let request = Request::get("/r4/Observation/a1")
        .header("user-agent", "a".repeat(5000))
        .header("x-request-id", "7");
    confined.send(&confined.token("patient/*.rs", "1", "amara"), request).await;
    let headers = confined.server.last_headers();
    assert!(headers.contains_key("x-request-id") && !headers.contains_key("user-agent"));
}

#[tokio::test]
async fn nobody_gets_an_answer_that_comes_later() {
    let confined = Confined::before(Careless::with(records())).await;
    let token = confined.token("system/*.rs", "1", "amara");
    for (below, prefer, sent) in [
        ("/Observation", "respond-async", None),
        (
            "/Observation",
            "return=minimal, Respond-Async; wait=10, handling=strict",
            Some("return=minimal, handling=strict"),
        ),
        ("/Observation", "return=minimal", Some("return=minimal")),
        ("/Observation", "return=minimal,wait=1", Some("return=minimal,wait=1")),
        ("/metadata", "respond-async,", None),
    ] {
        let request = Request::get(format!("/r4{below}")).header("prefer", prefer);
        assert_eq!(confined.send(&token, request).await.status, 200);
        let headers = confined.server.last_headers();
        let found = headers.get("prefer").map(|value| value.to_str().unwrap());
        assert_eq!(found, sent, "{below} {prefer}");
    }
}

#[tokio::test]
async fn the_body_of_a_search_is_a_plain_form() {
    let confined = Confined::before(Careless::with(records())).await;
    let token = confined.token("patient/*.rs", "1", "amara");
    let form = "application/x-www-form-urlencoded";
    for (headers, status) in [
        (vec![], 200),
        (vec![("content-type", form)], 200),
        (vec![("content-type", "Application/X-WWW-Form-Urlencoded; charset=utf-8")], 200),
        (vec![("content-type", form), ("content-encoding", "identity")], 200),
        (vec![("content-type", form), ("content-encoding", "gzip")], 415),
        (vec![("content-type", "application/fhir+json")], 415),
        (vec![("content-type", form), ("content-type", "text/plain")], 415),
    ] {
        let before = confined.server.asked().len();
        let mut request = Request::post("/r4/Observation/_search");
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let got = confined.send_with(&token, request, "status=final").await;
        assert_eq!(got.status, status, "{headers:?}: {}", got.text);
        assert_eq!(confined.server.asked().len() > before, status == 200, "{headers:?}");
    }
}
