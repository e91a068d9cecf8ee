//! The table of references to patients that the crate contains: written here, and compared.

use std::fmt::Write as _;
use std::path::Path;

use super::definitions::{PatientReferences, patient_references};

const FILE: &str = "src/fhir/compartment/r4.rs";

const HEAD: &str = "\
//! The reference search parameters of R4 that can name a Patient, with the elements they read, and
//! which of them make up the Patient compartment. Generated from the official definitions by
//! `UPDATE_TABLES=1 cargo test --test official_examples tables`; do not edit.

use super::parameter::{PatientReference as P, TypeReferences as T};

/// In the order of the alphabet. A parameter without paths has an expression that reads more than
/// elements, and names nobody.
#[rustfmt::skip]
pub(super) const PATIENT_REFERENCES: &[T] = &[
";

fn source(references: &PatientReferences) -> String {
    let mut source = HEAD.to_owned();
    for (name, parameters) in references {
        writeln!(source, "    T {{ resource_type: {name:?}, parameters: &[").unwrap();
        for (name, parameter) in parameters {
            let in_compartment = parameter.in_compartment;
            let paths = &parameter.paths;
            let fields = format!("name: {name:?}, in_compartment: {in_compartment}");
            writeln!(source, "        P {{ {fields}, paths: &{paths:?} }},").unwrap();
        }
        source.push_str("    ] },\n");
    }
    source.push_str("];\n");
    source
}

#[test]
fn the_committed_table_is_what_the_definitions_say() {
    let expected = source(&patient_references());
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE);
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &expected).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap();
    assert!(committed == expected, "{FILE} differs: run with `UPDATE_TABLES=1` and look at it");
}

/// They follow an artifact's relations of one kind, by canonical URLs, which name no patients.
#[test]
fn the_parameters_without_paths_are_those_of_related_artifacts() {
    let types = [
        "ActivityDefinition",
        "EventDefinition",
        "Evidence",
        "EvidenceVariable",
        "Library",
        "Measure",
        "PlanDefinition",
        "ResearchDefinition",
        "ResearchElementDefinition",
    ];
    let names = ["composed-of", "depends-on", "derived-from", "predecessor", "successor"];
    let expected: Vec<_> =
        types.iter().flat_map(|of| names.map(|name| format!("{of}.{name}"))).collect();
    let mut without = Vec::new();
    for (of, parameters) in &patient_references() {
        let found = parameters.iter().filter(|(_, parameter)| parameter.paths.is_empty());
        without.extend(found.map(|(name, _)| format!("{of}.{name}")));
    }
    println!("without paths: {}", without.join(", "));
    assert_eq!(without, expected);
}
