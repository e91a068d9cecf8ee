//! Decisions by scopes on a token that was seen before, where scopes grow, a query, or both at once.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_fhir_auth::Access;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::smart::Permissions;
use tower_layer::Layer;
use tower_service::Service;

use super::{Named, READY, Reading, request};
use crate::widest;
use crate::world::{self, Key};

/// What grows in a shape.
#[derive(Clone, Copy)]
enum Grows {
    Scopes,
    Query,
    /// Both, to half of the size each.
    Both,
}

use Grows::{Both, Query, Scopes};

/// Scopes and query by their numbers in [`widest`].
pub(super) const SHAPES: &[Named] = &[
    ("decision: alternatives", |n| decided(n, Scopes, 0, 0, "GET", "/Flag")),
    ("decision: a patient's alternatives", |n| decided(n, Scopes, 1, 0, "GET", "/Flag")),
    ("decision: constrained wildcards", |n| decided(n, Scopes, 3, 0, "GET", "/Flag")),
    ("decision: unknown parameters", |n| decided(n, Scopes, 4, 0, "POST", "/_search")),
    ("decision: scopes of many types", |n| decided(n, Scopes, 6, 10, "GET", "")),
    ("decision: wide constraints", |n| decided(n, Scopes, 8, 0, "GET", "/Flag")),
    ("decision: spellings of one scope", |n| decided(n, Scopes, 16, 0, "GET", "/Flag")),
    ("decision: malformed scopes", |n| decided(n, Scopes, 14, 0, "GET", "/Flag")),
    ("query: one patient named again", |n| decided(n, Query, 16, 0, "GET", "/Flag")),
    ("query: many patients named", |n| decided(n, Query, 1, 1, "GET", "/Flag")),
    ("query: patients as URLs", |n| decided(n, Query, 1, 2, "GET", "/Flag")),
    ("query: includes", |n| decided(n, Query, 16, 3, "GET", "/Flag")),
    ("query: includes with a target", |n| decided(n, Query, 16, 4, "GET", "/Flag")),
    ("query: reverse includes", |n| decided(n, Query, 16, 5, "GET", "/Flag")),
    ("query: _has", |n| decided(n, Query, 16, 6, "GET", "/Flag")),
    ("query: _has within _has", |n| decided(n, Query, 16, 7, "GET", "/Flag")),
    ("query: chains with a type", |n| decided(n, Query, 16, 8, "GET", "/Flag")),
    ("query: chains", |n| decided(n, Query, 16, 9, "GET", "/Flag")),
    ("query: _type again and again", |n| decided(n, Query, 16, 10, "GET", "")),
    ("query: filters of exports", |n| decided(n, Query, 16, 11, "GET", "/$export")),
    ("query: escapes", |n| decided(n, Query, 16, 14, "GET", "/Flag")),
    ("query: names with escapes", |n| decided(n, Query, 16, 12, "GET", "/Flag")),
    ("query: sorts along chains", |n| decided(n, Query, 16, 13, "GET", "/Flag")),
    ("query: semicolons", |n| decided(n, Query, 16, 15, "GET", "/Flag")),
    ("both: alternatives, patients", |n| decided(n, Both, 1, 0, "GET", "/Flag")),
    ("both: alternatives, other patients", |n| decided(n, Both, 1, 1, "GET", "/Flag")),
    ("both: wildcards, includes", |n| decided(n, Both, 3, 5, "GET", "/Flag")),
    ("both: types, includes", |n| decided(n, Both, 6, 3, "GET", "/Flag")),
    ("both: types, _has", |n| decided(n, Both, 5, 6, "GET", "/Flag")),
    ("both: types, chains", |n| decided(n, Both, 5, 8, "GET", "/Flag")),
    ("both: types, types of everything", |n| {
        decided(n, Both, 5, 10, "GET", "/Patient/1/$everything")
    }),
    ("both: types, _type", |n| decided(n, Both, 6, 10, "GET", "")),
    ("both: wildcards, _type", |n| decided(n, Both, 4, 10, "GET", "")),
    ("both: wildcards, _type, by POST", |n| decided(n, Both, 9, 10, "POST", "/_search")),
    ("both: scopes, filters of exports", |n| decided(n, Both, 15, 11, "GET", "/$export")),
    ("both: malformed scopes, includes", |n| decided(n, Both, 14, 3, "GET", "/Flag")),
];

/// What does not grow is as large as this.
const STILL: usize = 2_000;

fn decided(
    size: usize,
    grows: Grows,
    scopes: usize,
    query: usize,
    method: &'static str,
    path: &str,
) -> Reading {
    let (of_scopes, of_query) = match grows {
        Scopes => (size, 0),
        Query => (STILL, size),
        Both => (size / 2, size / 2),
    };
    let key = Key::new(Algorithm::EdDsa);
    let token = key.token().without("roles").claim("patient", "1");
    let token = token.claim("scp", widest::scopes(scopes, of_scopes)).sign().expect("a token");
    let layer = world::layer(key.set()).build().expect("a layer");
    let mut service = layer.layer(Asking);
    let address = format!("{path}?{}", widest::query(query, of_query));
    let mut ready: Vec<_> = (0..READY).map(|_| request(method, &address, &token)).collect();
    let mut decide = move || {
        let request = ready.pop().expect("a request is ready");
        let response = world::at_once(service.call(request)).expect("an answer");
        assert!(matches!(response.status().as_u16(), 200 | 403), "{}", response.status());
    };
    // The first sight of the token.
    decide();
    Reading::of(decide)
}

/// A handler that asks what else the caller may do.
#[derive(Clone)]
struct Asking;

impl Service<Request<()>> for Asking {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let access: &Access = request.extensions().get().expect("an access");
        let filter = access.may(Permissions::READ | Permissions::SEARCH, "Flag");
        black_box(filter.is_none());
        ready(Ok(Response::new(String::new())))
    }
}
