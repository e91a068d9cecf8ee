//! Decisions whose cost must not grow with the product of what a token and an address hold.

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

use super::widest;
use super::world::{self, Key, Requests, at_once};

/// What grows in a shape.
#[derive(Clone, Copy)]
enum Grows {
    Scopes,
    Query,
    Both,
}

/// A name; what grows; which scopes and which query of [`widest`]; method and path.
type Shape = (&'static str, Grows, usize, usize, &'static str, &'static str);

const SHAPES: &[Shape] = &[
    ("alternatives", Grows::Scopes, 0, 0, "GET", "/Flag"),
    ("a patient's alternatives", Grows::Scopes, 1, 0, "GET", "/Flag"),
    ("constrained wildcards", Grows::Scopes, 3, 0, "GET", "/Flag"),
    ("unknown parameters", Grows::Scopes, 4, 0, "POST", "/_search"),
    ("scopes of many types", Grows::Scopes, 6, 10, "GET", ""),
    ("wide constraints", Grows::Scopes, 8, 0, "GET", "/Flag"),
    ("spellings of one scope", Grows::Scopes, 16, 0, "GET", "/Flag"),
    ("one patient named again", Grows::Query, 16, 0, "GET", "/Flag"),
    ("many patients named", Grows::Query, 1, 1, "GET", "/Flag"),
    ("includes", Grows::Query, 16, 4, "GET", "/Flag"),
    ("reverse includes", Grows::Query, 16, 5, "GET", "/Flag"),
    ("_has", Grows::Query, 16, 6, "GET", "/Flag"),
    ("_has within _has", Grows::Query, 16, 7, "GET", "/Flag"),
    ("chains", Grows::Query, 16, 9, "GET", "/Flag"),
    ("_type lists", Grows::Query, 16, 10, "GET", ""),
    ("filters of exports", Grows::Query, 16, 11, "GET", "/$export"),
    ("escapes", Grows::Query, 16, 14, "GET", "/Flag"),
    ("scopes and patients", Grows::Both, 1, 0, "GET", "/Flag"),
    ("scopes and includes", Grows::Both, 3, 5, "GET", "/Flag"),
    ("scopes and types", Grows::Both, 5, 10, "GET", "/Patient/1/$everything"),
];

/// The claims of a token whose key is unknown, with names of one length that begin and end alike:
/// the reader's table of names keeps them in one bucket.
const COLLIDING: &str = "names that collide";

/// What does not grow is as large as this.
const STILL: usize = 2_000;

pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    SHAPES.iter().map(|(name, ..)| *name).chain([COLLIDING])
}

/// Goes through a shape of a size a number of times, in a function that valgrind can tell by name.
pub(crate) fn run(scenario: &str, turns: usize) {
    let (name, size) = scenario.rsplit_once(' ').expect("a name and a size");
    let size: usize = size.parse().expect("a size");
    if name == COLLIDING {
        return run_colliding(size, turns);
    }
    let shape = SHAPES.iter().find(|(other, ..)| *other == name).expect("a shape of this name");
    let (_, grows, scopes, query, method, path) = *shape;
    let (of_scopes, of_query) = match grows {
        Grows::Scopes => (size, 0),
        Grows::Query => (STILL, size),
        Grows::Both => (size, size),
    };
    let key = Key::new(Algorithm::EdDsa);
    let token = key.token().without("roles").claim("patient", "1");
    let token = token.claim("scp", widest::scopes(scopes, of_scopes)).sign().expect("a token");
    let layer = world::layer(key.set()).build().expect("a layer");
    let mut service = layer.layer(Asking);
    let uri = format!("/r4{path}?{}", widest::query(query, of_query));
    let request = || {
        let request = Request::builder().method(method).uri(&uri);
        let request = request.header("authorization", format!("Bearer {token}"));
        request.body(()).expect("a request")
    };
    let mut decide = |request| {
        let response = at_once(service.call(request)).expect("an answer");
        assert!(matches!(response.status().as_u16(), 200 | 403), "{}", response.status());
    };
    // The first sight of the token.
    decide(request());
    let ready: Vec<Request<()>> = (0..turns).map(|_| request()).collect();
    measured_turns(ready, decide);
}

fn run_colliding(size: usize, turns: usize) {
    let key = Key::new(Algorithm::EdDsa);
    let names = (0..size / r#""a00000z":0,"#.len()).map(|n| format!("a{n:05}z"));
    let token =
        names.fold(key.token().header("kid", "unknown"), |token, name| token.claim(&name, 0));
    let requests = Requests::with(&token.sign().expect("a token"));
    let layer = world::layer(key.set()).build().expect("a layer");
    let mut service = world::guarded(&layer);
    let mut reject = |request| world::call(&mut service, request, 401);
    reject(requests.next());
    measured_turns((0..turns).map(|_| requests.next()).collect(), reject);
}

#[inline(never)]
fn measured_turns<T>(inputs: Vec<T>, work: impl FnMut(T)) {
    inputs.into_iter().for_each(black_box(work));
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
