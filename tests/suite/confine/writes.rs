//! Changes, which pass only where all that they may reach is granted.

use http::Request;
use tower_fhir_auth::authentication::UnixTime;
use tower_fhir_auth::authorization::{
    AccessRequest, DataAction, IssuerLimits, ScopePolicy, StepUp,
};
use tower_fhir_auth::confine::ConfineSettings;
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{TestClock, TestIssuer};
use tower_fhir_auth::{
    Authorizer, Denial, FhirAuthLayer, Grant, InteractionKind as Kind, authenticated, authorize_fn,
};

use super::careless::Careless;
use super::{Confined, records};
use crate::support::{BASE, NOW};

/// A rule that grants everything but what `refused` says.
fn all_but(
    refused: impl Fn(Kind, Option<&str>) -> bool + Send + Sync + 'static,
) -> impl Authorizer {
    authorize_fn(move |request: &AccessRequest<'_>| {
        let interaction = request.interaction();
        match refused(interaction.kind(), interaction.resource_type()) {
            true => Err(Denial::new("not this")),
            false => Ok(Grant::by("all but this")),
        }
    })
}

async fn status(confined: &Confined, scope: &str, method: &str, below: &str) -> u16 {
    let token = confined.token(scope, "1", "amara");
    let request = Request::builder().method(method).uri(format!("/r4{below}"));
    let before = confined.server.asked().len();
    let got = confined.send_with(&token, request, "{}").await;
    let asked = confined.server.asked();
    let reached = asked[before..].iter().any(|(line, _)| line.starts_with(method));
    assert_eq!(reached, got.status.is_success(), "{method} {below}: {}", got.text);
    got.status.as_u16()
}

#[tokio::test]
async fn a_bundle_passes_unseen_only_where_everything_may_be_done() {
    let open = Confined::ruled(Careless::with(records()), |_| authenticated()).await;
    assert_eq!(status(&open, "", "POST", "").await, 200);
    for kind in [Kind::Create, Kind::Read, Kind::Update, Kind::Delete, Kind::SearchType] {
        let rule = move |_: &_| all_but(move |asked, _| asked == kind);
        let confined = Confined::ruled(Careless::with(records()), rule).await;
        // What is no Bundle passes unseen, or is looked at.
        assert_eq!(status(&confined, "", "POST", "").await, 400, "{kind:?}");
        let one_type = move |asked, on: Option<&str>| asked == kind && on == Some("Basic");
        let confined = Confined::ruled(Careless::with(records()), move |_| all_but(one_type)).await;
        assert_eq!(status(&confined, "", "POST", "").await, 400, "{kind:?} of one type");
    }
}

#[tokio::test]
async fn a_limit_to_reading_lets_no_bundle_pass_unseen() {
    for (actions, granted) in [(vec![DataAction::Read], 400), (DataAction::ALL.to_vec(), 200)] {
        let limited = |issuer: &TestIssuer| {
            authenticated().and(IssuerLimits::new().allow(issuer.url(), actions))
        };
        let confined = Confined::ruled(Careless::with(records()), limited).await;
        assert_eq!(status(&confined, "", "GET", "/Observation").await, 200);
        assert_eq!(status(&confined, "", "POST", "").await, granted);
    }
}

#[tokio::test]
async fn a_change_passes_unseen_only_where_it_may_be_made_to_every_type() {
    let confined = Confined::before(Careless::with(records())).await;
    for (scope, method, below, expected) in [
        // What is sent is no Observation, and a deletion is answered without a body.
        ("system/*.rs system/Observation.u", "PUT", "/Observation/a1", 400),
        ("system/*.rs system/Observation.d", "DELETE", "/Observation/a1", 204),
        ("system/*.rs system/Observation.d", "DELETE", "/Observation/a1?_cascade=delete", 403),
        ("system/*.ru system/Observation.s", "PUT", "/Observation?code=x", 400),
        ("system/*.rus", "PUT", "/Observation?code=x", 200),
        ("system/*.rus", "PUT", "/Observation/a1", 200),
        ("system/*.rds", "DELETE", "/Observation/a1", 200),
        ("system/*.rds", "POST", "/Observation", 403),
        ("system/*.crs", "POST", "/Observation", 200),
    ] {
        assert_eq!(
            status(&confined, scope, method, below).await,
            expected,
            "{scope} {method} {below}"
        );
    }
    let but_patients = |kind, on: Option<&str>| kind == Kind::Delete && on == Some("Patient");
    let confined = Confined::ruled(Careless::with(records()), move |_| all_but(but_patients)).await;
    assert_eq!(status(&confined, "", "DELETE", "/Observation/a1").await, 204);
    assert_eq!(status(&confined, "", "PUT", "/Observation/a1").await, 200);
}

#[tokio::test]
async fn a_rule_that_leaves_a_type_out_is_held_to_it() {
    let but_basic = |_, on: Option<&str>| on == Some("Basic");
    let confined = Confined::ruled(Careless::with(records()), move |_| all_but(but_basic)).await;
    let got = confined.get("", "/Observation").await;
    assert!(!got.text.contains("mark-of-nobody"), "{}", got.text);
    assert_eq!(got.entries().len(), records().len() - 1);
    let joined = move |_: &_| all_but(but_basic).and(authenticated());
    let confined = Confined::ruled(Careless::with(records()), joined).await;
    assert!(!confined.get("", "/Observation").await.text.contains("mark-of-nobody"));
}

#[tokio::test]
async fn a_search_by_a_rule_that_leaves_a_type_out_does_not_look_into_that_type() {
    for (left_out, below, status) in [
        ("Basic", "/Observation?unheard-of=x", 200),
        ("Basic", "/Observation?subject:Patient.name=x", 200),
        ("Basic", "/Observation?patient.name=x", 200),
        ("Patient", "/Observation?patient.name=x", 403),
        ("Basic", "/Observation?subject:Basic.code=x", 403),
        ("Basic", "/Observation?_has:Observation:patient:code=x", 200),
        ("Basic", "/Observation?_has:Basic:patient:code=x", 403),
        ("Basic", "/Observation?_has:Unheard:patient:code=x", 403),
        ("Basic", "/Observation?_has=x", 403),
        ("Basic", "/Observation?_filter=x", 403),
        ("Basic", "/Observation?_contained=true", 403),
        ("Basic", "?_type=Observation&unheard-of=x", 403),
    ] {
        let rule = all_but(move |_, on| on == Some(left_out));
        let confined = Confined::ruled(Careless::with(records()), |_| rule).await;
        let got = confined.get("", below).await;
        assert_eq!(got.status, status, "{left_out} {below}: {}", got.text);
    }
}

#[tokio::test]
async fn provenance_that_takes_a_step_up_to_be_created_does_not_come_along_without_it() {
    let issuer = TestIssuer::with_algorithm(Algorithm::Es256).await.unwrap();
    let clock = TestClock::at(NOW);
    let layer = FhirAuthLayer::builder(BASE).issuer(issuer.trusted()).clock(clock.clone());
    let step_up = StepUp::on(["Provenance.c"]).unwrap().acr(["urn:example:mfa"]);
    let layer = layer.authorizer(ScopePolicy::new()).step_up(step_up);
    let layer = layer.build_confined(ConfineSettings::default()).unwrap();
    layer.auth().ready().await;
    let confined = Confined { issuer, clock, layer, server: Careless::with(records()) };
    for (acr, status) in [("urn:example:mfa", 200), ("urn:example:password", 403)] {
        let token = confined.issuer.token_at(UnixTime::from_secs(NOW)).claim("aud", BASE);
        let token = token.claim("scope", "system/*.cruds").claim("acr", acr).sign().unwrap();
        let request = Request::put("/r4/Observation/a1");
        let request = request.header("x-provenance", "{\"resourceType\":\"Provenance\"}");
        let got = confined.send(&token, request).await;
        assert_eq!(got.status, status, "{acr}: {}", got.text);
        assert_eq!(confined.server.asked().len(), 1, "{acr}");
    }
}

#[tokio::test]
async fn provenance_comes_along_only_where_it_may_be_created() {
    let confined = Confined::before(Careless::with(records())).await;
    for (scope, method, name, expected, passed) in [
        ("system/*.rus", "PUT", "x-provenance", 403, false),
        ("system/*.rus", "PUT", "X_Provenance", 403, false),
        ("system/*.rus system/Provenance.c?_id=1", "PUT", "x-provenance", 403, false),
        ("system/*.rus system/Provenance.c", "PUT", "x-provenance", 200, true),
        ("system/*.cruds", "PUT", "x-provenance", 200, true),
        ("system/*.cruds", "GET", "x-provenance", 200, false),
        ("patient/*.rs", "GET", "x_provenance", 200, false),
    ] {
        let token = confined.token(scope, "1", "amara");
        let request = Request::builder().method(method).uri("/r4/Observation/a1");
        let request = request.header(name, "{\"resourceType\":\"Provenance\"}");
        let before = confined.server.asked().len();
        let got = confined.send(&token, request).await;
        assert_eq!(got.status, expected, "{scope} {method} {name}: {}", got.text);
        if confined.server.asked().len() > before {
            let sent = confined.server.last_headers();
            assert_eq!(format!("{sent:?}").contains("Provenance"), passed, "{sent:?}");
        }
    }
}
