//! Challenges of both schemes in refusals (RFC 9449 section 7.1, RFC 6750 section 3), and the metadata
//! (RFC 9728 section 2).

use http::{Method, Request, Uri};
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{MutualTls, SenderConstraint};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::{Denial, authenticated, require_scope};

use super::kit::World;
use crate::support::{BASE, Server};

fn algorithms() -> String {
    let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.name()).collect();
    names.join(" ")
}

const METADATA: &str =
    "resource_metadata=\"https://fhir.example.org/.well-known/oauth-protected-resource/r4\"";

#[tokio::test]
async fn both_schemes_are_offered_without_an_error_to_who_has_no_token() {
    let world = World::start().await;
    for credentials in ["Basic eA==", ""] {
        let reply = world.send(credentials, &[]).await;
        let expected = [
            format!("Bearer realm=\"{BASE}\", {METADATA}"),
            format!("DPoP realm=\"{BASE}\", algs=\"{}\", {METADATA}", algorithms()),
        ];
        assert_eq!(
            (reply.status.as_u16(), reply.challenges()),
            (401, expected.iter().map(|s| &**s).collect())
        );
    }
}

#[tokio::test]
async fn the_error_stands_on_the_scheme_that_was_used() {
    let world = World::start().await;
    for (credentials, first, second) in
        [("Bearer x.y.z", "Bearer ", "DPoP "), ("DPoP x.y.z", "DPoP ", "Bearer ")]
    {
        let reply = world.send(credentials, &[]).await;
        let challenges = reply.challenges();
        assert!(challenges[0].starts_with(first), "{challenges:?}");
        assert!(challenges[0].contains("error=\"invalid_token\""), "{challenges:?}");
        assert!(challenges[1].starts_with(second), "{challenges:?}");
        assert!(!challenges[1].contains("error"), "{challenges:?}");
    }
}

#[tokio::test]
async fn a_scope_that_is_missing_is_told_on_the_scheme_that_was_used() {
    let server = Server::authorizing(require_scope("system/Patient.rs")).await;
    let world = World { server, ..World::start().await };
    let token = world.bound();
    let proof = world.proof(&token).sign().unwrap();
    let reply = world.send(&format!("DPoP {token}"), &[&proof]).await;
    assert_eq!(reply.status, 403);
    let [challenge] = reply.challenges()[..] else { panic!("{reply:#?}") };
    assert!(challenge.starts_with("DPoP ") && challenge.contains("error=\"insufficient_scope\""));
    assert!(challenge.contains("scope=\"system/Patient.rs\""), "{challenge}");
}

#[tokio::test]
async fn a_scheme_is_offered_where_it_is_accepted() {
    for (constraint, expected) in [
        (SenderConstraint::Accept, &["Bearer", "DPoP"][..]),
        (SenderConstraint::Require, &["DPoP"]),
        (SenderConstraint::Refuse, &["Bearer"]),
    ] {
        let world = World::constrained(constraint).await;
        let reply = world.send("", &[]).await;
        let schemes: Vec<&str> =
            reply.challenges().iter().map(|one| one.split(' ').next().unwrap()).collect();
        assert_eq!(schemes, expected, "{constraint:?}");
    }
}

#[tokio::test]
async fn the_metadata_say_what_tokens_may_and_must_be_bound_to() {
    for (constraint, has_mutual_tls, algs, required, certificates) in [
        (SenderConstraint::Accept, false, true, false, false),
        (SenderConstraint::Accept, true, true, false, true),
        (SenderConstraint::Require, false, true, true, false),
        (SenderConstraint::Require, true, true, false, true),
        (SenderConstraint::Refuse, true, false, false, false),
    ] {
        let server = Server::build(
            Algorithm::Es256,
            |issuer| issuer.sender_constraint(constraint),
            |layer| {
                let layer = layer.authorizer(authenticated());
                if has_mutual_tls { layer.mutual_tls(MutualTls::of_connections()) } else { layer }
            },
        );
        let server = server.await;
        let uri = Uri::from_static("/.well-known/oauth-protected-resource/r4");
        let response = server.layer.well_known(&Method::GET, &uri).unwrap();
        let document: Value = serde_json::from_slice(response.body()).unwrap();
        let algorithms: Vec<&str> = Algorithm::ALL.iter().map(|one| one.name()).collect();
        let algorithms = if algs { json!(algorithms) } else { Value::Null };
        let case = format!("{constraint:?} {has_mutual_tls}");
        assert_eq!(document["dpop_signing_alg_values_supported"], algorithms, "{case}");
        assert_eq!(document["dpop_bound_access_tokens_required"], required, "{case}");
        assert_eq!(document["tls_client_certificate_bound_access_tokens"], certificates, "{case}");
    }
}

#[tokio::test]
async fn the_refusal_of_an_application_stands_on_the_scheme_of_the_request() {
    let world = World::start().await;
    let rejection = world.server.layer.rejection(&Denial::new("closed on Sundays"));
    for (credentials, first) in [("DPoP x", "DPoP realm="), ("Bearer x", "Bearer realm=")] {
        let request = Request::get("/r4/Patient/1").header("authorization", credentials);
        let (request, ()) = request.body(()).unwrap().into_parts();
        let challenges = rejection.clone().of_request(&request).www_authenticate();
        let [challenge] = &challenges[..] else { panic!("{challenges:?}") };
        let challenge = challenge.to_str().unwrap();
        assert!(challenge.starts_with(first), "{challenge}");
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    }
}
