//! What cannot be judged never leaves, and what cannot be held is refused.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{Layer, ServiceExt};
use tower_fhir_auth::confine::ConfineSettings;

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

#[tokio::test]
async fn an_answer_that_cannot_be_judged_is_502() {
    for (status, headers, body) in [
        (200, vec![], ""),
        (200, vec![], "<Observation xmlns=\"http://hl7.org/fhir\"/> mark"),
        (200, vec![], "[1, 2] mark"),
        (200, vec![("content-encoding", "gzip")], "mark"),
        (
            200,
            vec![],
            r#"{"resourceType":"Observation","id":"a1","subject":{"reference":"Patient/1"},"subject":{"reference":"Patient/2"},"note":"mark"}"#,
        ),
        (
            200,
            vec![],
            r#"{"resourceType":"Observation","id":"other","subject":{"reference":"Patient/1"},"note":"mark"}"#,
        ),
        (200, vec![], r#"{"resourceType":"Patient","id":"a1","note":"mark"}"#),
        (200, vec![], r#"{"resourceType":"Bundle","entry":[{"resource":{"id":"mark"}}]}"#),
        (302, vec![("location", "https://elsewhere.example.org/mark")], "mark"),
        (401, vec![("www-authenticate", "Basic realm=\"mark\"")], "mark"),
    ] {
        for below in ["/Observation/a1", "/Observation"] {
            let confined = Confined::before(answering(status, &headers, body)).await;
            let got = confined.get("patient/*.rs", below).await;
            assert_eq!(got.status, 502, "{below} {body}: {}", got.text);
            assert_eq!(got.json()["issue"][0]["code"], "exception", "{}", got.text);
            assert!(!format!("{:?}{}", got.headers, got.text).contains("mark"), "{}", got.text);
        }
    }
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
        ("POST", "/Observation"),
        ("PUT", "/Observation/a1"),
        ("PATCH", "/Observation/a1"),
        ("DELETE", "/Observation/a1"),
        ("PUT", "/Observation?code=x"),
        ("POST", ""),
        ("GET", "/$export"),
        ("GET", "/Patient/1/$unheard-of"),
        ("GET", "/_operations/export/1"),
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
async fn an_export_is_refused_to_everybody_and_a_write_passes_where_everything_is_granted() {
    let confined = Confined::before(Careless::with(records())).await;
    let token = confined.token("system/*.cruds", "1", "amara");
    let got = confined.send(&token, Request::get("/r4/$export?_type=Patient")).await;
    assert_eq!(got.status, 403, "{}", got.text);
    let put = Request::put("/r4/Observation/a1");
    assert_eq!(confined.send_with(&token, put, "{\"a\":1}").await.status, 200);
    assert_eq!(confined.server.asked().last().unwrap().1, "{\"a\":1}", "the body is the client's");
    // Reading is not enough to have what a write shows judged, and writes of one patient are confined.
    let reads = confined.token("system/*.rs patient/*.u", "1", "amara");
    let put = Request::put("/r4/Observation/a1");
    assert_eq!(confined.send_with(&reads, put, "{}").await.status, 403);
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
    assert_eq!(alone.oneshot(request("/r4/metadata")).await.unwrap().status(), 200, "public");
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
