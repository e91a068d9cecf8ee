//! Resources in memory.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use serde_json::{Value, json};
use tower_fhir_auth::{Clock, SystemClock};

/// Type and id.
type Key = (String, String);

#[derive(Default)]
pub(crate) struct Store {
    resources: RwLock<BTreeMap<Key, Value>>,
}

impl Store {
    /// A few people who do not exist.
    pub(crate) fn with_synthetic_patients() -> Self {
        let store = Self::default();
        for (id, family, given, born) in [
            ("1", "Peeters", "Amara", "1984-02-11"),
            ("2", "Oyelaran", "Tobi", "1951-09-30"),
            ("3", "Lindqvist", "Noa", "2012-06-05"),
        ] {
            store.put(json!({
                "resourceType": "Patient", "id": id, "birthDate": born,
                "name": [{"family": family, "given": [given]}],
            }));
            store.put(json!({
                "resourceType": "Observation", "id": format!("weight-{id}"), "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
                "subject": {"reference": format!("Patient/{id}")},
                "valueQuantity": {"value": 61.5, "unit": "kg"},
            }));
        }
        store
    }

    /// The `*.json` files of a folder, each a resource or a bundle of them.
    pub(crate) fn from_folder(folder: &Path) -> Result<Self, String> {
        let place = |what: &Path, error: String| format!("--data {}: {error}", what.display());
        let store = Self::default();
        let entries = std::fs::read_dir(folder).map_err(|e| place(folder, e.to_string()))?;
        for entry in entries {
            let path = entry.map_err(|e| place(folder, e.to_string()))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = std::fs::read(&path).map_err(|e| place(&path, e.to_string()))?;
            let document: Value =
                serde_json::from_slice(&text).map_err(|e| place(&path, e.to_string()))?;
            for resource in unbundled(document) {
                if key_of(&resource).is_none() {
                    return Err(place(&path, "expected a `resourceType` and an `id`".to_owned()));
                }
                store.put(resource);
            }
        }
        Ok(store)
    }

    pub(crate) fn read(&self, resource_type: &str, id: &str) -> Option<Value> {
        let resources = self.resources.read().unwrap_or_else(PoisonError::into_inner);
        resources.get(&(resource_type.to_owned(), id.to_owned())).cloned()
    }

    /// All resources of a type that `matches` accepts, by id.
    pub(crate) fn search(
        &self,
        resource_type: &str,
        matches: impl Fn(&Value) -> bool,
    ) -> Vec<Value> {
        let resources = self.resources.read().unwrap_or_else(PoisonError::into_inner);
        let of_type = resources.iter().filter(|((kind, _), _)| kind == resource_type);
        of_type.map(|(_, resource)| resource).filter(|found| matches(found)).cloned().collect()
    }

    /// Stores a resource under a fresh id, and returns it as stored.
    pub(crate) fn create(&self, mut resource: Value) -> Value {
        resource["id"] = uuid::Uuid::new_v4().to_string().into();
        self.put(resource)
    }

    fn put(&self, mut resource: Value) -> Value {
        if !resource["meta"].is_object() {
            resource["meta"] = json!({});
        }
        resource["meta"]["versionId"] = "1".into();
        resource["meta"]["lastUpdated"] = SystemClock.now().to_string().into();
        if let Some(key) = key_of(&resource) {
            let mut resources = self.resources.write().unwrap_or_else(PoisonError::into_inner);
            resources.insert(key, resource.clone());
        }
        resource
    }
}

fn key_of(resource: &Value) -> Option<Key> {
    let text = |name: &str| resource.get(name).and_then(Value::as_str).map(str::to_owned);
    Some((text("resourceType")?, text("id")?))
}

fn unbundled(document: Value) -> Vec<Value> {
    if document["resourceType"] != "Bundle" {
        return vec![document];
    }
    let entries = document["entry"].as_array().cloned().unwrap_or_default();
    entries.into_iter().map(|mut entry| entry["resource"].take()).collect()
}
