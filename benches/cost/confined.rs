//! The second layer: access that confines nothing passes it, and of a page it takes out what is hidden.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::hint::black_box;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use http::{Request, Response};
use http_body::Body;
use serde_json::{Value, json};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::{FhirAuth, confine::Confine};
use tower_fhir_auth::{FhirAuthLayerBuilder, confine::ConfineSettings};
use tower_layer::Layer;
use tower_service::Service;

use super::report::Report;
use super::support::meter::{Case, Figures, measure as measure_in_turns};
use super::support::world::{self, BASE, Bare, Key, Requests, at_once, call};

/// What a page has of entries.
const ENTRIES: usize = 100;

pub(crate) fn measure(report: &mut Report) {
    let key = Key::new(Algorithm::Rs256);
    if report.wants("confined, unconfined access") {
        unconfined(report, &key);
    }
    for (shown, every) in [("all", 1), ("half", 2), ("a tenth", 10)] {
        let what = format!("confined, page of {ENTRIES} Observations, {shown} shown / its JSON");
        if report.wants(&what) {
            page(report, &key, &what, every);
        }
    }
}

/// A token that confines nothing, before an application that writes a resource for each answer. A service that does
/// nothing is before it, too, as a guard: there is little beside what the second layer asks the rules, and it is half of
/// what the first takes at most.
fn unconfined(report: &mut Report, key: &Key) {
    for (who, token) in
        [("role", key.token()), ("scope", key.token().without("roles").claim("scp", "system/*.rs"))]
    {
        let requests = Requests::with(&token.sign().expect("a token"));
        let what = format!("confined, unconfined access by {who}: with / without");
        let (with, without) = pair(key, application());
        let figures = compared(&requests, with, without);
        report.ratio_at_most(&what, figures.ratio(0, 1), 1.05);
        report.tell("  without, us", &format!("{:.3}", figures.seconds(1) * 1e6));
        let (with, without) = pair(key, Bare);
        let figures = compared(&requests, with, without);
        report.ratio_at_most(&format!("{what}, of nothing"), figures.ratio(0, 1), 1.5);
        let more = figures.seconds(0) - figures.seconds(1);
        report.tell("  us more", &format!("{:.3}", more * 1e6));
    }
}

/// A service with both layers, and with the first alone.
fn pair<S: Clone>(key: &Key, inner: S) -> (FhirAuth<Confine<S>>, FhirAuth<S>) {
    let without = layer(key).build().expect("a layer").layer(inner.clone());
    (confined(key, inner), without)
}

fn compared<A, B, X, Y>(requests: &Requests, mut with: A, mut without: B) -> Figures
where
    A: Service<Request<String>, Response = Response<X>>,
    B: Service<Request<String>, Response = Response<Y>>,
{
    let next = || requests.next().map(|()| String::new());
    measure_in_turns([
        Case::with(next, |request| call(&mut with, request, 200)),
        Case::with(next, |request| call(&mut without, request, 200)),
    ])
}

/// An application with one route, which writes a resource of 2 kB for each answer.
fn application() -> Router {
    let mut resource = observation(1, 1);
    let text = "Repeat in two weeks, with ferritin and iron saturation. ".repeat(9);
    resource["note"] = json!([{"text": text}]);
    let resource = Arc::new(resource);
    let read = move |Path(id): Path<String>| {
        let resource = Arc::clone(&resource);
        async move { ([("etag", format!("W/\"{id}\""))], Json(&*resource)).into_response() }
    };
    Router::new().route("/r4/Patient/{id}", get(read))
}

/// A page, of which every so manieth entry is the caller's, against its JSON read and written.
fn page(report: &mut Report, key: &Key, what: &str, every: usize) {
    let text = bundle(every);
    let token = key.token().without("roles").claim("scp", "patient/*.rs").claim("patient", "1");
    let requests = Requests::with(&token.sign().expect("a token")).at("/Observation?_count=100");
    let next = || requests.next().map(|()| String::new());
    let (mut with, mut bare) = (confined(key, Paging(text.clone())), Paging(text.clone()));
    let answer = at_once(with.call(next())).expect("an answer");
    assert_eq!(entries(&body(answer)), ENTRIES / every);
    let figures = measure_in_turns([
        Case::with(next, |request| call(&mut with, request, 200)),
        Case::with(next, |request| call(&mut bare, request, 200)),
        Case::new(|| {
            let value: Value = serde_json::from_str(&text).expect("JSON");
            black_box(serde_json::to_vec(&value).expect("a value"));
        }),
    ]);
    report.ratio_at_most(what, figures.ratio_without(0, 1, 2), 1.3);
    let length = text.len();
    report.tell(
        &format!("  reading and writing {length} bytes, us"),
        &format!("{:.0}", figures.seconds(2) * 1e6),
    );
}

fn layer(key: &Key) -> FhirAuthLayerBuilder {
    world::layer(key.set())
}

fn confined<S: Clone>(key: &Key, inner: S) -> FhirAuth<Confine<S>> {
    let layer = layer(key).build_confined(ConfineSettings::default()).expect("a layer");
    layer.layer(inner)
}

/// A server with one page.
#[derive(Clone)]
struct Paging(String);

impl<B> Service<Request<B>> for Paging {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        drop(request);
        ready(Ok(Response::new(self.0.clone())))
    }
}

/// Observations as a laboratory sends them, one in so many of patient 1 and the others of somebody else.
fn bundle(every: usize) -> String {
    let entry = |number: usize| {
        let patient = if number.is_multiple_of(every) { 1 } else { 2 };
        let full_url = format!("{BASE}/Observation/o{number}");
        json!({"fullUrl": full_url, "resource": observation(number, patient), "search": {"mode": "match"}})
    };
    let entries: Vec<Value> = (0..ENTRIES).map(entry).collect();
    let link = json!([{"relation": "self", "url": format!("{BASE}/Observation?_count=100")}]);
    let bundle = json!({"resourceType": "Bundle", "id": "b0a7", "type": "searchset",
        "total": ENTRIES, "link": link, "entry": entries});
    bundle.to_string()
}

fn observation(number: usize, patient: usize) -> Value {
    let coding = |system: &str, code: &str, display: &str| json!({"system": system, "code": code, "display": display});
    let loinc = coding("http://loinc.org", "718-7", "Hemoglobin [Mass/volume] in Blood");
    let category = "http://terminology.hl7.org/CodeSystem/observation-category";
    let interpretation = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
    let quantity = |value: f64| {
        let ucum = "http://unitsofmeasure.org";
        json!({"value": value, "unit": "g/dL", "system": ucum, "code": "g/dL"})
    };
    let narrative =
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>Hemoglobin, 7.2 g/dL, low</p></div>";
    json!({
        "resourceType": "Observation",
        "id": format!("o{number}"),
        "meta": {"versionId": "1", "lastUpdated": "2024-04-02T10:30:10.123+01:00"},
        "text": {"status": "generated", "div": narrative},
        "identifier": [{"use": "official", "system": "http://www.bmc.nl/zorgportal/identifiers/observations",
            "value": format!("63{number:04}")}],
        "status": "final",
        "category": [{"coding": [coding(category, "laboratory", "Laboratory")]}],
        "code": {"coding": [loinc], "text": "Hemoglobin"},
        "subject": {"reference": format!("Patient/{patient}"), "display": "P. van de Heuvel"},
        "encounter": {"reference": format!("Encounter/e{number}")},
        "effectiveDateTime": "2024-04-02T10:30:10+01:00",
        "issued": "2024-04-03T15:30:10+01:00",
        "performer": [{"reference": "Practitioner/f005", "display": "A. Langeveld"}],
        "valueQuantity": quantity(7.2),
        "interpretation": [{"coding": [coding(interpretation, "L", "Low")]}],
        "referenceRange": [{"low": quantity(7.5), "high": quantity(10.0)}],
    })
}

fn body<B: Body<Data = bytes::Bytes, Error: std::fmt::Debug>>(answer: Response<B>) -> Vec<u8> {
    let mut body = std::pin::pin!(answer.into_body());
    let mut whole = Vec::new();
    while let Some(frame) =
        at_once(std::future::poll_fn(|context| body.as_mut().poll_frame(context)))
    {
        whole.extend(frame.expect("a frame").into_data().expect("data"));
    }
    whole
}

fn entries(body: &[u8]) -> usize {
    let bundle: Value = serde_json::from_slice(body).expect("a bundle");
    bundle["entry"].as_array().expect("entries").len()
}
