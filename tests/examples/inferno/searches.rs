//! The searches of US Core 7: `us_core_v700_…_search_test`, by `searches.txt`.

use serde_json::Value;

use super::{Asked, Stand, asked, encoded};
use crate::support::Reply;

const LIST: &str = include_str!("searches.txt");

/// What is wrong with the answer to a search that has to find a resource.
fn fault(asked: &Asked, reply: &Reply) -> Option<String> {
    let wanted = format!("{}/{}", asked.resource_type, asked.wanted());
    if reply.status != 200 || reply.body["resourceType"] != "Bundle" {
        return Some(format!("{}: {}", reply.status, reply.text));
    }
    let names = reply.names();
    if !names.contains(&wanted) {
        return Some(format!("{wanted} is not among {names:?}"));
    }
    let other = names.iter().find(|name| name.contains("/other"));
    other.map(|name| format!("{name} of another patient"))
}

fn list() -> Vec<Asked> {
    asked(LIST)
}

/// Rows that are searches, with what they look for.
fn searches() -> Vec<(Asked, Vec<(String, String)>)> {
    let rows = list().into_iter().filter(|row| row.parameters != ["_revinclude"]);
    rows.filter_map(|row| row.query().map(|query| (row, query))).collect()
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// `us_core_v700_*_search_test`: by GET, for a service and for the patient.
#[tokio::test]
async fn each_search_finds_what_it_looks_for_and_nothing_of_another_patient() {
    let stand = Stand::start().await;
    let (patient, service) = (stand.patient("patient/*.rs"), stand.service("system/*.rs"));
    let mut wrong = Vec::new();
    let searches = searches();
    assert!(searches.len() > 250, "{}", searches.len());
    for (row, query) in searches {
        let path = format!("/{}?{}", row.resource_type, encoded(&query));
        for token in [&patient, &service] {
            // A service that does not say whose finds those of both.
            let is_of_all = token == &service && !row.parameters.contains(&"patient");
            let reply = stand.get(token, &path).await;
            let fault = fault(&row, &reply).filter(|text| !(is_of_all && text.contains("/other")));
            wrong.extend(fault.map(|fault| format!("{}: {fault}", row.id)));
            let is_other = |name: &String| !name.starts_with(row.resource_type);
            let others: Vec<String> = reply.names().into_iter().filter(is_other).collect();
            if !others.is_empty() {
                wrong.push(format!("{}: other types: {others:?}", row.id));
            }
        }
    }
    assert_none(&wrong);
}

/// The first search of each profile: what GET finds, POST finds as well; `patient` is an id, and a reference
/// with its type.
#[tokio::test]
async fn post_and_references_with_a_type_find_the_same() {
    let stand = Stand::start().await;
    let token = stand.patient("patient/*.rs");
    let mut wrong = Vec::new();
    for (row, mut query) in searches() {
        let found = stand.get(&token, &format!("/{}?{}", row.resource_type, encoded(&query))).await;
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let path = format!("/{}/_search", row.resource_type);
        let posted =
            stand.fhir.send(&token, "POST", &path, &form, Value::from(encoded(&query))).await;
        if let Some((_, value)) = query.iter_mut().find(|(name, _)| name == "patient") {
            *value = "Patient/own".to_owned();
        }
        let typed = stand.get(&token, &format!("/{}?{}", row.resource_type, encoded(&query))).await;
        for (reply, how) in [(posted, "by POST"), (typed, "with a type")] {
            if reply.names() != found.names() {
                wrong.push(format!("{} {how}: {}", row.id, reply.text));
            }
        }
    }
    assert_none(&wrong);
}

/// Values as the kit varies them: a token without its system, one of several, comparisons of dates; and a
/// value that is nowhere, which finds nothing.
#[tokio::test]
async fn values_are_compared_as_their_type_says() {
    let stand = Stand::start().await;
    let token = stand.patient("patient/*.rs");
    let mut wrong = Vec::new();
    for (row, query) in searches() {
        for (number, (name, value)) in query.iter().enumerate() {
            if matches!(name.as_str(), "patient" | "_id" | "_lastUpdated") {
                continue;
            }
            for (other, is_found) in variants(value) {
                let mut query = query.clone();
                query[number].1.clone_from(&other);
                let path = format!("/{}?{}", row.resource_type, encoded(&query));
                let reply = stand.get(&token, &path).await;
                let finds = fault(&row, &reply).is_none();
                if finds != is_found || reply.status != 200 {
                    wrong.push(format!("{}: {name}={other}: {}", row.id, reply.text));
                }
            }
        }
    }
    assert_none(&wrong);
}

/// Other spellings of a value, and whether they find the same.
fn variants(value: &str) -> Vec<(String, bool)> {
    let is_date = value.len() == 10 && value.bytes().filter(|byte| *byte == b'-').count() == 2;
    if is_date {
        let (before, after) = ("1900-01-01T00:00:00Z", "2100-01-01T00:00:00Z");
        let of = |comparator: &str, instant: &str, is_found| {
            (format!("{comparator}{instant}"), is_found)
        };
        return vec![
            of("gt", before, true),
            of("ge", before, true),
            of("lt", after, true),
            of("le", after, true),
            of("gt", after, false),
            of("lt", before, false),
            of("ge", value, true),
            of("le", value, true),
        ];
    }
    let mut variants = vec![("nothing-of-that-kind".to_owned(), false)];
    if let Some((_, code)) = value.split_once('|') {
        variants.push((code.to_owned(), true));
        variants.push((format!("urn:example:another|{code}"), false));
    }
    variants.push((format!("nothing-of-that-kind,{value}"), true));
    variants
}

/// `us_core_v700_medication_request_*` and `us_core_v700_medication_dispense_*` ask for the Medication with it.
#[tokio::test]
async fn a_medication_comes_along_with_its_request_and_its_dispense() {
    let stand = Stand::start().await;
    let mut wrong = Vec::new();
    for (row, query) in searches() {
        if !row.resource_type.starts_with("Medication") {
            continue;
        }
        let name = row.resource_type;
        let path = format!("/{name}?{}&_include={name}:medication", encoded(&query));
        for token in [stand.patient("patient/*.rs"), stand.service("system/*.rs")] {
            let reply = stand.get(&token, &path).await;
            if !reply.names().contains(&"Medication/shared".to_owned()) {
                wrong.push(format!("{}: {}", row.id, reply.text));
            }
        }
        let without = stand.patient(&format!("patient/{name}.rs"));
        let reply = stand.get(&without, &path).await;
        assert_eq!(reply.names(), [format!("{name}/own")], "{}: not granted", row.id);
    }
    assert_none(&wrong);
}

/// `us_core_v700_*_provenance_revinclude_search_test`.
#[tokio::test]
async fn provenance_comes_along_with_what_it_is_about() {
    let stand = Stand::start().await;
    let mut wrong = Vec::new();
    let rows = list().into_iter().filter(|row| row.parameters == ["_revinclude"]);
    let rows: Vec<Asked> = rows.collect();
    assert_eq!(rows.len(), 44);
    for row in rows {
        let (name, id) = (row.resource_type, row.wanted());
        let path = format!("/{name}?_id={id}&_revinclude=Provenance:target");
        for token in [stand.patient("patient/*.rs"), stand.service("system/*.rs")] {
            let reply = stand.get(&token, &path).await;
            if reply.names() != [format!("{name}/{id}"), format!("Provenance/{name}-{id}")] {
                wrong.push(format!("{}: {}", row.id, reply.text));
            }
        }
    }
    assert_none(&wrong);
}

/// Parameters that US Core defines and R4 does not are optional there. This server has R4's: the others are
/// refused with an OperationOutcome, and never ignored.
#[tokio::test]
async fn search_parameters_that_are_not_of_r4_are_400() {
    let stand = Stand::start().await;
    let token = stand.patient("patient/*.rs");
    let rows: Vec<Asked> = list()
        .into_iter()
        .filter(|row| row.parameters != ["_revinclude"] && row.query().is_none())
        .collect();
    let ids: Vec<&str> = rows.iter().map(|row| row.id).collect();
    assert_eq!(
        ids,
        [
            "care_team_patient_role",
            "care_team_role",
            "condition_encounter_diagnosis_patient_asserted_date",
            "condition_problems_health_concerns_patient_asserted_date",
            "encounter_patient_discharge_disposition",
            "goal_patient_description",
        ]
    );
    for row in rows {
        let name = row.parameters.last().unwrap();
        let reply =
            stand.get(&token, &format!("/{}?patient=own&{name}=x", row.resource_type)).await;
        assert_eq!((reply.status, reply.code()), (400, "invalid"), "{}: {}", row.id, reply.text);
    }
}

/// `us_core_v700_*_read_test`, and `us_core_v700_*_reference_resolution_test`: by its id, and by each reference
/// in it.
#[tokio::test]
async fn each_resource_is_read_by_its_id_and_so_is_what_it_refers_to() {
    let stand = Stand::start().await;
    let (patient, service) = (stand.patient("patient/*.rs"), stand.service("system/*.rs"));
    let mut wrong = Vec::new();
    let is_own = |resource: &Value| !resource["id"].as_str().unwrap().contains("other");
    // A Group belongs to no patient.
    let records = super::records().into_iter().filter(|one| one["resourceType"] != "Group");
    for resource in records.filter(is_own) {
        let (name, id) =
            (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        let mut addresses = vec![format!("{name}/{id}")];
        references(&resource, &mut addresses);
        for address in addresses {
            for token in [&patient, &service] {
                let reply = stand.get(token, &format!("/{address}")).await;
                let found =
                    format!("{}/{}", text(&reply.body, "resourceType"), text(&reply.body, "id"));
                if (reply.status, &found) != (200, &address) {
                    wrong.push(format!("{address}: {}", reply.text));
                }
            }
        }
    }
    assert_none(&wrong);
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_default()
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(members) => members.iter().for_each(|one| references(one, found)),
        Value::Object(members) => {
            found.extend(members.get("reference").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|one| references(one, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
