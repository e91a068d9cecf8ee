//! Shapes of what is read: each with its size in bytes, by who sends it.

mod addresses;
mod answers;
mod bound;
mod bundles;
mod claims;
mod confined;
mod introspected;
mod operators;
mod products;
mod providers;
mod resources;
mod scopes;
mod tokens;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_fhir_auth::{Access, FhirAuthLayer};
use tower_layer::Layer;
use tower_service::Service;

use super::world;

/// Something that is read, of a size in bytes.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) make: fn(usize) -> Reading,
}

/// One reading, made ready to be gone through several times.
pub(crate) struct Reading {
    pub(crate) read: Box<dyn FnMut()>,
    /// What does not count of it: the check of a signature, which would hide the rest.
    pub(crate) apart: Box<dyn FnMut()>,
}

impl Reading {
    fn of(read: impl FnMut() + 'static) -> Self {
        Self { read: Box::new(read), apart: Box::new(|| ()) }
    }
}

pub(crate) fn all() -> impl Iterator<Item = Shape> {
    [
        tokens::SHAPES,
        claims::SHAPES,
        scopes::SHAPES,
        addresses::SHAPES,
        bundles::SHAPES,
        confined::SHAPES,
        products::SHAPES,
        resources::SHAPES,
        answers::SHAPES,
        providers::SHAPES,
        operators::SHAPES,
        bound::SHAPES,
        introspected::SHAPES,
    ]
    .into_iter()
    .flatten()
    .map(|(name, make)| Shape { name, make: *make })
}

type Named = (&'static str, fn(usize) -> Reading);

/// How often a reading is gone through at most, with the first time, which does not count.
const READY: usize = crate::READINGS_IN_DOUBT + 1;

/// The decision on a request, which has one of these statuses, over and over.
fn decision(
    layer: &FhirAuthLayer,
    request: impl Fn() -> Request<()>,
    statuses: &'static [u16],
) -> Reading {
    let mut service = layer.layer(Keeping::default());
    let mut ready: Vec<Request<()>> = (0..READY).map(|_| request()).collect();
    Reading::of(move || {
        let request = ready.pop().expect("a request is ready");
        let response = world::at_once(service.call(request)).expect("an answer");
        let status = response.status().as_u16();
        assert!(statuses.contains(&status), "{status}");
    })
}

/// What a handler is handed over about a request that is let in.
fn access(layer: &FhirAuthLayer, request: Request<()>) -> Access {
    let keeping = Keeping::default();
    let response = world::at_once(layer.layer(keeping.clone()).call(request)).expect("an answer");
    assert_eq!(response.status(), 200);
    let kept = keeping.0.lock().expect("nothing has panicked").take();
    kept.expect("an access")
}

fn get(path: &str, token: &str) -> Request<()> {
    request("GET", path, token)
}

fn request(method: &str, path: &str, token: &str) -> Request<()> {
    let request = Request::builder().method(method).uri(format!("/r4{path}"));
    request.header("authorization", format!("Bearer {token}")).body(()).expect("a request")
}

/// Texts by their numbers, as many as there is room for.
fn filled(room: usize, separator: &str, one: impl Fn(usize) -> String) -> String {
    let texts = fitting(room, separator.len(), &one).max(1);
    (0..texts).map(one).collect::<Vec<_>>().join(separator)
}

/// As many texts as there is room for, each with its quotes and a comma.
fn listed(room: usize, one: impl Fn(usize) -> String) -> Vec<String> {
    let texts = fitting(room, 3, &one);
    (0..texts).map(one).collect()
}

/// How many texts there is room for: in twice the room never more than twice as many, as rounding would have it.
fn fitting(room: usize, beside: usize, one: impl Fn(usize) -> String) -> usize {
    let fit = |room: usize| {
        let ends = (0..).scan(0, |end, n| {
            *end += one(n).len() + beside;
            Some(*end)
        });
        ends.take_while(|end| *end <= room + beside).count()
    };
    let mut unit = room;
    while unit.is_multiple_of(2) && unit > 1_000 {
        unit /= 2;
    }
    fit(room).min(fit(unit) * (room / unit.max(1)))
}

/// A handler that keeps what it is handed over.
#[derive(Clone, Default)]
struct Keeping(Arc<Mutex<Option<Access>>>);

impl Service<Request<()>> for Keeping {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<()>) -> Self::Future {
        *self.0.lock().expect("nothing has panicked") = request.extensions_mut().remove();
        ready(Ok(Response::new(String::new())))
    }
}
