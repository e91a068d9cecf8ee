//! Answers that cannot be judged never leave, and what cannot be held is refused.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_fhir_auth::confine::{ConfineSettings, RequestBody};

use super::careless::Careless;
use super::{Confined, records};

fn answering(
    status: u16,
    headers: &[(&'static str, &'static str)],
    body: &'static str,
) -> Careless {
    let headers = headers.to_vec();
    Careless::always(move || {
        let mut response = Response::builder().status(status);
        for (name, value) in &headers {
            response = response.header(*name, *value);
        }
        response.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap()
    })
}

const DOUBLED: &str = r#"{"resourceType":"Observation","id":"a1","subject":{"reference":"Patient/1"},"subject":{"reference":"Patient/2"},"note":"mark"}"#;
const OTHER: &str = r#"{"resourceType":"Observation","id":"other","subject":{"reference":"Patient/1"},"note":"mark"}"#;

/// Checks that an answer is 502, and says nothing of the upstream server.
fn assert_unjudged(got: &super::Got, what: &str) {
    assert_eq!(got.status, 502, "{what}: {}", got.text);
    assert_eq!(got.json()["issue"][0]["code"], "exception", "{}", got.text);
    assert!(!format!("{:?}{}", got.headers, got.text).contains("mark"), "{}", got.text);
}

#[tokio::test]
async fn an_answer_that_cannot_be_judged_is_502() {
    for (headers, body) in [
        (vec![], ""),
        (vec![], "<Observation xmlns=\"http://hl7.org/fhir\"/> mark"),
        (vec![], "[1, 2] mark"),
        (vec![("content-encoding", "gzip")], "mark"),
        (vec![], DOUBLED),
    ] {
        let confined = Confined::before(answering(200, &headers, body)).await;
        assert_unjudged(&confined.get("patient/*.rs", "/Observation").await, body);
        assert_unjudged(&confined.get("system/Observation.rs", "/Observation/a1").await, body);
        for scope in ["patient/*.rs", "user/Observation.rs?category=laboratory"] {
            assert_unjudged(&confined.get(scope, "/Observation/a1").await, body);
        }
        let own = Confined::before(answering(200, &headers, body)).await;
        assert_unjudged(&own.get("patient/*.rs", "/Patient/1").await, body);
        // Of a history there is nothing to say where the instance may be somebody else's.
        let hidden = confined.get("patient/*.rs", "/Observation/a1/_history").await;
        assert_eq!(hidden.status, 404, "{body}: {}", hidden.text);
        assert!(!format!("{:?}{}", hidden.headers, hidden.text).contains("mark"));
    }
    // Another resource than the one that was asked for may stand for one that is hidden.
    for body in [OTHER, r#"{"resourceType":"Patient","id":"a1","note":"mark"}"#] {
        let confined = Confined::before(answering(200, &[], body)).await;
        assert_unjudged(&confined.get("patient/*.rs", "/Observation").await, body);
        assert_unjudged(&confined.get("system/Observation.rs", "/Observation/a1").await, body);
        assert_eq!(confined.get("patient/*.rs", "/Observation/a1").await.status, 404, "{body}");
    }
}

#[tokio::test]
async fn no_status_but_200_is_an_answer_to_be_judged() {
    let a1 = r#"{"resourceType":"Observation","id":"a1","subject":{"reference":"Patient/1"},"note":"mark"}"#;
    for (status, headers) in [
        (201, vec![]),
        (202, vec![("content-location", "https://elsewhere.example.org/mark")]),
        (204, vec![]),
        (206, vec![("content-range", "bytes 0-1/9")]),
        (302, vec![("location", "https://elsewhere.example.org/mark")]),
        (304, vec![]),
        (401, vec![("www-authenticate", "Basic realm=\"mark\"")]),
    ] {
        let confined = Confined::before(answering(status, &headers, a1)).await;
        for below in ["/Observation/a1", "/Observation"] {
            assert_unjudged(&confined.get("patient/*.rs", below).await, &status.to_string());
            assert_unjudged(&confined.get("system/Observation.rs", below).await, "open");
        }
    }
}

#[tokio::test]
async fn an_entry_that_cannot_be_read_is_hidden_where_others_may_be() {
    let entries = r#"{"resourceType":"Bundle","link":[{"relation":"next"},{"url":"mark"}],"entry":[
        {"resource":{"id":"mark"}},
        {"resource":{"resourceType":"Observation","id":"a1","subject":{"reference":"Patient/1"},
            "subject":{"reference":"Patient/2"},"note":"mark"}},
        {"resource":{"resourceType":"Observation","id":"b1","subject":{"reference":"Patient/1"}}}]}"#;
    let confined = Confined::before(answering(200, &[], entries)).await;
    let got = confined.get("patient/*.rs", "/Observation").await;
    assert_eq!(got.entries(), ["Observation/b1"]);
    assert!(!got.text.contains("mark"), "{}", got.text);
    // Also where every Patient may be seen, whose compartment has others in it.
    for below in ["/Patient/1/*", "/Patient/1/$everything"] {
        let got = confined.get("patient/*.rs system/Patient.rs", below).await;
        assert_eq!(got.entries(), ["Observation/b1"], "{below}");
    }
    assert_unjudged(&confined.get("system/Observation.rs", "/Observation").await, "open");
}

#[tokio::test]
async fn a_byte_order_mark_is_no_fault() {
    let b1 = "\u{feff}{\"resourceType\":\"Observation\",\"id\":\"b1\",\"subject\":{\"reference\":\"Patient/1\"}}";
    let confined = Confined::before(answering(200, &[], b1)).await;
    let got = confined.get("patient/*.rs", "/Observation/b1").await;
    assert_eq!((got.status.as_u16(), &got.json()["id"]), (200, &"b1".into()));
    let empty = "\u{feff}{\"resourceType\":\"Bundle\"}";
    let confined = Confined::before(answering(200, &[], empty)).await;
    assert_eq!(confined.get("patient/*.rs", "/Observation").await.status, 200);
}

#[tokio::test]
async fn only_who_cannot_do_with_json_gets_406() {
    let confined = Confined::before(Careless::with(records())).await;
    let token = confined.token("patient/*.rs", "1", "amara");
    for (query, accept, status) in [
        ("", "application/fhir+json", 200),
        ("", "text/html, application/xml;q=0.9, */*;q=0.8", 200),
        ("", "application/fhir+xml, application/json;q=0.1", 200),
        ("", "application/fhir+xml, application/*;q=0.1", 200),
        ("?_format=json", "application/fhir+xml", 200),
        ("", "", 200),
        ("", "application/fhir+xml", 406),
        ("", "application/fhir+xml, */*;q=0", 406),
        ("", "application/fhir+json;q=0", 406),
        ("", "text/turtle", 406),
        ("?_format=xml", "application/fhir+json", 406),
        ("?_format=application/fhir%2Bxml", "*/*", 406),
    ] {
        let request = Request::get(format!("/r4/Observation/a1{query}")).header("accept", accept);
        let got = confined.send(&token, request).await;
        assert_eq!(got.status, status, "{query} {accept}: {}", got.text);
    }
}

#[tokio::test]
async fn a_refusal_of_a_body_that_nobody_has_read_ends_the_connection() {
    let confined = Confined::before(Careless::with(records())).await;
    let token = confined.token("patient/*.cruds", "1", "amara");
    let form = "application/x-www-form-urlencoded";
    for (method, below, media_type, status, closes) in [
        ("PATCH", "/Observation/a1", "application/fhir+json", 415, true),
        ("PUT", "/Observation/a1", "application/fhir+json", 400, false),
        ("POST", "/Observation/_search", "text/plain", 415, true),
        ("POST", "/Observation/_search", form, 403, false),
    ] {
        let request = Request::builder().method(method).uri(format!("/r4{below}"));
        let request = request.header("content-type", media_type).header("content-length", "10");
        let got = confined.send_with(&token, request, "subject=22").await;
        assert_eq!(got.status, status, "{method} {below}: {}", got.text);
        let close = got.headers.get("connection").is_some_and(|value| value == "close");
        assert_eq!(close, closes, "{method} {below}");
    }
}

#[tokio::test]
async fn operators_hear_of_what_was_not_passed_on() {
    let log = crate::operator_log::OperatorLog::start();
    let confined = Confined::before(answering(200, &[], DOUBLED)).await;
    confined.get("patient/*.rs", "/Observation/a1/_history").await;
    assert_eq!(
        log.lines("WARN", "an answer of the upstream server is hidden"),
        1,
        "{}",
        log.text()
    );
    assert_eq!(log.lines("INFO", "kind=\"not-found\""), 1, "{}", log.text());
    confined.get("patient/*.rs", "/Observation").await;
    assert_eq!(log.lines("INFO", "kind=\"exception\""), 1, "{}", log.text());
    let elsewhere =
        r#"{"resourceType":"Bundle","link":[{"relation":"next","url":"https://elsewhere.test/"}]}"#;
    let confined = Confined::before(answering(200, &[], elsewhere)).await;
    confined.get("patient/*.rs", "/Observation").await;
    assert_eq!(log.lines("WARN", "links of the upstream server lead elsewhere"), 1);
    assert!(!log.text().contains("mark"), "{}", log.text());
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_502_and_says_how_to_ask() {
    let settings = ConfineSettings::default().max_body(200);
    let confined = Confined::with(Careless::with(records()), settings).await;
    let got = confined.get("patient/*.rs", "/Observation").await;
    assert_eq!(got.status, 502);
    assert_eq!(got.json()["issue"][0]["code"], "too-costly");
    assert!(got.text.contains("_count"), "{}", got.text);
}

#[tokio::test]
async fn of_a_refusal_of_the_server_its_status_and_its_code_stay() {
    let outcome = r#"{"resourceType":"OperationOutcome","issue":[{"code":"too-costly","diagnostics":"mark"}]}"#;
    for (status, body, code) in
        [(422, outcome, "too-costly"), (500, "mark", "exception"), (403, "mark", "exception")]
    {
        let confined = Confined::before(answering(status, &[("warning", "199 mark")], body)).await;
        let got = confined.get("patient/*.rs", "/Observation").await;
        assert_eq!(
            (got.status.as_u16(), got.json()["issue"][0]["code"].as_str()),
            (status, Some(code))
        );
        assert!(!format!("{:?}{}", got.headers, got.text).contains("mark"), "{}", got.text);
    }
    let gone = Confined::before(answering(410, &[], "mark")).await;
    assert_eq!(
        gone.get("patient/*.rs", "/Observation/a2").await.status,
        404,
        "whose it was is not known"
    );
}

#[tokio::test]
async fn what_cannot_be_held_to_what_was_granted_is_refused() {
    let confined = Confined::before(Careless::with(records())).await;
    let token = confined.token("patient/*.cruds", "1", "amara");
    for (method, below) in [
        ("DELETE", "/Observation/a1/_history"),
        ("GET", "/$export"),
        ("GET", "/Patient/1/$unheard-of"),
        ("POST", "/Patient/1/$everything"),
    ] {
        let request = Request::builder().method(method).uri(format!("/r4{below}"));
        let got = confined.send_with(&token, request, "{}").await;
        assert_eq!(got.status, 403, "{method} {below}: {}", got.text);
        assert!(got.headers.contains_key("www-authenticate"));
    }
    assert_eq!(confined.server.asked(), [], "nothing has reached the server");
    let xml = Request::get("/r4/Observation/a1").header("accept", "application/fhir+xml");
    assert_eq!(confined.send(&token, xml).await.status, 406);
}

#[tokio::test]
async fn a_write_passes_where_everything_is_granted() {
    let confined = Confined::before(Careless::with(records())).await;
    let token = confined.token("system/*.cruds", "1", "amara");
    let put = Request::put("/r4/Observation/a1");
    assert_eq!(confined.send_with(&token, put, "{\"a\":1}").await.status, 200);
    assert_eq!(confined.server.asked().last().unwrap().1, "{\"a\":1}", "the body is the client's");
    // Reading is not enough to have what a write shows judged, and writes of one patient are confined.
    let reads = confined.token("system/*.rs patient/*.u", "1", "amara");
    let put = Request::put("/r4/Observation/a1");
    assert_eq!(confined.send_with(&reads, put, "{}").await.status, 403, "no `versioned-update`");
}

#[tokio::test]
async fn a_request_that_no_layer_has_let_in_is_500() {
    let confined = Confined::before(Careless::with(records())).await;
    let (auth, confine) = confined.layer.clone().into_parts();
    let request = |uri: &str| Request::get(uri).body(Full::<Bytes>::default()).unwrap();
    let alone = confine.layer(confined.server.service());
    let response = alone.clone().oneshot(request("/r4/Observation/a1")).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(confined.server.asked(), []);
    let public = alone.oneshot(request("/r4/metadata")).await.unwrap();
    assert_eq!(public.status(), 500, "public, but no layer has seen it");
    let other = Confined::before(Careless::with(records())).await;
    let (other_auth, _) = other.layer.clone().into_parts();
    let token = other.token("system/*.rs", "1", "amara");
    let mixed = other_auth.layer(confine.layer(confined.server.service()));
    let asked =
        Request::get("/r4/Observation/a1").header("authorization", format!("Bearer {token}"));
    let response = mixed.oneshot(asked.body(Full::<Bytes>::default()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 500, "let in by another layer");
    // Another request by the time that it comes here.
    let token = confined.token("system/*.rs", "1", "amara");
    for (method, uri, status) in [
        ("GET", "/r4/Observation/a1", 200),
        ("GET", "/r4/Observation/a2", 500),
        ("GET", "/r4/Observation/a1?_format=json", 500),
        ("DELETE", "/r4/Observation/a1", 500),
    ] {
        let before = confined.server.asked().len();
        let inner = confine.layer(confined.server.service());
        let rewrite = move |mut request: Request<Full<Bytes>>| {
            *request.method_mut() = method.parse().unwrap();
            *request.uri_mut() = uri.parse().unwrap();
            request
        };
        let rewriting = auth.layer(tower::util::MapRequest::new(inner, rewrite));
        let asked =
            Request::get("/r4/Observation/a1").header("authorization", format!("Bearer {token}"));
        let asked = asked.body(Full::<Bytes>::default()).unwrap();
        let response = rewriting.oneshot(asked).await.unwrap();
        assert_eq!(response.status(), status, "{method} {uri}");
        let reached = confined.server.asked().len() - before;
        assert_eq!(reached, usize::from(status == 200), "{method} {uri}");
    }
}

#[tokio::test]
async fn the_time_after_which_the_server_wants_to_be_asked_again_goes_on() {
    for (status, headers, told) in [
        (429, &[("retry-after", "120")][..], Some("120")),
        (503, &[("retry-after", "120")], Some("120")),
        (
            503,
            &[("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT")],
            Some("Wed, 21 Oct 2026 07:28:00 GMT"),
        ),
        (503, &[("retry-after", "<mark>")], Some("1")),
        (503, &[("retry-after", "1"), ("retry-after", "2")], Some("1")),
        (503, &[], Some("1")),
        (429, &[], None),
        (500, &[("retry-after", "120")], None),
        (422, &[("retry-after", "120")], None),
    ] {
        let server = answering(status, headers, "");
        let settings = ConfineSettings::default().versions_checked();
        let confined = Confined::with(server, settings).await;
        let token = confined.token("patient/*.cruds system/Patient.rs", "1", "app");
        for (method, below) in [
            ("GET", "/Observation"),
            ("GET", "/Observation/a1"),
            ("GET", "/metadata"),
            ("DELETE", "/Observation/a1"),
            ("GET", "/$export?_type=Patient"),
        ] {
            let request = Request::builder().method(method).uri(format!("/r4{below}"));
            let got = confined.send(&token, request).await;
            let found = got.headers.get("retry-after").map(|value| value.to_str().unwrap());
            let is_hidden = got.status == 404;
            assert_eq!(found, told.filter(|_| !is_hidden), "{status} {method} {below}: {got:?}");
            assert!(!format!("{:?}{}", got.headers, got.text).contains("mark"), "{got:?}");
        }
    }
}

#[tokio::test]
async fn a_change_of_what_cannot_be_read_is_as_of_nothing() {
    for (status, (name, value), body, expected) in [
        (200, ("content-encoding", "gzip"), b"mark".to_vec(), 404),
        (200, ("etag", "W/\"1\""), b"mark \xff".to_vec(), 404),
        (200, ("etag", "W/\"1\""), b"mark".to_vec(), 404),
        (200, ("etag", "W/\"1\""), OTHER.as_bytes().to_vec(), 404),
        // Whether there is something, this does not tell.
        (500, ("etag", "W/\"1\""), b"mark".to_vec(), 500),
    ] {
        let server = Careless::always(move || {
            let response = Response::builder().status(status).header(name, value);
            response.body(Full::from(body.clone())).unwrap()
        });
        let settings = ConfineSettings::default().versions_checked();
        let confined = Confined::with(server, settings).await;
        let token = confined.token("patient/*.cruds", "1", "amara");
        let got = confined.send(&token, Request::delete("/r4/Observation/a2")).await;
        assert_eq!(got.status, expected, "{status} {name}: {}", got.text);
        assert!(!got.text.contains("mark"), "{}", got.text);
        let asked = confined.server.asked();
        assert!(asked.iter().all(|(line, _)| line.starts_with("GET ")), "{asked:?}");
    }
}

/// A body that is broken off.
struct Broken;

impl Body for Broken {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        Poll::Ready(Some(Err(std::io::ErrorKind::ConnectionReset.into())))
    }
}

#[tokio::test]
async fn a_body_that_is_broken_off_is_400_and_not_too_long() {
    let confined = Confined::before(Careless::default()).await;
    let inner = tower::service_fn(|_: Request<RequestBody<Broken>>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
    });
    let token = confined.token("patient/*.cruds", "1", "amara");
    let request = Request::post("/r4/Observation")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/fhir+json");
    let request = request.body(Broken).unwrap();
    let response = confined.layer.layer(inner).oneshot(request).await.unwrap();
    assert_eq!(response.status(), 400);
}
