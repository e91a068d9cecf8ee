//! The table of search parameters that the crate contains: written here, and compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use super::definitions::{Elements, core_search_parameters, texts};

const FILE: &str = "src/fhir/search/r4.txt";

const HEAD: &str = "\
# The search parameters of R4 by resource type, without those of every resource. Each has its name, the
# letter of its type (`c` composite, `d` date, `n` number, `q` quantity, `r` reference, `s` string, `t` token,
# `u` uri, `x` special) and, where its expression reads elements and nothing more, these. Generated from the
# official definitions by `UPDATE_TABLES=1 cargo test --test official_examples tables`; do not edit.
";

/// The elements that parts of an expression read, as the crate writes them: dotted names of JSON, with
/// `>Type` where only references to that type count, and `[name=value]` where only elements with such a
/// member do.
fn paths(elements: &mut Elements, resource_type: &str, expression: &str) -> Option<Vec<String>> {
    let mut paths = Vec::new();
    for part in expression.split(" | ").map(str::trim) {
        if part.trim_start_matches('(').split('.').next()? == resource_type {
            paths.extend(element(elements, part)?);
        }
    }
    paths.sort();
    paths.dedup();
    (!paths.is_empty()).then_some(paths)
}

fn element(elements: &mut Elements, part: &str) -> Option<Vec<String>> {
    if let Some(rest) = part.strip_suffix(')')
        && let Some((before, target)) = rest.split_once(".where(resolve() is ")
    {
        let found = element(elements, before)?;
        return Some(found.iter().map(|path| format!("{path}>{target}")).collect());
    }
    if let Some((before, rest)) = part.split_once(".where(") {
        let (condition, after) = rest.split_once(')')?;
        let (name, value) = condition.split_once('=')?;
        let value = value.strip_prefix('\'')?.strip_suffix('\'')?;
        let (_, before) = before.split_once('.')?;
        let of = part.split('.').next()?;
        let whole = format!("{of}.{before}{after}");
        let found = element(elements, &whole)?;
        let marked = format!("{before}[{name}={value}]");
        return Some(found.iter().map(|path| path.replacen(before, &marked, 1)).collect());
    }
    let (path, cast) = match part.strip_prefix('(').and_then(|part| part.strip_suffix(')')) {
        Some(cast) => cast.split_once(" as ").map(|(path, of)| (path, Some(of)))?,
        None => match part.strip_suffix(')').and_then(|part| part.split_once(".as(")) {
            Some((path, of)) => (path, Some(of)),
            None => match part.split_once(" as ") {
                Some((path, of)) => (path, Some(of)),
                None => (part, None),
            },
        },
    };
    let mut names = path.split('.');
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !names.clone().all(is_name) {
        return None;
    }
    let of = names.next()?;
    elements.names(of, &names.collect::<Vec<_>>(), cast)
}

fn letter(kind: &Value) -> &'static str {
    match kind.as_str().unwrap() {
        "composite" => "c",
        "date" => "d",
        "number" => "n",
        "quantity" => "q",
        "reference" => "r",
        "string" => "s",
        "token" => "t",
        "uri" => "u",
        "special" => "x",
        other => panic!("{other}"),
    }
}

fn table() -> String {
    let mut elements = Elements::default();
    let mut types: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for parameter in core_search_parameters() {
        let name = parameter["code"].as_str().unwrap();
        let kind = letter(&parameter["type"]);
        for base in texts(&parameter["base"]) {
            if matches!(base, "Resource" | "DomainResource") {
                continue;
            }
            let expression = parameter["expression"].as_str();
            let paths = match kind {
                // They need more than the elements that they name.
                "c" | "x" => None,
                // It compares sounds.
                _ if name == "phonetic" => None,
                _ => expression.and_then(|text| paths(&mut elements, base, text)),
            };
            let paths = paths.map(|paths| format!("={}", paths.join("|"))).unwrap_or_default();
            let of_type = types.entry(base.to_owned()).or_default();
            let before = of_type.insert(name.to_owned(), format!("{name}:{kind}{paths}"));
            assert!(before.is_none(), "{base}.{name} is defined twice");
        }
    }
    let mut text = HEAD.to_owned();
    for (name, parameters) in types {
        let parameters: Vec<String> = parameters.into_values().collect();
        writeln!(text, "{name} {}", parameters.join(" ")).unwrap();
    }
    text
}

#[test]
fn the_committed_tables_of_search_parameters_are_what_the_definitions_say() {
    let expected = table();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FILE);
    if std::env::var_os("UPDATE_TABLES").is_some() {
        std::fs::write(&file, &expected).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap();
    assert!(committed == expected, "{FILE} differs: run with `UPDATE_TABLES=1` and look at it");
}

/// What the crate cannot evaluate: constraints by these show nothing.
#[test]
fn the_parameters_without_elements_are_few() {
    let table = table();
    let mut without: Vec<String> = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let (of, parameters) = line.split_once(' ').unwrap();
        let each = parameters.split(' ').filter(|one| !one.contains('=') && !one.ends_with(":c"));
        without.extend(each.map(|one| format!("{of}.{}", one.split(':').next().unwrap())));
    }
    println!("without elements: {}", without.join(", "));
    assert!(without.len() < 30, "{without:?}");
}

#[test]
fn expressions_become_elements() {
    let mut elements = Elements::default();
    let mut of = |resource_type: &str, expression: &str| {
        paths(&mut elements, resource_type, expression).map(|paths| paths.join("|"))
    };
    for (resource_type, expression, expected) in [
        ("Observation", "Observation.category", Some("category")),
        (
            "Observation",
            "Observation.effective",
            Some("effectiveDateTime|effectiveInstant|effectivePeriod|effectiveTiming"),
        ),
        ("Observation", "(Observation.value as Quantity)", Some("valueQuantity")),
        (
            "Observation",
            "(Observation.component.value as CodeableConcept)",
            Some("component.valueCodeableConcept"),
        ),
        ("Observation", "Observation.subject.where(resolve() is Patient)", Some("subject>Patient")),
        ("Patient", "Patient.telecom.where(system='email')", Some("telecom[system=email]")),
        (
            "Library",
            "Measure.library | Library.relatedArtifact.where(type='successor').resource",
            Some("relatedArtifact[type=successor].resource"),
        ),
        (
            "Condition",
            "Condition.onset.as(dateTime) | Condition.onset.as(Period)",
            Some("onsetDateTime|onsetPeriod"),
        ),
        ("Measure", "(Measure.useContext.value as Quantity)", Some("useContext.valueQuantity")),
        ("Patient", "Patient.deceased.exists() and Patient.deceased != false", None),
        ("Bundle", "Bundle.entry[0].resource", None),
        ("Observation", "Observation.extension('http://example.org')", None),
        ("Observation", "Observation.nothing", None),
        ("Observation", "Patient.name", None),
    ] {
        assert_eq!(of(resource_type, expression).as_deref(), expected, "{expression}");
    }
}
