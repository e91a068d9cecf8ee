//! Files that operators write: role definitions and the configuration.

use std::hint::black_box;

use serde_json::{Value, json};
use tower_fhir_auth::config::Config;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::{RoleDefinitions, TrustedIssuer};

use super::{Named, Reading, filled};
use crate::world::{self, Key};

pub(super) const SHAPES: &[Named] = &[
    ("roles.json: definitions", |n| roles(n, |m| format!("role-{m}"), &["read"])),
    ("roles.json: a name again at the end", |n| {
        roles(n, |m| format!("role-{}", m % (n / 80).max(1)), &["read"])
    }),
    ("roles.json: names in all cases", |n| {
        roles(
            n,
            |m| {
                let letter = |bit: usize| if m >> bit & 1 == 0 { 'a' } else { 'A' };
                (0..12).map(letter).collect::<String>() + &m.to_string()
            },
            &["read"],
        )
    }),
    ("roles.json: actions of one role", |n| {
        let actions = vec!["read"; n / 7];
        roles(1, |_| "role".to_owned(), &actions)
    }),
    ("roles.json: depth", |n| {
        let text = "[".repeat(n);
        Reading::of(move || {
            black_box(RoleDefinitions::parse(text.as_bytes()).is_err());
        })
    }),
    ("file: unknown keys", |n| config(filled(n, "\n", |m| format!("isuer_{m} = 1")))),
    ("file: one long unknown key", |n| config(format!("{} = 1", "issuer".repeat(n / 6)))),
    ("file: unknown keys of issuers", |n| {
        config(filled(n, "\n", |m| format!("[[issuers]]\nissuer = 'https://h/{m}'\naudience = 1")))
    }),
    ("file: issuers", |n| {
        config(filled(2 * n, "\n", |m| format!("[[issuers]]\nissuer = 'https://h/{m}'")))
    }),
    ("file: an issuer again and again", |n| {
        config(filled(2 * n, "\n", |_| "[[issuers]]\nissuer = 'https://h/a'".to_owned()))
    }),
    ("file: assignments", |n| {
        let assigned = filled(n, "\n", |m| format!("\"oid:{m}\" = ['globalReader']"));
        config(format!("[[issuers]]\nissuer = 'https://h'\n[roles.assign]\n{assigned}"))
    }),
    ("file: assignments, and tenants", |n| {
        let guid = |m: usize| format!("11111111-2222-3333-4444-{m:012}");
        let tenants = filled(n / 2, ", ", |m| format!("'{}'", guid(m)));
        let assigned =
            filled(n / 2, "\n", |m| format!("\"{}/oid:{m}\" = ['globalReader']", guid(m)));
        config(format!(
            "[[issuers]]\nentra.tenant = 'organizations'\nentra.client_id = '{}'\n\
             entra.allowed_tenants = [{tenants}]\n[roles.assign]\n{assigned}",
            guid(0)
        ))
    }),
    ("file: audiences", |n| {
        let audiences = filled(n, ", ", |m| format!("'urn:{m}'"));
        config(format!("[[issuers]]\nissuer = 'https://h'\naudiences = [{audiences}]"))
    }),
    ("file: public paths", |n| {
        let public = filled(n, ", ", |m| format!("'/a{m}'"));
        config(format!("public = [{public}]\n[[issuers]]\nissuer = 'https://h'"))
    }),
    ("file: optional paths", |n| {
        let optional = filled(n, ", ", |m| format!("'/b{m}'"));
        config(format!("optional = [{optional}]\n[[issuers]]\nissuer = 'https://h'"))
    }),
    ("file: origins without TLS, and issuers", |n| {
        let origins = filled(n / 2, ", ", |m| format!("'http://h{m}:80'"));
        let issuers = filled(n / 2, "\n", |m| format!("[[issuers]]\nissuer = 'http://h{m}:80/a'"));
        config(format!("{issuers}\n[danger]\nplain_http = [{origins}]"))
    }),
    ("file: dollars", |n| config(format!("[[issuers]]\nissuer = '{}'", "${".repeat(n / 2)))),
    ("file: what is no TOML", |n| config(format!("{}=", "a.".repeat(n / 2)))),
    ("layer: issuers", |n| {
        let key = Key::new(Algorithm::EdDsa);
        let other = move |m: usize| {
            TrustedIssuer::with_keys(format!("https://idp.example.org/{m}"), key.set())
        };
        Reading::of(move || {
            let key = Key::named("k", Algorithm::EdDsa);
            let issuers = (0..n / 30).map(&other);
            let layer = world::layer(key.set()).issuers(issuers).build().expect("a layer");
            assert!(layer.health().len() > 1);
        })
    }),
];

fn roles(room: usize, name: impl Fn(usize) -> String, actions: &[&str]) -> Reading {
    let one = |n| {
        let role = json!({
            "name": name(n), "dataActions": actions, "notDataActions": Value::Array(Vec::new()),
            "scopes": ["/"],
        });
        role.to_string()
    };
    let text = format!(r#"{{"roles":[{}]}}"#, filled(room, ",", one));
    Reading::of(move || {
        black_box(RoleDefinitions::parse(text.as_bytes()).is_ok());
    })
}

/// The reading of a file, and the layer that is made of it where it has no fault.
fn config(rest: String) -> Reading {
    let text = format!("base_url = 'https://fhir.example.org/r4'\naccess = 'scopes'\n{rest}");
    Reading::of(move || match Config::from_toml(&text) {
        Ok(config) => {
            black_box(config.roles().is_ok());
        }
        Err(error) => {
            black_box(error.to_string());
        }
    })
}
