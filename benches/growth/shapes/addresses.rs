//! Methods, addresses and headers of those who have a token that was seen before.

use http::Request;
use tower_fhir_auth::jose::Algorithm;

use super::{Named, Reading, decision, filled, request};
use crate::world::{self, Key};

pub(super) const SHAPES: &[Named] = &[
    ("address: segments", |n| at("GET", "/a".repeat(n / 2))),
    ("address: empty segments", |n| at("GET", "/".repeat(n))),
    ("address: dots", |n| at("GET", "/..".repeat(n / 3))),
    ("address: escapes", |n| at("GET", format!("/Patient/{}", "%2e".repeat(n / 3)))),
    ("address: a long id", |n| at("GET", format!("/Patient/{}", "1".repeat(n)))),
    ("address: a long type", |n| at("GET", format!("/{}/1", "P".repeat(n)))),
    ("address: a long operation", |n| at("GET", format!("/Patient/1/${}", "x".repeat(n)))),
    ("address: parts of a job's file", |n| {
        at("GET", format!("/_operations/export/1{}", "/a_b".repeat(n / 4)))
    }),
    ("address: compartments in compartments", |n| at("GET", "/Patient/1".repeat(n / 10))),
    ("address: histories", |n| at("GET", format!("/Patient/1{}", "/_history/1".repeat(n / 11)))),
    ("address: a long method", |n| {
        at(Box::leak("M".repeat(n).into_boxed_str()), "/Patient/1".into())
    }),
    ("address: outside the base", |n| {
        sent(move |token| {
            let request = Request::get(format!("/x{}", "/r4".repeat(n / 3)));
            request.header("authorization", format!("Bearer {token}")).body(()).expect("a request")
        })
    }),
    ("query: parameters", |n| {
        at("GET", format!("/Flag?{}", filled(n, "&", |m| format!("a{m}=1"))))
    }),
    ("query: one long value", |n| at("GET", format!("/Flag?code={}", "x".repeat(n)))),
    ("query: ampersands", |n| at("GET", format!("/Flag?{}", "&".repeat(n)))),
    ("query: many types in one _type", |n| {
        at("GET", format!("?_type={}", filled(n, ",", |m| format!("Xa{}", letters(m)))))
    }),
    ("query: many patients in one list", |n| {
        at("GET", format!("/Flag?patient={}", filled(n, ",", |m| m.to_string())))
    }),
    ("query: hard deletes that are none", |n| {
        at("DELETE", format!("/Flag/1?{}", "hardDelet%65x&hard".repeat(n / 18)))
    }),
    ("query: a long chain", |n| {
        at("GET", format!("/Flag?{}=x", "subject:Patient.".repeat(n / 16) + "name"))
    }),
    ("query: a deep _has", |n| {
        at("GET", format!("/Flag?{}_id=1", "_has:Flag:subject:".repeat(n / 18)))
    }),
    ("query: _has and chains in turns", |n| {
        at("GET", format!("/Flag?{}_id=1", "a._has:Flag:subject:".repeat(n / 20)))
    }),
    ("query: a deep filter", |n| {
        at(
            "GET",
            format!("/$export?_typeFilter=Flag%3F{}", "_typeFilter%3DFlag%253F".repeat(n / 23)),
        )
    }),
    ("conditional: many parameters", |n| {
        at("PUT", format!("/Flag?{}", filled(n, "&", |m| format!("_id={m}"))))
    }),
    ("conditional: one long If-None-Exist", |n| {
        with("POST", "/Flag", 1, move |_| {
            ("if-none-exist", filled(n, "&", |m| format!("identifier={m}")))
        })
    }),
    ("conditional: many If-None-Exist", |n| {
        with("POST", "/Flag", n / 10, |m| ("if-none-exist", format!("_id={m:06}")))
    }),
    ("headers: cookies", |n| {
        with("GET", "/Flag", n / 20, |m| ("cookie", format!("a{m:06}=xxxxxxxxxxxx")))
    }),
    ("headers: one long cookie", |n| {
        with("GET", "/Flag", 1, move |_| ("cookie", "a=1; ".repeat(n / 5)))
    }),
    ("headers: names for a preflight", |n| {
        with("OPTIONS", "/Flag", 1, move |_| ("access-control-request-headers", "a,".repeat(n / 2)))
    }),
];

fn letters(number: usize) -> String {
    let letter = |n: usize| char::from(b'a' + u8::try_from(n % 26).expect("a letter"));
    [letter(number / 26), letter(number)].iter().collect()
}

fn at(method: &'static str, path: String) -> Reading {
    sent(move |token| request(method, &path, token))
}

/// A request with so many headers.
fn with(
    method: &'static str,
    path: &'static str,
    number: usize,
    header: impl Fn(usize) -> (&'static str, String) + 'static,
) -> Reading {
    sent(move |token| {
        let mut request = request(method, path, token);
        for (name, value) in (0..number).map(&header) {
            request.headers_mut().append(name, value.parse().expect("a value"));
        }
        request
    })
}

fn sent(made: impl Fn(&str) -> Request<()> + 'static) -> Reading {
    let key = Key::new(Algorithm::EdDsa);
    let token = key.token().without("roles").claim("scp", "user/Patient.rs user/Flag.r");
    let token = token.sign().expect("a token");
    let layer = world::layer(key.set()).build().expect("a layer");
    decision(&layer, || made(&token), &[200, 400, 403])
}
