//! One request of each kind that needs no valid token: what it allocates, what stays, what is
//! answered, and what operators read of it.

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt, Empty};
use serde_json::json;
use std::sync::Arc;
use tower::Layer;
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::jose::{Algorithm, JwkSet};
use tower_fhir_auth::test_util::{SigningKey, TokenBuilder};
use tower_fhir_auth::{FhirAuth, FhirAuthLayer, TrustedIssuer, authenticated};
use tower_service::Service;

use crate::log_lines::LogLines;
use crate::page::Page;

const BASE: &str = "https://fhir.example.org/r4";
const ISSUER: &str = "https://idp.example.org";

/// A request, and the status that it gets.
struct Sent {
    what: &'static str,
    status: u16,
    method: Method,
    uri: String,
    headers: Vec<(&'static str, String)>,
}

impl Sent {
    fn get(what: &'static str, status: u16, uri: impl Into<String>) -> Self {
        Self { what, status, method: Method::GET, uri: uri.into(), headers: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn bearer(self, token: &str) -> Self {
        self.with("authorization", format!("Bearer {token}"))
    }

    fn by(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::builder().method(&self.method).uri(&self.uri);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        request.body(Empty::new()).unwrap()
    }
}

/// A key of the issuer, and tokens that it has or has not signed.
struct Keys {
    own: Arc<SigningKey>,
    other: Arc<SigningKey>,
}

impl Keys {
    fn new() -> Self {
        let key = || Arc::new(SigningKey::generate("one", Algorithm::Es256).unwrap());
        Self { own: key(), other: key() }
    }

    fn forged(&self) -> TokenBuilder {
        TokenBuilder::new(ISSUER, Arc::clone(&self.other), SystemClock.now()).claim("aud", BASE)
    }
}

pub(crate) fn hold(page: &mut Page) {
    let keys = Keys::new();
    let set = json!({"keys": [keys.own.jwk()]}).to_string();
    let layer = FhirAuthLayer::builder(BASE)
        .issuer(TrustedIssuer::with_keys(ISSUER, JwkSet::parse(set.as_bytes()).unwrap()))
        .authorizer(authenticated())
        .optional(["/docs/"])
        .build()
        .unwrap();
    for sent in without_token().into_iter().chain(with_token(&keys)).chain(open()) {
        one(page, &layer, &sent);
    }
}

fn without_token() -> Vec<Sent> {
    let path = "/r4/Patient/1";
    let long = |bytes: usize| format!("/r4/Patient?name={}", "x".repeat(bytes));
    let mut many = Sent::get("no token, 100 headers of 1 kB", 401, path);
    for n in 0..100 {
        many = many.with("cookie", format!("a{n}={}", "x".repeat(1_000)));
    }
    vec![
        Sent::get("no token", 401, path),
        Sent::get("no token, by HEAD", 401, path).by(Method::HEAD),
        Sent::get("no token, by OPTIONS", 401, path).by(Method::OPTIONS),
        Sent::get("no token, an address of 8 kB", 401, long(8_000)),
        Sent::get("no token, an address of 60 kB", 401, long(60_000)),
        Sent::get("no token, a path of 60 kB", 401, format!("/r4/{}", "a/".repeat(30_000))),
        Sent::get(
            "no token, a query of 60 kB of escapes",
            401,
            format!("/r4/Patient?{}", "%61=%62&".repeat(7_500)),
        ),
        many,
        Sent::get("no token, 16 kB of `Accept`", 401, path)
            .with("accept", "a/b;q=0.1, ".repeat(1_450)),
        Sent::get("no token, gRPC", 200, path).with("content-type", "application/grpc"),
    ]
}

fn with_token(keys: &Keys) -> Vec<Sent> {
    let path = "/r4/Patient/1";
    let wide = |room: usize, one: fn(usize) -> String| {
        let mut text = String::new();
        for n in 0.. {
            let next = one(n);
            if text.len() + next.len() > room {
                return text;
            }
            text.push_str(&next);
        }
        text
    };
    let raw = |payload: String| {
        let header = json!({"alg": "ES256", "kid": "one"}).to_string();
        keys.other.sign(header.as_bytes(), payload.as_bytes()).unwrap()
    };
    // What base64url makes of it has just room in a token of 16 KiB.
    let room = 12_000;
    let forged = |token: TokenBuilder| token.sign().unwrap();
    vec![
        Sent::get("two tokens", 400, path).bearer("a").bearer("b"),
        Sent::get("a token in the query", 400, format!("{path}?access_token=x")),
        Sent::get("Basic credentials of 16 kB", 401, path)
            .with("authorization", format!("Basic {}", "x, ".repeat(5_400))),
        Sent::get("garbage of 2 kB", 401, path).bearer(&"x".repeat(2_000)),
        Sent::get("garbage of 16 kB", 401, path).bearer(&"x".repeat(16_000)),
        Sent::get("garbage of 60 kB", 401, path).bearer(&"x".repeat(60_000)),
        Sent::get("garbage of 16 kB that is no token", 400, path).bearer(&"%".repeat(16_000)),
        Sent::get("an unknown issuer", 401, path)
            .bearer(&forged(keys.forged().claim("iss", "https://elsewhere.example.org"))),
        Sent::get("an unknown issuer of 12 kB", 401, path)
            .bearer(&raw(json!({"iss": "x".repeat(room)}).to_string())),
        Sent::get("an unknown kid", 401, path).bearer(&forged(keys.forged().header("kid", "two"))),
        Sent::get("an unknown kid of 12 kB", 401, path)
            .bearer(&forged(keys.forged().header("kid", "k".repeat(11_500)))),
        Sent::get("an unknown alg of 12 kB", 401, path)
            .bearer(&forged(keys.forged().header("alg", "k".repeat(11_500)))),
        Sent::get("a typ of 12 kB", 401, path)
            .bearer(&forged(keys.forged().header("typ", "k".repeat(11_500)))),
        Sent::get("a forged signature", 401, path).bearer(&forged(keys.forged())),
        Sent::get("a forged signature, claims of 12 kB", 401, path)
            .bearer(&forged(keys.forged().claim("x", "x".repeat(11_500)))),
        Sent::get("12 kB of members", 401, path)
            .bearer(&raw(format!("{{{}\"z\":0}}", wide(room - 10, |n| format!("\"{n}\":0,"))))),
        Sent::get("12 kB of escapes", 401, path)
            .bearer(&raw(format!("{{\"iss\":\"{}\"}}", "\\u0041".repeat(room / 6 - 5)))),
        Sent::get("12 kB of nested arrays", 401, path)
            .bearer(&raw(format!("{{\"a\":[{}0]}}", wide(room - 10, |_| "[[[]]],".to_owned())))),
        Sent::get("gRPC with garbage", 200, path)
            .with("content-type", "application/grpc")
            .bearer(&"x".repeat(2_000)),
    ]
}

fn open() -> Vec<Sent> {
    vec![
        Sent::get("a public path", 200, "/r4/metadata"),
        Sent::get("a public path with garbage of 16 kB", 200, "/r4/metadata")
            .bearer(&"x".repeat(16_000)),
        Sent::get("a preflight", 200, "/r4/Patient")
            .by(Method::OPTIONS)
            .with("access-control-request-method", "PUT")
            .with("access-control-request-headers", "a,".repeat(4_000)),
        Sent::get("an optional path", 200, "/r4/docs/a"),
        Sent::get("an optional path with garbage", 401, "/r4/docs/a").bearer(&"x".repeat(2_000)),
        Sent::get("the document of the resource", 200, "/.well-known/oauth-protected-resource/r4"),
        Sent::get("the document of SMART", 200, "/r4/.well-known/smart-configuration"),
    ]
}

fn one(page: &mut Page, layer: &FhirAuthLayer, sent: &Sent) {
    // Whatever is made once is made by the first.
    let first = answered(layer, sent.request(), sent);
    let request = sent.request();
    let mut service = layer.layer(Bare);
    let allocated = measure(|| drop(decide(&mut service, request)));
    let log = LogLines::of(tracing::Level::INFO, || drop(answered(layer, sent.request(), sent)));
    let quiet = LogLines::of(tracing::Level::WARN, || drop(answered(layer, sent.request(), sent)));
    assert_eq!(quiet.lines, 0, "{}: {}", sent.what, quiet.text);
    let kept = u64::try_from(allocated.bytes_current.max(0)).unwrap();
    page.hold(sent.what, "kept, bytes", kept);
    page.hold(sent.what, "at once, bytes", allocated.bytes_max);
    page.hold(sent.what, "answer, bytes", size(&first));
    page.hold(sent.what, "log, lines", log.lines);
    page.hold(sent.what, "log, bytes", log.bytes);
}

fn answered(layer: &FhirAuthLayer, request: Request<Empty<Bytes>>, sent: &Sent) -> Response<Bytes> {
    let response = decide(&mut layer.layer(Bare), request);
    assert_eq!(response.status(), sent.status, "{}", sent.what);
    let (parts, body) = response.into_parts();
    let body = at_once(body.collect());
    let body = body.unwrap_or_else(|_| panic!("an answer that is whole")).to_bytes();
    Response::from_parts(parts, body)
}

type Answer = <FhirAuth<Bare> as Service<Request<Empty<Bytes>>>>::Response;

fn decide(service: &mut FhirAuth<Bare>, request: Request<Empty<Bytes>>) -> Answer {
    let Ok(response) = at_once(service.call(request));
    response
}

/// What goes over the wire by HTTP/1.1, but for the first line.
fn size(response: &Response<Bytes>) -> u64 {
    let headers: &HeaderMap = response.headers();
    let headers = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    u64::try_from(headers.sum::<usize>() + response.body().len()).unwrap()
}

pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("there is something to wait for"),
    }
}

/// A handler that does nothing.
#[derive(Clone)]
struct Bare;

impl Service<Request<Empty<Bytes>>> for Bare {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Empty<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Empty<Bytes>>) -> Self::Future {
        ready(Ok(Response::new(Empty::new())))
    }
}
