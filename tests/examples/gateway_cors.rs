//! `[cors]` of the gateway: what scripts of other origins may ask and read.

use reqwest::{Method, RequestBuilder, Response};

use crate::careless_server::Careless;
use crate::gateway::Gateway;

const APP: &str = "https://app.example.org";

async fn from(origin: &str, request: RequestBuilder) -> Response {
    request.header("origin", origin).send().await.unwrap()
}

fn preflight(gateway: &Gateway, path: &str, headers: &str) -> RequestBuilder {
    let request = gateway.client.request(Method::OPTIONS, gateway.server.url(path));
    let request = request.header("access-control-request-method", "PUT");
    request.header("access-control-request-headers", headers.to_owned())
}

fn allowed(answer: &Response) -> Vec<&str> {
    let values = answer.headers().get_all("access-control-allow-origin").iter();
    values.map(|value| value.to_str().unwrap()).collect()
}

fn listed(answer: &Response, header: &str) -> Vec<String> {
    let values = answer.headers().get_all(header).iter();
    let texts = values.flat_map(|value| value.to_str().unwrap().split(','));
    texts.map(|name| name.trim().to_ascii_lowercase()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_may_ask_and_read_where_origins_are_named() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "[cors]\norigins = [\"*\"]").await;
    let before = careless.asked().len();
    let asked = "authorization,dpop,content-type,if-match,if-none-match,if-none-exist,prefer";
    let answer = from(APP, preflight(&gateway, "/Patient/1", asked)).await;
    assert_eq!((answer.status().as_u16(), allowed(&answer)), (200, vec!["*"]));
    let allows = listed(&answer, "access-control-allow-headers");
    for name in asked.split(',') {
        assert!(allows.iter().any(|one| one == name), "{name}: {allows:?}");
    }
    let methods = listed(&answer, "access-control-allow-methods");
    for method in ["get", "head", "post", "put", "patch", "delete"] {
        assert!(methods.iter().any(|one| one == method), "{method}: {methods:?}");
    }
    assert!(!answer.headers().contains_key("access-control-allow-credentials"));
    assert_eq!(careless.asked().len(), before, "the upstream server is not asked");
    // Answers, and refusals of the layer, of the gateway and of the upstream server.
    for (scope, path, status) in [
        ("system/*.rs", "/Observation/o10", 200),
        ("patient/*.rs", "/Observation/o10", 200),
        ("patient/*.rs", "/Observation/o20", 404),
        ("patient/*.rs", "/Patient/2", 403),
        ("system/*.rs", "/Observation/moved", 502),
        ("", "/metadata", 200),
        ("", "/.well-known/smart-configuration", 200),
    ] {
        let answer = from(APP, gateway.request("GET", scope, path)).await;
        assert_eq!((answer.status().as_u16(), allowed(&answer)), (status, vec!["*"]), "{path}");
        let exposed = listed(&answer, "access-control-expose-headers");
        for name in [
            "www-authenticate",
            "dpop-nonce",
            "location",
            "content-location",
            "etag",
            "last-modified",
            "retry-after",
            "x-progress",
        ] {
            assert!(exposed.iter().any(|one| one == name), "{path}: {name}: {exposed:?}");
        }
    }
    let without = gateway.client.get(gateway.server.url("/Patient/1"));
    let without = from(APP, without).await;
    assert_eq!((without.status().as_u16(), allowed(&without)), (401, vec!["*"]));
    let plain = gateway.client.request(Method::OPTIONS, gateway.server.url("/Patient/1"));
    assert_eq!(from(APP, plain).await.status(), 401, "OPTIONS that is no preflight needs a token");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_not_named_reads_nothing() {
    let careless = Careless::start().await;
    let origins = format!("[cors]\norigins = [\"{APP}\", \"capacitor://localhost\"]");
    let gateway = Gateway::before(&careless.base, &origins).await;
    for (origin, expected) in [
        (APP, vec![APP]),
        ("capacitor://localhost", vec!["capacitor://localhost"]),
        ("https://app.example.org.evil.example", vec![]),
        ("http://app.example.org", vec![]),
        ("null", vec![]),
    ] {
        let answer = from(origin, gateway.request("GET", "system/*.rs", "/Patient/1")).await;
        assert_eq!(allowed(&answer), expected, "{origin}");
        let vary = listed(&answer, "vary");
        assert!(vary.iter().any(|name| name == "origin"), "{vary:?}");
        let answer = from(origin, preflight(&gateway, "/Patient/1", "authorization")).await;
        assert_eq!(allowed(&answer), expected, "{origin}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_origins_no_answer_has_cors_but_the_documents_for_everybody() {
    let careless = Careless::start().await;
    let gateway = Gateway::before(&careless.base, "").await;
    for (scope, path) in [("system/*.rs", "/Patient/1"), ("patient/*.rs", "/Patient/1")] {
        let answer = from(APP, gateway.request("GET", scope, path)).await;
        assert_eq!(answer.status(), 200);
        let mut names = answer.headers().keys().map(http::HeaderName::as_str);
        assert!(names.all(|name| !name.starts_with("access-control-")), "{answer:?}");
    }
    let answer = from(APP, preflight(&gateway, "/Patient/1", "authorization")).await;
    assert!(allowed(&answer).is_empty(), "{answer:?}");
    for path in ["/metadata", "/.well-known/smart-configuration"] {
        let answer = from(APP, gateway.client.get(gateway.server.url(path))).await;
        assert_eq!((answer.status().as_u16(), allowed(&answer)), (200, vec!["*"]), "{path}");
    }
}
