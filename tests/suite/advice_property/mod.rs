//! Advice that is followed: it leads to what was asked for, and to no more, in over a thousand
//! refusals, made up from a seed.

mod authentication;
mod authorization;
mod bound;
mod introspection;
pub(crate) mod matrix;
mod reasons;
mod steps;

use std::collections::BTreeMap;

use http::Request;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::explanation::{Advice, Reason};

use crate::support::send;

/// Counts refusals by the variant of their reason.
type Counts = BTreeMap<String, usize>;

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_advice_gets_what_was_asked_for_and_no_more() {
    let mut counts = Counts::new();
    authentication::follow(&mut counts).await;
    introspection::follow(&mut counts).await;
    authorization::follow(&mut counts, 600).await;
    let total: usize = counts.values().sum();
    assert!(total >= 1000, "only {total} refusals: {counts:#?}");
    for reason in reasons::all() {
        let times = counts.get(&reason).copied().unwrap_or_default();
        assert!(times >= 5, "{reason}: {times} times, of {counts:#?}");
    }
}

/// The status of a request, and for a refusal the reason with its advice.
async fn ask(layer: &FhirAuthLayer, request: &Request<()>) -> (u16, Option<(Reason, Vec<Advice>)>) {
    let mut builder = Request::builder().method(request.method()).uri(request.uri());
    for (name, value) in request.headers() {
        builder = builder.header(name, value);
    }
    let status = send(layer, builder).await.status.as_u16();
    if status == 200 {
        return (status, None);
    }
    let (parts, ()) = request.clone().into_parts();
    let explanation = layer.explain(&parts).await;
    let finding = explanation.failure().unwrap_or_else(|| panic!("{status}: {explanation}"));
    (status, Some((finding.reason().clone(), finding.advice())))
}

fn bearer(method: &str, path: &str, token: &str) -> Request<()> {
    let request = Request::builder().method(method).uri(format!("/r4{path}"));
    request.header("authorization", format!("Bearer {token}")).body(()).unwrap()
}
