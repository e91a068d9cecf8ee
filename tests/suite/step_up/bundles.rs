//! Entries of bundles are judged as if each had come by itself.

use std::time::Duration;

use http::Method;
use tower_fhir_auth::authorization::{Grant, StepUp, StepUpCallers, authorize_fn};
use tower_fhir_auth::{Access, Enforcement};

use super::{MFA, ask, on, server, strong, weak};
use crate::support::{NOW, Server};

#[tokio::test]
async fn an_entry_takes_the_step_of_its_own_interaction() {
    let requirement = on(["Patient.d"]).acr([MFA]).max_auth_age(Duration::from_secs(60));
    let server = server([requirement]).await;
    let access = async |token| -> Access {
        let reply = ask(&server, "POST", "", token).await;
        reply.is_let_in();
        reply.access.unwrap()
    };
    let weak = access(weak(&server)).await;
    assert!(weak.authorize_entry(&Method::GET, "Patient/1", None).is_ok());
    let denial = weak.authorize_entry(&Method::DELETE, "Patient/1", None).unwrap_err();
    assert!(denial.asks_for_step_up());
    let rejection = server.layer.rejection(&denial);
    assert_eq!(rejection.status(), 401);
    let challenge = &rejection.www_authenticate()[0];
    assert!(challenge.to_str().unwrap().contains("max_age=\"60\""), "{challenge:?}");
    let strong = access(strong(&server)).await;
    assert!(strong.authorize_entry(&Method::DELETE, "Patient/1", None).is_ok());
    // A bundle that nobody looks into would hide the step.
    assert!(!weak.is_unconfined() && strong.is_unconfined());
}

/// A server whose service within is said to judge no step-up, or not to enforce what bodies hold.
async fn by_address_alone(enforced: Enforcement, is_said: bool) -> Server {
    ruled(on(["Patient.d"]).acr([MFA]), enforced, is_said).await
}

/// The same with a requirement of its own: every interaction is granted.
async fn ruled(requirement: StepUp, enforced: Enforcement, is_said: bool) -> Server {
    let algorithm = tower_fhir_auth::jose::Algorithm::Es256;
    Server::build(
        algorithm,
        |issuer| issuer,
        |layer| {
            let rules = authorize_fn(|_| Ok(Grant::by("a test")));
            let layer = layer.authorizer(rules).handlers_enforce(enforced);
            layer.step_up(requirement).step_up_by_address_alone(is_said)
        },
    )
    .await
}

#[tokio::test]
async fn what_an_address_does_not_say_and_nobody_within_judges_takes_every_step() {
    let nothing = Enforcement::ALL
        .difference(Enforcement::BUNDLE_ENTRIES)
        .difference(Enforcement::SEARCH_BODIES);
    for (enforced, is_said) in [(nothing, false), (Enforcement::ALL, true)] {
        let server = by_address_alone(enforced, is_said).await;
        for (method, path, is_challenged) in [
            ("POST", "", true),
            ("POST", "/Observation/_search", true),
            ("GET", "/Observation?code=x", false),
            ("GET", "/Patient/1", false),
        ] {
            let reply = ask(&server, method, path, weak(&server)).await;
            assert_eq!(reply.status == 401, is_challenged, "{method} {path}: {reply:#?}");
            assert_eq!(ask(&server, method, path, strong(&server)).await.status, 200);
        }
    }
}

#[tokio::test]
async fn an_address_that_is_no_interaction_and_operations_in_bulk_take_every_step() {
    let server = by_address_alone(Enforcement::ALL, false).await;
    for (method, path) in [
        ("DELETE", "/Patient/1/"),
        ("DELETE", "/NoSuchType/1"),
        ("DELETE", "/Patient/$bulk-delete"),
        ("POST", "/$bulk-update"),
        ("POST", "/Patient/1/$purge-history"),
    ] {
        let reply = ask(&server, method, path, weak(&server)).await;
        assert_eq!(reply.status, 401, "{method} {path}: {reply:#?}");
        assert_eq!(ask(&server, method, path, strong(&server)).await.status, 200);
    }
    assert_eq!(ask(&server, "POST", "/Patient/$validate", weak(&server)).await.status, 200);
}

#[tokio::test]
async fn an_operation_to_which_no_letter_belongs_takes_the_steps_of_what_it_may_do() {
    for (target, challenged, passing) in [
        (
            "Patient.c",
            &[("POST", "/$import"), ("POST", "/Patient/1/$unheard-of")][..],
            &[
                ("GET", "/Patient/1/$unheard-of"),
                ("POST", "/Patient/$member-match"),
                ("POST", "/Patient/$validate"),
            ][..],
        ),
        (
            "Observation.r",
            &[
                ("GET", "/DocumentReference/$docref?patient=1"),
                ("POST", "/DocumentReference/$docref"),
                ("GET", "/Patient/$includes"),
                ("POST", "/Patient/$member-match"),
                ("GET", "/Observation/$lastn"),
                ("HEAD", "/Patient/1/$unheard-of"),
            ],
            &[
                ("POST", "/$convert-data"),
                ("GET", "/ValueSet/$expand"),
                ("GET", "/CodeSystem/$lookup"),
                ("GET", "/CodeSystem/$subsumes"),
                ("GET", "/ConceptMap/$translate"),
                ("GET", "/ValueSet/$validate-code"),
            ],
        ),
    ] {
        let server = ruled(on([target]).acr([MFA]), Enforcement::ALL, false).await;
        for (paths, status) in [(challenged, 401), (passing, 200)] {
            for (method, path) in paths {
                let reply = ask(&server, method, path, weak(&server)).await;
                assert_eq!(reply.status, status, "{target} {method} {path}: {reply:#?}");
                assert_eq!(ask(&server, method, path, strong(&server)).await.status, 200);
            }
        }
    }
}

#[tokio::test]
async fn nothing_passes_unseen_of_a_caller_who_has_not_taken_every_step_that_is_about_it() {
    let requirement = || on(["Patient.d"]).max_auth_age(Duration::from_secs(60));
    let requirements = [requirement().callers(StepUpCallers::Users)];
    let server = server(requirements).await;
    for (token, is_unconfined) in [
        (strong(&server), true),
        (weak(&server), false),
        (strong(&server).claim("auth_time", NOW + 1000), false),
        // An application.
        (weak(&server).claim("sub", "app"), true),
    ] {
        let access = ask(&server, "POST", "", token).await.access.unwrap();
        assert_eq!(access.is_unconfined(), is_unconfined);
    }
}

#[tokio::test]
async fn whoever_may_export_a_type_has_taken_the_step_for_it() {
    let server = server([on(["Patient.s"]).acr([MFA])]).await;
    for (token, may_export) in [(weak(&server), false), (strong(&server), true)] {
        let reply = ask(&server, "GET", "/Observation/1", token).await;
        let access = reply.access.unwrap();
        assert_eq!(access.may_export("Patient"), may_export);
        assert!(access.may_export("Observation"));
    }
}

#[tokio::test]
async fn a_form_that_is_not_read_yet_is_not_passed_unlooked_at() {
    let server = server([on(["Patient.s"]).acr([MFA])]).await;
    let reply = ask(&server, "POST", "/_search?_type=Observation", weak(&server)).await;
    let access = reply.access.unwrap();
    assert!(!access.is_unconfined());
    assert!(access.authorize_search_body("_type=Patient").is_err());
    let strong = ask(&server, "POST", "/_search?_type=Observation", strong(&server)).await;
    assert!(strong.access.unwrap().is_unconfined());
}
