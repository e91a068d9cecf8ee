//! A configuration of both layers that is replaced while they serve.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_fhir_auth::authorization::ScopePolicy;
use tower_fhir_auth::confine::{ConfineSettings, SealKey};
use tower_fhir_auth::{FhirAuthLayer, FhirAuthLayerBuilder, authenticated};

use super::careless::Careless;
use super::{Confined, observation, patient};
use crate::support::BASE;

fn settings(confined: &Confined) -> FhirAuthLayerBuilder {
    let builder = FhirAuthLayer::builder(BASE).issuer(confined.issuer.trusted());
    builder.authorizer(ScopePolicy::new())
}

fn two_patients() -> Careless {
    Careless::with(vec![
        patient("1"),
        patient("2"),
        observation("a", "1", "laboratory"),
        observation("b", "2", "laboratory"),
    ])
}

#[tokio::test]
async fn a_request_that_was_let_in_is_confined_by_the_configuration_that_it_met() {
    let confined = Confined::before(two_patients()).await;
    let (auth, inner) = confined.layer.clone().into_parts();
    let (layer, issuer) = (confined.layer.clone(), confined.issuer.trusted());
    let within = inner.layer(confined.server.service());
    let meanwhile = service_fn(move |request: Request<Full<Bytes>>| {
        // From here on everything is granted to everybody, in as little as can be judged.
        let next = FhirAuthLayer::builder(BASE).issuer(issuer.clone()).authorizer(authenticated());
        layer.replace(next, ConfineSettings::default().max_body(1)).unwrap();
        within.clone().oneshot(request)
    });
    let token = confined.token("patient/*.rs", "1", "amara");
    for path in ["/r4/Observation", "/r4/metadata", "/r4/health"] {
        confined.layer.replace(settings(&confined), ConfineSettings::default()).unwrap();
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let request = request.body(Full::new(Bytes::new())).unwrap();
        let response = auth.layer(meanwhile.clone()).oneshot(request).await.unwrap();
        assert_ne!(response.status(), 500, "{path}: lost");
        if path == "/r4/Observation" {
            assert_eq!(response.status(), 200);
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(text.contains("mark-of-1") && !text.contains("mark-of-2"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_layer_that_confines_goes_on_to_when_the_outer_one_is_replaced() {
    let confined = Confined::before(two_patients()).await;
    confined.layer.auth().replace(settings(&confined)).unwrap();
    let got = confined.get("patient/*.rs", "/Observation").await;
    assert_eq!(got.entries(), ["Patient/1", "Observation/a"]);
}

#[tokio::test]
async fn page_links_serve_on_where_their_key_was_made_at_start() {
    let own = (0..4).map(|number| observation(&format!("n{number}"), "1", "laboratory"));
    let confined = Confined::before(Careless::with(own.collect()).paging(1)).await;
    let (clock, default) = (confined.clock.clone(), ConfineSettings::default);
    let made = settings(&confined).clock(clock).build_confined(default()).unwrap();
    made.auth().ready().await;
    let confined = Confined { layer: made, ..confined };
    let next = confined.get("patient/*.rs", "/Observation").await.next().unwrap();
    confined.layer.replace(settings(&confined), default()).unwrap();
    assert_eq!(confined.get("patient/*.rs", &next).await.status, 200);
    let given = default().seal_keys([SealKey::new(&[9; 32]).unwrap()]);
    confined.layer.replace(settings(&confined), given).unwrap();
    assert_eq!(confined.get("patient/*.rs", &next).await.status, 404, "by another key");
}
