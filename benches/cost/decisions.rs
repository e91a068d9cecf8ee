//! One decision, by the widest tokens and addresses that the limits allow.

use std::time::Duration;

use http::{Request, Response};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::smart::Permissions;
use tower_fhir_auth::{Access, FhirAuth};
use tower_layer::Layer;
use tower_service::Service;

use super::report::Report;
use super::support::meter::thread_time;
use super::support::widest::{self, ADDRESS, PATHS, SCOPES};
use super::support::world::{self, Key, at_once};

/// Milliseconds of processor time, of which each decision takes at most.
const BOUND: f64 = 1.0;

/// What each KiB of an address beyond 8 adds at most.
const BOUND_OF_KIB: f64 = 0.15;

pub(crate) fn measure(report: &mut Report) {
    if !report.wants("decision") {
        return;
    }
    let tokens = Tokens::new();
    let (mut worst, mut number) = ((Duration::ZERO, String::new()), 0);
    for token in &tokens.0 {
        for (shape, query) in widest::queries(ADDRESS).iter().enumerate() {
            for (method, path) in PATHS {
                let taken = tokens.decision(token, method, path, query);
                number += 1;
                if taken > worst.0 {
                    let (scopes, _) = token;
                    let scopes: String = scopes.chars().take(40).collect();
                    worst = (taken, format!("{scopes} …, {method} {path}, query {shape}"));
                }
            }
        }
    }
    let milliseconds = |taken: Duration| taken.as_secs_f64() * 1e3;
    let what = format!("decision, ms: the longest of {number}");
    report.at_most(&what, milliseconds(worst.0), BOUND);
    report.tell("  which is", &worst.1);
    let mut most = (0.0, 0);
    for shape in 0..widest::SHAPES_OF_QUERIES {
        let token = &tokens.0[shape % tokens.0.len()];
        let [short, long] = [ADDRESS, 8 * ADDRESS - 64].map(|room| {
            let query = widest::query(shape, room);
            milliseconds(tokens.decision(token, "GET", "/Flag", &query))
        });
        let of_kib = (long - short) / 56.0;
        if of_kib > most.0 {
            most = (of_kib, shape);
        }
    }
    report.at_most("decision, ms for each KiB of a longer address", most.0, BOUND_OF_KIB);
    report.tell("  by query", &most.1.to_string());
}

/// Tokens that a service has seen, with their scopes.
struct Tokens(Vec<(String, FhirAuth<Asking>)>, Vec<String>);

impl Tokens {
    fn new() -> Self {
        let key = Key::new(Algorithm::EdDsa);
        let claims = widest::scope_claims(SCOPES);
        let layer = world::layer(key.set()).token_cache_capacity(1000).build().expect("a layer");
        let sign = |scopes: &String| {
            let token = key.token().without("roles").claim("patient", "1");
            token.claim("scp", scopes.as_str()).sign().expect("a token")
        };
        let signed: Vec<String> = claims.iter().map(sign).collect();
        let services = claims.into_iter().map(|scopes| (scopes, layer.layer(Asking)));
        Self(services.collect(), signed)
    }

    /// The median of five decisions of one kind.
    fn decision(
        &self,
        (scopes, service): &(String, FhirAuth<Asking>),
        method: &str,
        path: &str,
        query: &str,
    ) -> Duration {
        let place = self.0.iter().position(|(other, _)| other == scopes).expect("one of them");
        let mut taken = [(); 5].map(|()| {
            let uri = format!("/r4{path}?{query}");
            let request = Request::builder().method(method).uri(uri);
            let request = request.header("authorization", format!("Bearer {}", self.1[place]));
            let request = request.body(()).expect("a request");
            let mut service = service.clone();
            let before = thread_time();
            let response = at_once(service.call(request)).expect("an answer");
            let taken = thread_time() - before;
            assert!(matches!(response.status().as_u16(), 200 | 403), "{}", response.status());
            taken
        });
        taken.sort();
        taken[2]
    }
}

/// A handler that asks once about everything that can be asked about a type.
#[derive(Clone)]
struct Asking;

impl Service<Request<()>> for Asking {
    type Response = Response<String>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Response<String>, Self::Error>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let access: &Access = request.extensions().get().expect("an access");
        let filter = access.may(Permissions::READ | Permissions::SEARCH, "Flag");
        std::hint::black_box(filter.is_none());
        std::future::ready(Ok(Response::new(String::new())))
    }
}
