//! Bundles of resources, in a folder or in a request.

use std::collections::BTreeMap;

use serde_json::Value;
use tower_fhir_auth::fhir::ResourceReference;

use super::load::identified;
use super::reference::is_id;

/// The resources in a bundle, with the numbers of their entries. A bundle that is a resource of
/// its own, such as a document, or that holds none comes back as it is, as does anything else. One
/// that does not say what it is counts as a collection.
pub(super) fn unbundled(mut document: Value) -> Result<Vec<(usize, Value)>, Value> {
    let is_transaction = document["type"] == "transaction";
    let is_wrapper = matches!(
        document["type"].as_str(),
        None | Some("transaction" | "batch" | "collection" | "searchset")
    );
    let has_resource = |entries: &Vec<Value>| entries.iter().any(|one| !one["resource"].is_null());
    let is_bundle = document["resourceType"] == "Bundle" && is_wrapper;
    let entries = document.get_mut("entry").and_then(Value::as_array_mut);
    let Some(entries) = entries.filter(|entries| is_bundle && has_resource(entries)) else {
        return Err(document);
    };
    let mut entries = std::mem::take(entries);
    if is_transaction {
        entries.iter_mut().for_each(give_id);
    }
    let names: BTreeMap<String, String> = entries.iter().filter_map(name_of_urn).collect();
    let resources = entries.iter_mut().enumerate();
    let resources = resources.filter_map(|(number, entry)| {
        Some((number, entry.get_mut("resource").map(Value::take).filter(|one| !one.is_null())?))
    });
    let mut resources: Vec<_> = resources.collect();
    if !names.is_empty() {
        resources.iter_mut().for_each(|(_, resource)| rename_references(resource, &names));
    }
    Ok(resources)
}

/// An entry of a transaction may leave the id to the server. The one in its URN serves as well as
/// a fresh one, and is the same whenever the file is loaded.
fn give_id(entry: &mut Value) {
    if !entry["resource"].is_object() || !entry["resource"]["id"].is_null() {
        return;
    }
    let of_urn = entry["fullUrl"].as_str().and_then(|url| url.strip_prefix("urn:uuid:"));
    let of_urn = of_urn.filter(|id| is_id(id)).map(str::to_owned);
    let id = of_urn.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    entry["resource"]["id"] = id.into();
}

/// By which URN the other entries know an entry, and its name in the store.
fn name_of_urn(entry: &Value) -> Option<(String, String)> {
    let urn = entry["fullUrl"].as_str().filter(|url| url.starts_with("urn:uuid:"))?;
    let ResourceReference { resource_type, id, .. } = identified(&entry["resource"]).ok()?;
    Some((urn.to_owned(), format!("{resource_type}/{id}")))
}

/// The elements that may link to an entry of a transaction by its `fullUrl` (R4 section 3.1.0.11.2): references, and
/// those of the types `uri`, `url`, `oid` and `uuid` that such links stand in. Canonical ones stay, and so do texts.
const LINKS: [&str; 7] =
    ["reference", "url", "uri", "valueUri", "valueUrl", "valueOid", "valueUuid"];

/// Puts other names, such as those in a store, in the place of URNs wherever a link has one.
pub(crate) fn rename_references(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Array(members) => {
            members.iter_mut().for_each(|member| rename_references(member, names));
        }
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = value.as_str().filter(|_| LINKS.contains(&field.as_str()));
                match name.and_then(|urn| names.get(urn)) {
                    Some(name) => *value = name.as_str().into(),
                    None => rename_references(value, names),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ONE: &str = "urn:uuid:6cd8ad2a-6e4c-4a6e-8f2e-0f6d0c8d2b11";
    const TWO: &str = "urn:uuid:1b7b2f8e-3f44-4b8f-9a0e-7f3b8a0c9d22";

    fn bundle(kind: &str, entries: &Value) -> Value {
        json!({"resourceType": "Bundle", "id": "b", "type": kind, "entry": entries})
    }

    #[test]
    fn urns_become_references() {
        let observation = json!({
            "resourceType": "Observation",
            "subject": {"reference": ONE},
            "performer": [{"reference": TWO}, {"reference": "urn:uuid:other"}],
            "valueString": ONE,
            "extension": [
                {"url": "http://x.test/e", "valueUri": ONE},
                {"url": "http://x.test/c", "valueCanonical": ONE},
                {"url": "http://x.test/a", "valueAttachment": {"url": TWO}},
            ],
        });
        let entries = json!([
            {"fullUrl": "http://x.test/Observation/1", "resource": observation},
            {"request": {"method": "DELETE", "url": "Patient/9"}},
            {"fullUrl": ONE, "resource": {"resourceType": "Patient"}},
            {"fullUrl": TWO, "resource": {"resourceType": "Practitioner", "id": "p"}},
        ]);
        let resources = unbundled(bundle("transaction", &entries)).unwrap();
        let numbers: Vec<usize> = resources.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [0, 2, 3]);
        let found = &resources[0].1;
        assert_eq!(found["subject"]["reference"], "Patient/6cd8ad2a-6e4c-4a6e-8f2e-0f6d0c8d2b11");
        assert_eq!(found["performer"][0]["reference"], "Practitioner/p");
        assert_eq!(found["performer"][1]["reference"], "urn:uuid:other");
        assert_eq!(found["valueString"], ONE);
        let linked = &found["extension"];
        assert_eq!(linked[0]["valueUri"], "Patient/6cd8ad2a-6e4c-4a6e-8f2e-0f6d0c8d2b11");
        assert_eq!(linked[1]["valueCanonical"], ONE);
        assert_eq!(linked[2]["valueAttachment"]["url"], "Practitioner/p");
        assert!(uuid::Uuid::parse_str(found["id"].as_str().unwrap()).is_ok());
        assert_eq!(resources[2].1["id"], "p");
    }

    #[test]
    fn only_a_transaction_gives_ids() {
        for kind in ["batch", "collection", "searchset"] {
            let entries = json!([{"fullUrl": ONE, "resource": {"resourceType": "Patient"}}]);
            let resources = unbundled(bundle(kind, &entries)).unwrap();
            assert_eq!(resources, [(0, json!({"resourceType": "Patient"}))]);
        }
        let entries = json!([{"resource": {"resourceType": "Device", "id": "d"}}]);
        let typeless = json!({"resourceType": "Bundle", "entry": entries});
        assert_eq!(unbundled(typeless).unwrap().len(), 1);
    }

    #[test]
    fn other_bundles_stay_whole() {
        let patient = json!({"resource": {"resourceType": "Patient", "id": "1"}});
        for whole in [
            bundle("document", &json!([patient])),
            bundle("message", &json!([patient])),
            bundle("history", &json!([patient])),
            bundle("collection", &json!([])),
            bundle("collection", &json!(7)),
            bundle("batch", &json!([{"request": {"method": "GET", "url": "Patient"}}])),
            json!({"resourceType": "Bundle"}),
            json!({"resourceType": "Patient", "type": "collection", "entry": [patient]}),
            json!([1]),
            json!(null),
        ] {
            assert_eq!(unbundled(whole.clone()), Err(whole));
        }
    }
}
