//! Tokens of anybody: header, shape, and JSON, before any signature is looked at.

use http::Request;
use serde_json::{Value, json};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::TokenBuilder;

use super::{Named, Reading, decision, filled, listed};
use crate::world::{self, Key};

pub(super) const SHAPES: &[Named] = &[
    ("token: one segment", |n| authorization(format!("Bearer {}", "x".repeat(n)))),
    ("token: dots", |n| authorization(format!("Bearer {}", "a.".repeat(n / 2)))),
    ("token: what is no character of tokens", |n| {
        authorization(format!("Bearer {}%{}", "x".repeat(n / 2), "%".repeat(n / 2)))
    }),
    ("token: padding", |n| authorization(format!("Bearer {}x", "=".repeat(n)))),
    ("token: spaces before it", |n| authorization(format!("Bearer{}x", " ".repeat(n)))),
    ("token: commas", |n| authorization(format!("Bearer {}", "a,".repeat(n / 2)))),
    ("credentials: another scheme, commas", |n| {
        authorization(format!("Basic {}", "a, ".repeat(n / 3)))
    }),
    ("credentials: no scheme", |n| authorization("x".repeat(n))),
    ("credentials: several headers", |n| {
        sent(move || {
            let headers =
                (0..n / 100).map(|_| ("authorization", format!("Bearer {}", "a".repeat(80))));
            requested("/r4/Patient/1", headers)
        })
    }),
    ("query: names that could be the token's", |n| {
        address(format!("/r4/Patient?{}", "%61ccess_toke%6f=1&".repeat(n / 19)))
    }),
    ("header: members", |n| {
        let members = (0..n / 12).map(|m| (format!("a{m:06}"), json!(0)));
        unknown(|token| members.fold(token, |token, (name, value)| token.header(&name, value)))
    }),
    ("header: names that collide", |n| {
        let members = (0..n / 13).map(|m| format!("a{m:06}z"));
        unknown(|token| members.fold(token, |token, name| token.header(&name, 0)))
    }),
    ("header: a long kid", |n| unknown(|token| token.header("kid", "k".repeat(n)))),
    ("header: a long alg", |n| unknown(|token| token.header("alg", "k".repeat(n)))),
    ("header: a long typ", |n| unknown(|token| token.header("typ", "k".repeat(n)))),
    ("header: a long crit", |n| {
        unknown(|token| token.header("crit", listed(n, |m| format!("c{m}"))))
    }),
    ("claims: members", |n| claims(n, |m| (format!("a{m}"), json!(0)))),
    ("claims: names that collide", |n| claims(n, |m| (format!("a{m:06}z"), json!(0)))),
    ("claims: names with escapes that collide", |n| {
        raw(format!("{{{}}}", filled(n, ",", |m| format!(r#""\u0061{m:06}z":0"#))))
    }),
    ("claims: a name that comes again at the end", |n| {
        raw(format!(r#"{{{},"a000001z":1}}"#, filled(n, ",", |m| format!(r#""a{m:06}z":0"#))))
    }),
    ("claims: names that differ by their ends", |n| {
        let stem = "x".repeat(60);
        raw(format!("{{{}}}", filled(n, ",", |m| format!(r#""{stem}{m}":0"#))))
    }),
    ("claims: escapes in one string", |n| {
        raw(format!(r#"{{"iss":"{}"}}"#, "\\u0041".repeat(n / 6)))
    }),
    ("claims: escapes in many strings", |n| {
        raw(format!(r#"{{"a":[{}]}}"#, filled(n, ",", |_| r#""\n""#.to_owned())))
    }),
    ("claims: surrogates", |n| raw(format!(r#"{{"iss":"{}"}}"#, "\\ud83d\\ude00".repeat(n / 12)))),
    ("claims: depth", |n| {
        let nested = format!("{}{}", "[".repeat(20), "]".repeat(20));
        raw(format!(r#"{{"a":[{}]}}"#, filled(n, ",", |_| nested.clone())))
    }),
    ("claims: more depth than is read", |n| raw(format!(r#"{{"a":{}"#, "[".repeat(n)))),
    ("claims: objects in objects", |n| {
        let nested = format!("{}{}", r#"{"a":"#.repeat(15), "0".to_owned() + &"}".repeat(15));
        raw(format!(r#"{{"a":[{}]}}"#, filled(n, ",", |_| nested.clone())))
    }),
    ("claims: many empty objects", |n| {
        raw(format!(r#"{{"a":[{}]}}"#, filled(n, ",", |_| "{}".to_owned())))
    }),
    ("claims: objects of many members", |n| {
        let inner = filled(n / 2, ",", |m| format!(r#""a{m:06}z":0"#));
        raw(format!(r#"{{"a":{{{inner}}},"b":{{{inner}}}}}"#))
    }),
    ("claims: one long number", |n| raw(format!(r#"{{"exp":{}}}"#, "9".repeat(n)))),
    ("claims: one long fraction", |n| raw(format!(r#"{{"exp":0.{}}}"#, "9".repeat(n)))),
    ("claims: many exponents", |n| {
        raw(format!(r#"{{"a":[{}]}}"#, filled(n, ",", |m| format!("1.{m}e-300"))))
    }),
    ("claims: white space", |n| raw(format!("{{{}}}", " \t".repeat(n / 2)))),
    ("claims: an issuer that is not trusted", |n| {
        unknown(|token| token.claim("iss", "https://elsewhere/".to_owned() + &"x".repeat(n)))
    }),
    ("claims: an issuer of many steps", |n| unknown(|token| token.claim("iss", "/".repeat(n)))),
];

/// A request with this header.
fn authorization(value: String) -> Reading {
    sent(move || requested("/r4/Patient/1", [("authorization", value.clone())]))
}

fn address(uri: String) -> Reading {
    sent(move || requested(&uri, []))
}

fn sent(request: impl Fn() -> Request<()>) -> Reading {
    let layer = world::layer(Key::new(Algorithm::EdDsa).set()).build().expect("a layer");
    decision(&layer, request, &[400, 401])
}

fn requested(uri: &str, headers: impl IntoIterator<Item = (&'static str, String)>) -> Request<()> {
    let request = headers
        .into_iter()
        .fold(Request::get(uri), |request, (name, value)| request.header(name, value));
    request.body(()).expect("a request")
}

/// A token under a key that nobody knows.
fn unknown(made: impl FnOnce(TokenBuilder) -> TokenBuilder) -> Reading {
    let key = Key::named("unknown", Algorithm::EdDsa);
    let token = made(key.token()).sign().expect("a token");
    authorization(format!("Bearer {token}"))
}

/// Claims by their numbers, as many as there is room for.
fn claims(room: usize, one: fn(usize) -> (String, Value)) -> Reading {
    let members = filled(room, ",", |n| {
        let (name, value) = one(n);
        format!("\"{name}\":{value}")
    });
    raw(format!("{{{members}}}"))
}

/// A token with this payload, which nobody has signed.
fn raw(payload: String) -> Reading {
    let key = Key::named("unknown", Algorithm::EdDsa);
    let header = json!({"alg": "EdDSA", "kid": "unknown"}).to_string();
    let token = key.0.sign(header.as_bytes(), payload.as_bytes()).expect("a token");
    authorization(format!("Bearer {token}"))
}
