//! Texts that are made of a refusal: for clients, for operators, and the explanation.

use std::fmt::Write as _;
use std::hint::black_box;
use std::io;

use http::Request;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::rejection::{Disclosure, ProblemResponder};

use super::{Named, Reading, decision, filled, listed, request};
use crate::widest;
use crate::world::{self, Key};

pub(super) const SHAPES: &[Named] = &[
    ("answer: the scopes that would be enough", |n| {
        denied(n / 2, format!("/Flag?{}", widest::query(3, n / 2)), &[])
    }),
    ("answer: a long address", |n| denied(500, format!("/Flag/{}", "%22".repeat(n / 3)), &[])),
    ("answer: held scopes, in XML", |n| {
        denied(n, "/Condition?_format=xml".into(), &[("accept", "application/fhir+xml".into())])
    }),
    ("answer: many ranges in Accept", |n| {
        denied(500, "/Condition".into(), &[("accept", "a/b;q=0.1, ".repeat(n / 11))])
    }),
    ("answer: many parameters in Accept", |n| {
        denied(500, "/Condition".into(), &[("accept", format!("a/b{}", ";q;c=d".repeat(n / 6)))])
    }),
    ("answer: _format again and again", |n| {
        denied(500, format!("/Condition?{}", "_forma%74=x&".repeat(n / 12)), &[])
    }),
    ("answer: gRPC", |n| {
        denied(n, "/Condition".into(), &[("content-type", "application/grpc".into())])
    }),
    ("answer: a long content type", |n| {
        denied(500, "/Condition".into(), &[("content-type", "application/grp;".repeat(n / 16))])
    }),
    ("log: a path full of tokens", |n| {
        logged(format!("/Flag/{}", "eyJhIjoxfQ.e30.AA/".repeat(n / 18)))
    }),
    ("log: a path full of what begins a token", |n| {
        logged(format!("/Flag/{}", "eyJhIjox.".repeat(n / 9)))
    }),
    ("log: a path of one long segment", |n| logged(format!("/Flag/eyJh.{}", "a".repeat(n)))),
    ("log: a path with escaped dots", |n| {
        logged(format!("/Flag/{}", "eyJhIjox%2e".repeat(n / 11)))
    }),
    ("explained: scopes", |n| explained(n, "/Condition?_include=Flag:subject".to_owned())),
    ("explained: an address", |n| explained(500, format!("/Condition?{}", widest::query(4, n)))),
    ("explained: both", |n| explained(n / 2, format!("/Flag?{}", widest::query(3, n / 2)))),
    ("explained: a token without a known key", |n| {
        let key = Key::named("unknown", Algorithm::EdDsa);
        let token = key.token().claim("aud", listed(n, |m| format!("urn:{m}")));
        explanation(token.sign().expect("a token"), "/Patient/1".to_owned())
    }),
];

/// A token with so many bytes of scopes, and a layer that tells all that it may.
fn held(scopes: usize) -> (String, tower_fhir_auth::FhirAuthLayer) {
    let key = Key::new(Algorithm::EdDsa);
    let held = filled(scopes, " ", |n| format!("user/Flag.rs?_id={n}"));
    let token = key.token().without("roles").claim("scp", held).sign().expect("a token");
    let layer = world::layer(key.set()).disclosure(Disclosure::Full);
    (token, layer.build().expect("a layer"))
}

fn denied(scopes: usize, path: String, headers: &[(&'static str, String)]) -> Reading {
    let (token, layer) = held(scopes);
    let made = || with(request("GET", &path, &token), headers);
    decision(&layer, made, &[200, 403])
}

fn with(mut request: Request<()>, headers: &[(&'static str, String)]) -> Request<()> {
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().expect("a value"));
    }
    request
}

/// A refusal that operators read.
fn logged(path: String) -> Reading {
    let (token, _) = held(500);
    let key = Key::new(Algorithm::EdDsa);
    let layer = world::layer(key.set()).responder(ProblemResponder).build().expect("a layer");
    let Reading { mut read, apart } = decision(&layer, || request("GET", &path, &token), &[401]);
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(io::sink).finish();
    let dispatch = tracing::Dispatch::new(subscriber);
    let read = move || tracing::dispatcher::with_default(&dispatch, &mut *read);
    Reading { read: Box::new(read), apart }
}

fn explained(scopes: usize, path: String) -> Reading {
    explanation(held(scopes).0, path)
}

fn explanation(token: String, path: String) -> Reading {
    let key = Key::new(Algorithm::EdDsa);
    let layer = world::layer(key.set()).build().expect("a layer");
    let (parts, ()) = request("GET", &path, &token).into_parts();
    Reading::of(move || {
        let explanation = world::at_once(layer.explain(&parts));
        let mut text = String::new();
        write!(text, "{explanation}").expect("a text");
        let advice = explanation.failure().map(tower_fhir_auth::explanation::Finding::advice);
        black_box((serde_json::to_string(&explanation).expect("JSON"), text, advice));
    })
}
