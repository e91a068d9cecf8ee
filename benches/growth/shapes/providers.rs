//! Documents that providers publish: key sets, and what of a discovery document is handed on.

use std::hint::black_box;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tower_fhir_auth::jose::{Algorithm, JwkSet};

use super::{Named, Reading, decision, filled, get, listed};
use crate::world::{self, Key};

pub(super) const SHAPES: &[Named] = &[
    ("keys: each with a kid", |n| keys(n, |key, m| key["kid"] = m.to_string().into())),
    ("keys: all of one kid", |n| keys(n, |key, _| key["kid"] = "k".into())),
    ("keys: none with a kid", |n| keys(n, |key, _| without(key, "kid"))),
    ("keys: the same one again and again", |n| same(n)),
    ("keys: left out, each with a kid", |n| {
        keys(n, |key, m| {
            key["kid"] = m.to_string().into();
            key["use"] = "enc".into();
        })
    }),
    ("keys: left out, with a long kid", |n| {
        keys(n, |key, m| {
            key["kid"] = format!("{m}{}", "k".repeat(200)).into();
            without(key, "x");
        })
    }),
    ("keys: left out, each broken JSON of its own", |n| {
        set(filled(KEYS * n, ",", |m| format!(r#"{{"kid":"{m}","kid":"{m}"}}"#)))
    }),
    ("keys: one with a long x5c", |n| {
        let key = Key::named("k", Algorithm::EdDsa).0.jwk();
        let mut key = key;
        key["x5c"] = json!(listed(KEYS * n, |m| format!("MII{m}")));
        set(key.to_string())
    }),
    ("keys: one with many key_ops", |n| {
        let mut key = Key::named("k", Algorithm::EdDsa).0.jwk();
        key["key_ops"] = json!(listed(KEYS * n, |m| format!("op{m}")));
        set(key.to_string())
    }),
    ("keys: one with a long modulus", |n| {
        set(json!({"kty": "RSA", "kid": "k", "n": "_".repeat(KEYS * n), "e": "AQAB"}).to_string())
    }),
    ("keys: one deep in arrays", |n| {
        set(format!(r#"{{"kty":{}{}}}"#, "[".repeat(100), "]".repeat(100)) + &" ".repeat(KEYS * n))
    }),
    ("keys: a token that names none of many", |n| {
        let key = Key::new(Algorithm::EdDsa);
        let layer = world::layer(published(n, |key, _| without(key, "kid"))).build();
        let layer = layer.expect("a layer");
        let token = key.token().without_header("kid").sign().expect("a token");
        decision(&layer, || get("/Patient/1", &token), &[401])
    }),
    ("keys: a token that names one of many of its kid", |n| {
        let key = Key::named("k", Algorithm::EdDsa);
        let layer = world::layer(published(n, |key, _| key["kid"] = "k".into())).build();
        let layer = layer.expect("a layer");
        let token = key.token().sign().expect("a token");
        decision(&layer, || get("/Patient/1", &token), &[401])
    }),
];

/// Key sets are as many times as large as what a request brings.
const KEYS: usize = 4;

/// Different keys, made once.
fn distinct() -> &'static [Value] {
    static KEYS: OnceLock<Vec<Value>> = OnceLock::new();
    KEYS.get_or_init(|| (0..400).map(|_| Key::new(Algorithm::EdDsa).0.jwk()).collect())
}

fn changed(room: usize, change: fn(&mut Value, usize)) -> Vec<String> {
    listed(KEYS * room, |n| {
        let mut key = distinct().get(n).expect("there are as many keys").clone();
        change(&mut key, n);
        key.to_string()
    })
}

fn published(room: usize, change: fn(&mut Value, usize)) -> JwkSet {
    let text = format!(r#"{{"keys":[{}]}}"#, changed(room, change).join(","));
    JwkSet::parse(text.as_bytes()).expect("a key set")
}

fn keys(room: usize, change: fn(&mut Value, usize)) -> Reading {
    set(changed(room, change).join(","))
}

fn same(room: usize) -> Reading {
    let key = Key::named("k", Algorithm::EdDsa).0.jwk().to_string();
    set(filled(KEYS * room, ",", |_| key.clone()))
}

fn without(key: &mut Value, member: &str) {
    key.as_object_mut().expect("an object").remove(member);
}

fn set(entries: String) -> Reading {
    let text = format!(r#"{{"keys":[{entries}]}}"#);
    Reading::of(move || {
        black_box(JwkSet::parse(text.as_bytes()).is_ok());
    })
}
