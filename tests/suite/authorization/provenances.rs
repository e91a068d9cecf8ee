//! Provenances, which are of the patients that their targets are of.

use serde_json::{Value, json};
use tower_fhir_auth::fhir::{PatientCompartment, ResourceReference};
use tower_fhir_auth::{Authorizer, Enforcement, Visibility};

use super::resources::{observation, of_compartment, of_patients, own, server};
use crate::support::Server;

#[tokio::test]
async fn a_provenance_is_shown_to_whoever_may_see_all_of_its_targets() {
    let server = server().await;
    let access = own(&server, "GET", "/Provenance").await;
    let look_up = |to: &ResourceReference| match (&*to.resource_type, &*to.id) {
        ("Observation", "own") => Some(observation("Patient/1")),
        ("Observation", "other") => Some(observation("Patient/2")),
        ("Organization", "o") => Some(json!({"resourceType": "Organization", "id": "o"})),
        ("Patient", id) => Some(json!({"resourceType": "Patient", "id": id})),
        ("Provenance", "own") => Some(json!({"resourceType": "Provenance",
            "target": [{"reference": "Observation/own"}]})),
        ("Provenance", "too") => Some(json!({"resourceType": "Provenance",
            "target": [{"reference": "Observation/own"}, {"reference": "Patient/1"}]})),
        ("Provenance", "others") => Some(json!({"resourceType": "Provenance",
            "target": [{"reference": "Observation/other"}]})),
        ("Provenance", "back") => Some(json!({"resourceType": "Provenance",
            "target": [{"reference": "Provenance/x"}]})),
        ("Provenance", "x") => Some(json!({"resourceType": "Provenance", "id": "x",
            "target": [{"reference": "Patient/1"}]})),
        ("Provenance", "circle") => Some(json!({"resourceType": "Provenance",
            "target": [{"reference": "Provenance/circle"}, {"reference": "Patient/1"}]})),
        ("Questionnaire", _) => Some(json!({"resourceType": "Questionnaire"})),
        ("Observation", id) if id.starts_with('n') => Some(observation("Patient/1")),
        _ => None,
    };
    let many = |count: usize| (0..count).map(|n| format!("Observation/n{n}")).collect::<Vec<_>>();
    for (targets, expected) in [
        (vec!["Observation/own".to_owned()], true),
        (vec!["Observation/own/_history/3".to_owned(), "Organization/o".to_owned()], true),
        (vec!["Patient/1".to_owned()], true),
        (vec!["Provenance/own".to_owned()], true),
        (vec!["Provenance/own".to_owned(), "Provenance/too".to_owned()], true),
        (vec!["Provenance/others".to_owned()], false),
        (vec!["Provenance/back".to_owned()], false),
        (vec!["Provenance/circle".to_owned()], false),
        (vec!["Provenance/x".to_owned(), "Patient/1".to_owned()], false),
        (vec!["Patient/2".to_owned()], false),
        (vec!["Observation/own".to_owned(), "Observation/other".to_owned()], false),
        (vec!["Observation/gone".to_owned()], false),
        (vec!["Questionnaire/q".to_owned()], false),
        (vec!["https://other.example.org/Observation/own".to_owned()], false),
        (vec!["urn:uuid:1".to_owned(), "Observation/own".to_owned()], false),
        (vec![], false),
        (many(64), true),
        (many(65), false),
    ] {
        let target: Vec<Value> = targets.iter().map(|to| json!({"reference": to})).collect();
        let provenance = json!({"resourceType": "Provenance", "id": "x", "target": target,
            "patient": {"reference": "Patient/1"}});
        let filter = access.shown("Provenance");
        assert_eq!(filter.shows_with(&provenance, look_up), expected, "{targets:?}");
        // Without a store nothing is known of targets.
        assert_ne!(access.may_show(&provenance), Visibility::Shown, "{targets:?}");
    }
    let none = PatientCompartment::builder().also(["Device:patient"]).build().unwrap();
    let access = own(&of_compartment(none).await, "GET", "/Provenance").await;
    let provenance = json!({"resourceType": "Provenance",
        "target": [{"reference": "Observation/own"}]});
    assert_eq!(access.may_show(&provenance), Visibility::Hidden, "nobody's without `target`");
}

#[tokio::test]
async fn no_target_of_a_provenance_is_looked_up_twice() {
    let server = server().await;
    let access = own(&server, "GET", "/Provenance").await;
    let of = |targets: &[&str]| {
        let target: Vec<Value> = targets.iter().map(|to| json!({"reference": to})).collect();
        json!({"resourceType": "Provenance", "target": target})
    };
    let mut asked = Vec::new();
    let look_up = |to: &ResourceReference| {
        asked.push(to.to_string());
        Some(match &*to.resource_type {
            "Provenance" => of(&["Observation/o"]),
            _ => observation("Patient/1"),
        })
    };
    let provenance = of(&["Provenance/a", "Provenance/b", "Observation/o"]);
    assert!(access.shown("Provenance").shows_with(&provenance, look_up));
    assert_eq!(asked, ["Provenance/a", "Provenance/b", "Observation/o"]);
}

/// Two rules that have to grant each confine by themselves.
#[tokio::test]
async fn a_target_belongs_to_a_patient_of_each_rule() {
    let rule = of_patients(&["1", "2"]).and(of_patients(&["1", "3"]));
    let server = Server::enforcing(Enforcement::ALL, rule).await;
    let access = own(&server, "GET", "/Provenance").await;
    let look_up = |to: &ResourceReference| Some(observation(&format!("Patient/{}", to.id)));
    for (id, expected) in [("1", true), ("2", false), ("3", false), ("4", false)] {
        let provenance = json!({"resourceType": "Provenance",
            "target": [{"reference": format!("Observation/{id}")}]});
        let filter = access.shown("Provenance");
        assert_eq!(filter.shows_with(&provenance, look_up), expected, "{id}");
    }
}

#[tokio::test]
async fn what_several_rules_make_depend_on_a_target_names_it_once() {
    let rule = of_patients(&["1", "2"]).and(of_patients(&["1", "3"]));
    let server = Server::enforcing(Enforcement::ALL, rule).await;
    let access = own(&server, "GET", "/Provenance").await;
    let provenance = json!({"resourceType": "Provenance",
        "target": [{"reference": "Observation/o"}, {"reference": "Observation/p"}]});
    let targets = ["o", "p"].map(|id| ResourceReference::new("Observation", id));
    assert_eq!(access.may_show(&provenance), Visibility::Depends(targets.to_vec()));
}
