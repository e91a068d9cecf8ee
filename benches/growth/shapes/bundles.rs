//! Entries of bundles, and bodies of searches, as handlers hand them over.

use std::hint::black_box;

use http::Method;
use tower_fhir_auth::authorization::Assignments;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::smart::Permissions;
use tower_fhir_auth::test_util::TokenBuilder;
use tower_fhir_auth::{
    Access, AccessRequest, Authorizer, Denial, Grant, InteractionKind, RoleDefinitions, RolePolicy,
    authorize_fn, require_role, require_scope,
};

use super::{Named, Reading, access, filled, listed, request};
use crate::widest;
use crate::world::{self, ISSUER, Key};

pub(super) const SHAPES: &[Named] = &[
    ("bundle: entries", |n| entries(2_000, n / 20, |m| ("PUT", format!("Flag/{m:013}"), None))),
    ("bundle: entries, and as many scopes", |n| {
        entries(n + 1_000, n / 10, |m| ("PUT", format!("Flag/{m:013}"), None))
    }),
    ("bundle: entries that search, and scopes", |n| {
        entries(n + 1_000, n / 10, |m| ("GET", format!("Flag?patient={m:06}"), None))
    }),
    ("bundle: entries that are granted, and roles", |n| {
        let roles = listed(n, |m| format!("r{m}"));
        by_caller(n, "GET", world::policy(RoleDefinitions::microsoft()), |token| {
            let held = roles.into_iter().chain(["globalReader".to_owned()]);
            token.claim("roles", held.collect::<Vec<_>>())
        })
    }),
    ("bundle: entries that are refused, and roles", |n| {
        let roles = listed(n, |m| format!("r{m}"));
        by_caller(n, "PUT", world::policy(RoleDefinitions::microsoft()), |token| {
            let held = roles.into_iter().chain(["globalReader".to_owned()]);
            token.claim("roles", held.collect::<Vec<_>>())
        })
    }),
    ("bundle: entries, and groups with assignments", |n| {
        let group = |m: usize| format!("g{m}");
        let assign = |all: Assignments, group: String| {
            all.assign(ISSUER, format!("group:{group}").as_str(), ["globalReader"])
        };
        let assignments = listed(n, group).into_iter().fold(Assignments::new(), assign);
        let roles = RolePolicy::new(RoleDefinitions::microsoft()).assignments(assignments);
        let groups = listed(n, group);
        by_caller(n, "GET", roles, |token| token.without("roles").claim("groups", groups))
    }),
    ("bundle: entries that are refused, and short scopes", |n| {
        let scopes = filled(n, " ", |m| format!("s{m}"));
        by_caller(n, "PUT", world::policy(RoleDefinitions::microsoft()), |token| {
            token.without("roles").claim("scp", format!("user/Flag.r {scopes}"))
        })
    }),
    ("bundle: entries that are granted and may not be read, and short scopes", |n| {
        let scopes = filled(n, " ", |m| format!("s{m}"));
        let granted = format!("user/Flag.cu {scopes}");
        asked_again(n, |token| token.without("roles").claim("scp", granted))
    }),
    ("bundle: entries, and scopes beside one that is required", |n| {
        let scopes = filled(n, " ", |m| format!("s{m}"));
        by_caller(n, "GET", require_scope("last"), |token| {
            token.without("roles").claim("scp", format!("{scopes} last"))
        })
    }),
    ("bundle: entries without a scope that is required, and others", |n| {
        let scopes = filled(n, " ", |m| format!("s{m}"));
        let either = require_scope("last").or(authenticated_for_bundles());
        by_caller(n, "GET", either, |token| token.without("roles").claim("scp", scopes))
    }),
    ("bundle: entries, and roles beside one that is required", |n| {
        let roles = listed(n, |m| format!("r{m}"));
        by_caller(n, "GET", require_role("last"), |token| {
            let held = roles.into_iter().chain(["last".to_owned()]);
            token.claim("roles", held.collect::<Vec<_>>())
        })
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

/// Entries of a caller whose token is as large as they are together.
fn by_caller(
    n: usize,
    method: &str,
    policy: impl Authorizer,
    change: impl FnOnce(TokenBuilder) -> TokenBuilder,
) -> Reading {
    let key = Key::new(Algorithm::EdDsa);
    let token = change(key.token()).sign().expect("a token");
    let layer = world::layer(key.set()).authorizer(policy).build().expect("a layer");
    let access = access(&layer, request("POST", "", &token));
    let method: Method = method.parse().expect("a method");
    let urls: Vec<String> = (0..n / 20).map(|m| format!("Flag/{m:013}")).collect();
    Reading::of(move || {
        for url in &urls {
            let _ = black_box(access.authorize_entry(&method, url, None));
        }
    })
}

/// Entries that are granted, of each of which is asked whether it may be read, too.
fn asked_again(n: usize, change: impl FnOnce(TokenBuilder) -> TokenBuilder) -> Reading {
    let key = Key::new(Algorithm::EdDsa);
    let token = change(key.token()).sign().expect("a token");
    let access =
        access(&world::layer(key.set()).build().expect("a layer"), request("POST", "", &token));
    let urls: Vec<String> = (0..n / 20).map(|m| format!("Flag/{m:013}")).collect();
    Reading::of(move || {
        for url in &urls {
            let entry = access.authorize_entry(&Method::PUT, url, None).expect("it is granted");
            assert!(!black_box(entry.may(Permissions::READ, "Flag")).is_open());
        }
    })
}

/// Lets bundles in, and nothing else.
fn authenticated_for_bundles() -> impl Authorizer {
    authorize_fn(|request: &AccessRequest<'_>| match request.interaction().kind() {
        InteractionKind::Batch => Ok(Grant::by("bundles are for everybody")),
        _ => Err(Denial::new("nothing else is")),
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
