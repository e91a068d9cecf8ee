//! The example FHIR server with the official R4 example resources, and what a patient sees of them.
//!
//! `npm ci --prefix tests/official_examples && cargo test --test official_examples`

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]
#![expect(dead_code, reason = "the examples' tests use all of the harness")]

#[path = "../examples/support.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use support::{Example, Fhir, command};

fn folder() -> PathBuf {
    let package = "tests/official_examples/node_modules/hl7.fhir.r4.examples";
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(package);
    assert!(folder.is_dir(), "run `npm ci --prefix tests/official_examples` first");
    folder
}

fn document(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder().join(name)).unwrap()).unwrap()
}

/// The definition of the Patient compartment, with the expression of each parameter: read from the
/// official documents, not from the crate.
fn definition() -> BTreeMap<String, Vec<String>> {
    let mut expressions: BTreeMap<(String, String), String> = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !name.starts_with("SearchParameter-") {
            continue;
        }
        let parameter = document(&name);
        let core = "http://hl7.org/fhir/SearchParameter/";
        if !parameter["url"].as_str().is_some_and(|url| url.starts_with(core)) {
            continue;
        }
        let text = |name: &str| parameter[name].as_str().unwrap_or_default().to_owned();
        for base in parameter["base"].as_array().into_iter().flatten() {
            let key = (base.as_str().unwrap().to_owned(), text("code"));
            expressions.insert(key, text("expression"));
        }
    }
    let compartment = document("CompartmentDefinition-patient.json");
    let mut definition = BTreeMap::new();
    for resource in compartment["resource"].as_array().unwrap() {
        let name = resource["code"].as_str().unwrap().to_owned();
        let Some(parameters) = resource["param"].as_array() else { continue };
        let of_type = parameters.iter().flat_map(|parameter| {
            let key = (name.clone(), parameter.as_str().unwrap().to_owned());
            let expression = expressions.get(&key).unwrap_or_else(|| panic!("{key:?}"));
            let parts = expression.split('|').map(str::trim).map(str::to_owned);
            let own = format!("{name}.");
            parts.filter(move |part| part.starts_with(&own)).collect::<Vec<_>>()
        });
        definition.insert(name.clone(), of_type.collect());
    }
    assert_eq!(definition.len(), 66);
    definition
}

/// The references that an expression such as `Account.subject.where(resolve() is Patient)` finds.
fn references(expression: &str, resource: &Value) -> Vec<String> {
    let only_patients = expression.contains("where(resolve() is Patient)");
    let path = expression.split(".where(").next().unwrap();
    let mut values = vec![resource.clone()];
    for name in path.split('.').skip(1) {
        let inside = values.iter().map(|value| value[name].clone());
        let each = inside.flat_map(|value| match value {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            other => vec![other],
        });
        values = each.collect();
    }
    let texts = values.iter().filter_map(|value| value["reference"].as_str().map(str::to_owned));
    texts.filter(|text| !only_patients || text.starts_with("Patient/")).collect()
}

fn is_about(expressions: &[String], resource: &Value, patient: &str) -> bool {
    let own = format!("Patient/{patient}");
    let versions = format!("{own}/_history/");
    let mut found = expressions.iter().flat_map(|expression| references(expression, resource));
    found.any(|text| text == own || text.starts_with(&versions))
}

#[tokio::test]
async fn a_patient_sees_exactly_the_compartment_of_the_definition() {
    let definition = definition();
    let data = folder();
    let fhir = Fhir::start("scopes", &["--data", data.to_str().unwrap()]).await;
    let all = "system/*.rs";
    let mut resources: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for name in definition.keys() {
        let found = fhir.as_caller(all, "GET", &format!("/{name}?_count=5000")).await;
        let entries = found.body["entry"].as_array().cloned().unwrap_or_default();
        assert_eq!(found.body["total"].as_u64(), Some(entries.len() as u64), "{name}");
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
        let everything = format!("/Patient/{patient}/$everything");
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
    let others = refused.iter().filter(|line| !line.contains("is there twice"));
    assert!(others.clone().count() <= 5, "{:#?}", others.collect::<Vec<_>>());
}
