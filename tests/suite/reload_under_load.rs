//! Two configurations that take turns every 100 ms while requests go on. For two seconds; `.ci/world reload` for
//! a minute.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::task::JoinSet;
use tower::{Layer, ServiceExt, service_fn};
use tower_fhir_auth::authorization::ScopePolicy;
use tower_fhir_auth::confine::{ConfineSettings, RequestBody};
use tower_fhir_auth::test_util::TestIssuer;
use tower_fhir_auth::{
    AudiencePolicy, Authorizer, FhirAuthLayer, FhirAuthLayerBuilder, Rejection, require_scope,
};

use crate::support::BASE;

const EVERY: Duration = Duration::from_millis(100);
const OTHER: &str = "https://other.example.org/r4";

/// One accepts the audience [`BASE`] and reads of the scope `system/*.r`, the other [`OTHER`] and searches.
fn settings(issuer: &TestIssuer, is_first: bool) -> FhirAuthLayerBuilder {
    let (audience, scope, public) = match is_first {
        true => (BASE, "system/*.r", "/open"),
        false => (OTHER, "system/*.s", "/other"),
    };
    let trusted = issuer.trusted().audience(AudiencePolicy::exact([audience]));
    FhirAuthLayer::builder(BASE)
        .issuer(trusted)
        .authorizer(ScopePolicy::new().and(require_scope(scope)))
        .public([public])
        .optional(["/docs/"])
}

/// What a request gets from one configuration, and from the other.
struct Case {
    name: &'static str,
    path: &'static str,
    token: Option<String>,
    verdicts: [u16; 2],
}

fn cases(issuer: &TestIssuer) -> Vec<Case> {
    let token = |audience: &str, scope: &str| {
        let token = issuer.token().claim("aud", audience).claim("scope", scope);
        Some(token.sign().unwrap())
    };
    let case = |name, path, token, verdicts| Case { name, path, token, verdicts };
    let read = "/r4/Observation/1";
    vec![
        case("let in by one alone", read, token(BASE, "system/*.r"), [200, 401]),
        case(
            "let in by the other alone",
            "/r4/Observation",
            token(OTHER, "system/*.s"),
            [401, 200],
        ),
        // The audience of one and the scope of the other: a mixture of both would let it in.
        case("let in by neither", read, token(BASE, "system/*.s"), [403, 401]),
        case("the other way round", "/r4/Observation", token(OTHER, "system/*.r"), [401, 403]),
        case("let in by both", "/r4/docs/a", None, [200, 200]),
        case("public in one alone", "/r4/open", None, [200, 401]),
        case("public in the other alone", "/r4/other", None, [401, 200]),
        case("no token", read, None, [401, 401]),
        case("forged", read, Some("e30.e30.AAAA".to_owned()), [401, 401]),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_request_is_lost_and_none_gets_what_neither_configuration_gives() {
    let seconds = std::env::var("RELOAD_SECONDS").ok().and_then(|text| text.parse().ok());
    let length = Duration::from_secs(seconds.unwrap_or(2));
    let issuer = TestIssuer::start().await.unwrap();
    let layer = settings(&issuer, true).build_confined(ConfineSettings::default()).unwrap();
    layer.auth().ready().await;
    let inner = service_fn(|request: Request<RequestBody<Full<Bytes>>>| async move {
        // Other requests come in between.
        tokio::task::yield_now().await;
        let body = match request.uri().path() {
            "/r4/Observation" => r#"{"resourceType": "Bundle", "type": "searchset"}"#,
            _ => r#"{"resourceType": "Observation", "id": "1"}"#,
        };
        let response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
        let (mut parts, body) = response.into_parts();
        parts.headers.insert("content-type", "application/fhir+json".parse().unwrap());
        Ok::<_, Infallible>(Response::from_parts(parts, body))
    });
    let service = layer.layer(inner);
    let end = Instant::now() + length;
    let mut clients = JoinSet::new();
    for case in cases(&issuer) {
        let service = service.clone();
        clients.spawn(async move {
            let mut seen: BTreeMap<u16, u64> = BTreeMap::new();
            while seen.is_empty() || Instant::now() < end {
                // A refusal waits for nothing, and others have to have their turn.
                tokio::task::yield_now().await;
                let request = Request::get(case.path);
                let request = match &case.token {
                    None => request,
                    Some(token) => request.header("authorization", format!("Bearer {token}")),
                };
                let request = request.body(Full::new(Bytes::new())).unwrap();
                let response = service.clone().oneshot(request).await.unwrap();
                let status = response.status();
                let told =
                    response.extensions().get::<Rejection>().map(|why| why.detail().to_owned());
                let name = case.name;
                assert!(case.verdicts.contains(&status.as_u16()), "{name}: {status}: {told:?}");
                *seen.entry(status.as_u16()).or_default() += 1;
            }
            (case, seen)
        });
    }
    let mut replaced = 0_u64;
    let mut turns = tokio::time::interval(EVERY);
    while Instant::now() < end {
        turns.tick().await;
        replaced += 1;
        let next = settings(&issuer, replaced.is_multiple_of(2));
        layer.replace(next, ConfineSettings::default()).unwrap();
    }
    let (mut requests, mut of_both) = (0_u64, 0);
    for (case, seen) in clients.join_all().await {
        requests += seen.values().sum::<u64>();
        let [one, other] = case.verdicts.map(|verdict| seen.contains_key(&verdict));
        of_both += u64::from(one && other);
        assert!(one || other, "{}: no answer", case.name);
    }
    assert!(of_both >= 1, "both configurations decided: {of_both}");
    assert!(!layer.auth().health().is_empty() && layer.auth().health()[0].loads == 1);
    assert_eq!(issuer.jwks_requests(), 1, "keys were loaded once");
    assert_eq!(layer.auth().readiness().status(), StatusCode::OK);
    println!(
        "reload: {replaced} replacements in {} s, {requests} requests, 0 lost, 0 verdicts of neither; \
         keys loaded once",
        length.as_secs()
    );
}
