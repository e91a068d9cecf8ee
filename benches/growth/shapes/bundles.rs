//! What handlers hand over: entries of bundles, and bodies of searches.

use std::hint::black_box;

use http::Method;
use tower_fhir_auth::Access;
use tower_fhir_auth::jose::Algorithm;

use super::{Named, Reading, access, filled, request};
use crate::widest;
use crate::world::{self, Key};

pub(super) const SHAPES: &[Named] = &[
    ("bundle: entries", |n| entries(2_000, n / 20, |m| ("PUT", format!("Flag/{m:013}"), None))),
    ("bundle: entries, and as many scopes", |n| {
        entries(n + 1_000, n / 10, |m| ("PUT", format!("Flag/{m:013}"), None))
    }),
    ("bundle: entries that search, and scopes", |n| {
        entries(n + 1_000, n / 10, |m| ("GET", format!("Flag?patient={m:06}"), None))
    }),
    ("bundle: conditional entries", |n| {
        entries(2_000, n / 32, |m| ("POST", "Flag".to_owned(), Some(format!("identifier={m:014}"))))
    }),
    ("bundle: one long condition", |n| {
        entries(2_000, 1, move |_| {
            ("POST", "Flag".to_owned(), Some(filled(n, "&", |m| format!("identifier={m}"))))
        })
    }),
    ("bundle: one long URL", |n| {
        entries(2_000, 1, move |_| {
            ("GET", format!("Flag?{}", filled(n, "&", |m| format!("a{m}=1"))), None)
        })
    }),
    ("bundle: a URL of many steps", |n| {
        entries(2_000, 1, move |_| ("GET", "../".repeat(n / 3), None))
    }),
    ("bundle: an absolute URL with escapes", |n| {
        entries(2_000, 1, move |_| {
            ("GET", format!("https://fhir.example.org/r4/Flag?{}", "%41=%42&".repeat(n / 8)), None)
        })
    }),
    ("search by POST: parameters", |n| body(2_000, filled(n, "&", |m| format!("a{m}=1")))),
    ("search by POST: patients", |n| body(2_000, widest::query(1, n))),
    ("search by POST: includes, and scopes", |n| body(n / 2, widest::query(3, n / 2))),
    ("search by POST: _has, and scopes", |n| body(n / 2, widest::query(6, n / 2))),
];

/// The method and URL of an entry, and its condition.
type Entry = (&'static str, String, Option<String>);

fn entries(scopes: usize, number: usize, entry: impl Fn(usize) -> Entry) -> Reading {
    let access = granted("POST", "", scopes);
    let entries: Vec<(Method, String, Option<String>)> = (0..number)
        .map(|n| {
            let (method, url, condition) = entry(n);
            (method.parse().expect("a method"), url, condition)
        })
        .collect();
    Reading::of(move || {
        for (method, url, condition) in &entries {
            let _ = black_box(access.authorize_entry(method, url, condition.as_deref()));
        }
    })
}

fn body(scopes: usize, parameters: String) -> Reading {
    let access = granted("POST", "/Flag/_search", scopes);
    Reading::of(move || {
        let _ = black_box(access.authorize_search_body(&parameters));
    })
}

/// What a token with so many bytes of scopes is granted.
fn granted(method: &str, path: &str, scopes: usize) -> Access {
    let key = Key::new(Algorithm::EdDsa);
    let token = key.token().without("roles").claim("patient", "1");
    let token = token.claim("scp", format!("user/Flag.s {}", widest::scopes(2, scopes)));
    let layer = world::layer(key.set()).build().expect("a layer");
    access(&layer, request(method, path, &token.sign().expect("a token")))
}
