//! The example FHIR server with the official R4 example resources, and what a patient sees of them.
//!
//! `npm ci --prefix tests/official_examples && cargo test --test official_examples`

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]
#![expect(dead_code, reason = "the examples' tests use all of the harness")]

mod definitions;
mod membership;
#[path = "../examples/programs.rs"]
mod programs;
mod search_parameters;
#[path = "../examples/support.rs"]
mod support;
mod tables;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use definitions::{folder, patient_references};
use support::{Example, Fhir, command};

/// The references that are at a path such as `participant.actor`.
fn references(path: &str, resource: &Value) -> Vec<String> {
    let mut values = vec![resource.clone()];
    for name in path.split('.') {
        let inside = values.iter().map(|value| &value[name]);
        let each = inside.flat_map(|value| match value.as_array() {
            Some(items) => items.clone(),
            None => vec![value.clone()],
        });
        values = each.collect();
    }
    values.iter().filter_map(|value| value["reference"].as_str().map(str::to_owned)).collect()
}

fn is_about(paths: &[String], resource: &Value, patient: &str) -> bool {
    let own = format!("Patient/{patient}");
    let versions = format!("{own}/_history/");
    let mut found = paths.iter().flat_map(|path| references(path, resource));
    found.any(|text| text == own || text.starts_with(&versions))
}

/// The paths of the compartment's parameters, for each of its types.
fn compartment() -> BTreeMap<String, Vec<String>> {
    let types = patient_references().into_iter().map(|(name, parameters)| {
        let members = parameters.into_values().filter(|parameter| parameter.in_compartment);
        (name, members.flat_map(|parameter| parameter.paths).collect::<Vec<_>>())
    });
    let types: BTreeMap<_, _> = types.filter(|(_, paths)| !paths.is_empty()).collect();
    assert_eq!(types.len(), 66);
    types
}

#[tokio::test]
async fn a_patient_sees_exactly_the_compartment_of_the_definition() {
    let mut definition = compartment();
    // Where this server differs from the definition on purpose: see `membership`.
    definition.retain(|name, _| name != "Group" && name != "Provenance");
    let data = folder();
    let fhir = Fhir::start("scopes", &["--data", data.to_str().unwrap()]).await;
    let all = "system/*.rs";
    let mut resources: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for name in definition.keys() {
        let found = fhir.as_caller(all, "GET", &format!("/{name}?_count=5000")).await;
        let entries = found.body["entry"].as_array().cloned().unwrap_or_default();
        assert_eq!(found.body["total"], entries.len(), "{name}");
        resources
            .insert(name, entries.into_iter().map(|mut entry| entry["resource"].take()).collect());
    }
    let patients: Vec<String> =
        resources["Patient"].iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    assert!(patients.len() > 20, "{patients:?}");
    let mut members = 0;
    for patient in &patients {
        let token = fhir.token_with(json!({"scope": "patient/*.rs", "patient": patient}));
        let mut expected = BTreeSet::from([format!("Patient/{patient}")]);
        for (name, of_type) in &resources {
            // A link to another patient's record confers nothing here, which is on purpose.
            let others = of_type.iter().filter(|_| *name != "Patient");
            let own = others.filter(|one| is_about(&definition[*name], one, patient));
            expected.extend(own.map(|one| format!("{name}/{}", one["id"].as_str().unwrap())));
        }
        let types: Vec<&str> = definition.keys().map(String::as_str).collect();
        let path = format!("?_type={}&_count=5000", types.join(","));
        let found = fhir.send(&token, "GET", &path, &[], Value::Null).await;
        assert_eq!(found.names().into_iter().collect::<BTreeSet<_>>(), expected, "{patient}");
        let everything = format!("/Patient/{patient}/$everything?_type={}", types.join(","));
        let found = fhir.send(&token, "GET", &everything, &[], Value::Null).await;
        assert_eq!(found.names().into_iter().collect::<BTreeSet<_>>(), expected, "{patient}");
        members += expected.len();
    }
    assert!(members > 300, "only {members}: was anything loaded?");
    println!("{} patients, {members} memberships", patients.len());
}

#[tokio::test]
async fn what_cannot_be_loaded_is_named() {
    let data = folder();
    let log = tempfile::NamedTempFile::new().unwrap();
    let mut server =
        command("fhir_server", &["--listen", "127.0.0.1:0", "--data", data.to_str().unwrap()]);
    server.env("RUST_LOG", "warn");
    let file = log.reopen().unwrap();
    let server = tokio::task::spawn_blocking(move || Example::start_logging_to(server, file));
    drop(server.await.unwrap());
    let log = std::fs::read_to_string(log.path()).unwrap();
    let refused: Vec<&str> = log.lines().filter(|line| line.contains("not loaded")).collect();
    assert!(refused.iter().any(|line| line.contains("package.json")), "{}", refused.len());
    // The same resource stands alone and in large bundles; nothing else is refused but a few.
    let others = refused.iter().filter(|line| !line.contains("appears more than once"));
    assert!(others.clone().count() <= 5, "{:#?}", others.collect::<Vec<_>>());
}

/// These examples write the URLs of their entries with a leading slash.
#[tokio::test]
async fn the_official_batches_of_requests_are_let_in() {
    let data = folder();
    let fhir = Fhir::start("scopes", &["--data", data.to_str().unwrap()]).await;
    let mut slashes = 0;
    for name in ["medsallergies", "simplesummary"] {
        let file = data.join(format!("Bundle-bundle-request-{name}.json"));
        let bundle: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let sent = bundle["entry"].as_array().unwrap().clone();
        let reply = fhir.with_body("system/*.rs", "POST", "", bundle).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        let entries = reply.body["entry"].as_array().unwrap();
        assert_eq!(entries.len(), sent.len());
        for (sent, answer) in sent.iter().zip(entries) {
            let url = sent["request"]["url"].as_str().unwrap();
            slashes += usize::from(url.starts_with('/'));
            let status = answer["response"]["status"].as_str().unwrap();
            assert_ne!(status, "403", "{url}: {answer}");
            if url == "/Patient/example" {
                assert_eq!(answer["resource"]["id"], "example", "{answer}");
            }
        }
    }
    assert_eq!(slashes, 9);
}

/// The resource types of R4 are those of its code system, but for the abstract ones.
#[test]
fn the_resource_types_are_those_of_the_code_system() {
    let file = folder().join("CodeSystem-resource-types.json");
    let system: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let codes = system["concept"].as_array().unwrap().iter();
    let codes: BTreeSet<&str> = codes.map(|concept| concept["code"].as_str().unwrap()).collect();
    let types = tower_fhir_auth::fhir::ResourceTypes::r4();
    let names: BTreeSet<&str> = types.names().collect();
    let abstract_types: Vec<&str> = codes.difference(&names).copied().collect();
    assert_eq!(abstract_types, ["DomainResource", "Resource"]);
    assert!(names.is_subset(&codes));
}
