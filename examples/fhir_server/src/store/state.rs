//! All versions of all resources.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use tower_fhir_auth::fhir::{BaseUrl, ResourceReference};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Created,
    /// Created by an update, which names the id.
    Put,
    Updated,
    Deleted,
}

#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) resource_type: String,
    pub(crate) id: String,
    pub(crate) version: u64,
    /// An instant of RFC 3339 in UTC, with milliseconds. No two versions of a store share one.
    pub(crate) at: String,
    pub(crate) change: Change,
    /// None where the version is a deletion.
    pub(crate) resource: Option<Arc<Value>>,
}

/// A clone shares everything with its original until one of them changes.
#[derive(Clone, Debug)]
pub(crate) struct State {
    base: BaseUrl,
    types: BTreeMap<String, Arc<OfType>>,
    /// When the last change was, in milliseconds since 1970.
    last: u64,
}

/// The resources of a type, in the order of their creation: by the time of the first version, which no two share.
#[derive(Clone, Debug, Default)]
struct OfType {
    created: BTreeMap<String, u64>,
    resources: BTreeMap<u64, Arc<Vec<Version>>>,
}

impl State {
    pub(crate) fn new(base: BaseUrl) -> Self {
        Self { base, types: BTreeMap::new(), last: 0 }
    }

    pub(crate) fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// The base URL without a slash at its end.
    pub(crate) fn url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The time of the last change, as versions have it.
    pub(crate) fn last_change(&self) -> String {
        instant(self.last)
    }

    /// The last version, which may be a deletion.
    pub(crate) fn current(&self, resource_type: &str, id: &str) -> Option<&Version> {
        self.all_of(resource_type, id).last()
    }

    /// The version with this number, as a version id of an address has it.
    pub(crate) fn version(&self, resource_type: &str, id: &str, number: &str) -> Option<&Version> {
        let mut versions = self.all_of(resource_type, id).iter();
        versions.find(|version| version.version.to_string() == number)
    }

    /// All versions of a resource, newest first.
    pub(crate) fn versions(&self, resource_type: &str, id: &str) -> Vec<&Version> {
        self.all_of(resource_type, id).iter().rev().collect()
    }

    /// All versions of a type or of all types, newest first.
    pub(crate) fn history(&self, resource_type: Option<&str>) -> Vec<&Version> {
        let of_types = self.types.iter();
        let of_types = of_types.filter(|(name, _)| resource_type.is_none_or(|only| only == *name));
        let resources = of_types.flat_map(|(_, of_type)| of_type.resources.values());
        let mut versions: Vec<&Version> = resources.flat_map(|versions| versions.iter()).collect();
        versions.sort_unstable_by(|one, other| other.at.cmp(&one.at));
        versions
    }

    /// The resources of a type that are not deleted, in the order of their creation.
    pub(crate) fn live(&self, resource_type: &str) -> impl Iterator<Item = Arc<Value>> {
        let resources = self.types.get(resource_type).map(|of_type| of_type.resources.values());
        let resources = resources.into_iter().flatten();
        resources.filter_map(|versions| versions.last()?.resource.clone())
    }

    /// The resource that a reference is to, if it is not deleted.
    pub(crate) fn referenced(&self, to: &ResourceReference) -> Option<Arc<Value>> {
        self.current(&to.resource_type, &to.id)?.resource.clone()
    }

    /// The types that there are or were resources of.
    pub(crate) fn types(&self) -> impl Iterator<Item = &str> {
        self.types.keys().map(String::as_str)
    }

    /// Stores a new resource, whose id nobody else has.
    pub(crate) fn create(&mut self, resource_type: &str, id: &str, value: Value) -> Version {
        self.add(resource_type, id, Some(value), Change::Created, now().max(self.last + 1))
    }

    /// Stores a resource, and tells whether that created it. After a deletion it does so again,
    /// and the numbers of the versions go on.
    pub(crate) fn put(&mut self, resource_type: &str, id: &str, value: Value) -> (Version, bool) {
        let before = self.current(resource_type, id);
        let is_there = before.is_some_and(|version| version.resource.is_some());
        let change = if is_there { Change::Updated } else { Change::Put };
        let at = now().max(self.last + 1);
        (self.add(resource_type, id, Some(value), change, at), !is_there)
    }

    /// Stores many new resources at once, as if the last of them had come just now: a version for
    /// each millisecond would otherwise run ahead of the clock.
    pub(crate) fn fill(&mut self, resources: Vec<(ResourceReference, Value)>) {
        let count = u64::try_from(resources.len()).unwrap_or_default();
        let first = now().saturating_sub(count).max(self.last + 1);
        for (at, (to, resource)) in (first..).zip(resources) {
            self.add(&to.resource_type, &to.id, Some(resource), Change::Created, at);
        }
    }

    /// None where there is nothing to delete.
    pub(crate) fn delete(&mut self, resource_type: &str, id: &str) -> Option<Version> {
        self.current(resource_type, id)?.resource.as_ref()?;
        Some(self.add(resource_type, id, None, Change::Deleted, now().max(self.last + 1)))
    }

    /// Forgets a resource with all its versions. False where there is none.
    pub(crate) fn purge(&mut self, resource_type: &str, id: &str) -> bool {
        if self.current(resource_type, id).is_none() {
            return false;
        }
        if let Some(of_type) = self.types.get_mut(resource_type) {
            let of_type = Arc::make_mut(of_type);
            let place = of_type.created.remove(id);
            place.and_then(|place| of_type.resources.remove(&place));
        }
        true
    }

    fn all_of(&self, resource_type: &str, id: &str) -> &[Version] {
        let of_type = self.types.get(resource_type);
        let versions = of_type.and_then(|found| found.resources.get(found.created.get(id)?));
        versions.map(|versions| versions.as_slice()).unwrap_or_default()
    }

    fn add(
        &mut self,
        resource_type: &str,
        id: &str,
        value: Option<Value>,
        change: Change,
        at: u64,
    ) -> Version {
        let before = self.current(resource_type, id);
        let mut version = Version {
            resource_type: resource_type.to_owned(),
            id: id.to_owned(),
            version: before.map_or(1, |version| version.version + 1),
            at: instant(at),
            change,
            resource: None,
        };
        version.resource = value.map(|value| Arc::new(stamped(value, &version)));
        self.last = at;
        let of_type = Arc::make_mut(self.types.entry(resource_type.to_owned()).or_default());
        // No two changes are at the same time, so that the time of the first makes a place.
        let place = *of_type.created.entry(id.to_owned()).or_insert(at);
        Arc::make_mut(of_type.resources.entry(place).or_default()).push(version.clone());
        version
    }
}

/// The resource with what the server says about it.
fn stamped(resource: Value, version: &Version) -> Value {
    let object = |value| match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    let mut fields = object(resource);
    let mut meta = object(fields.remove("meta").unwrap_or_default());
    meta.insert("versionId".to_owned(), version.version.to_string().into());
    meta.insert("lastUpdated".to_owned(), version.at.as_str().into());
    fields.insert("resourceType".to_owned(), version.resource_type.as_str().into());
    fields.insert("id".to_owned(), version.id.as_str().into());
    fields.insert("meta".to_owned(), meta.into());
    fields.into()
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

fn instant(milliseconds: u64) -> String {
    let time = UNIX_EPOCH + Duration::from_millis(milliseconds);
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state() -> State {
        State::new(super::super::tests::base())
    }

    fn ids(state: &State, resource_type: &str) -> Vec<String> {
        state.live(resource_type).map(|found| found["id"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn what_is_stored_says_what_it_is() {
        let mut state = state();
        let meta = json!({"tag": [{"code": "t"}], "versionId": "77"});
        let (version, created) = state.put("Patient", "1", json!({"id": "other", "meta": meta}));
        assert!(created);
        let stored = version.resource.unwrap();
        assert_eq!(stored["resourceType"], "Patient");
        assert_eq!(stored["id"], "1");
        assert_eq!(stored["meta"]["versionId"], "1");
        assert_eq!(stored["meta"]["lastUpdated"], *version.at);
        assert_eq!(stored["meta"]["tag"][0]["code"], "t");
        assert!(humantime::parse_rfc3339(&version.at).is_ok() && version.at.len() == 24);
        for odd in [json!(null), json!([1]), json!("text"), json!({"meta": 7})] {
            let (version, _) = state.put("Basic", "odd", odd);
            assert_eq!(version.resource.unwrap()["id"], *version.id);
        }
    }

    #[test]
    fn versions_go_on_after_a_deletion() {
        let mut state = state();
        state.put("Patient", "1", json!({}));
        assert!(!state.put("Patient", "1", json!({})).1);
        let deleted = state.delete("Patient", "1").unwrap();
        assert_eq!((deleted.version, deleted.change), (3, Change::Deleted));
        assert!(state.current("Patient", "1").unwrap().resource.is_none());
        assert_eq!(state.live("Patient").count(), 0);
        assert!(state.delete("Patient", "1").is_none());
        assert!(state.delete("Patient", "2").is_none());
        let (again, created) = state.put("Patient", "1", json!({}));
        assert!(created && again.version == 4);
        let numbers: Vec<u64> =
            state.versions("Patient", "1").iter().map(|version| version.version).collect();
        assert_eq!(numbers, [4, 3, 2, 1]);
        assert_eq!(state.version("Patient", "1", "2").unwrap().change, Change::Updated);
        for number in ["0", "5", "02", "+2", "x", ""] {
            assert!(state.version("Patient", "1", number).is_none(), "{number}");
        }
    }

    #[test]
    fn history_is_newest_first_over_all_types() {
        let mut state = state();
        for number in 0..20 {
            state.put("Patient", &(number % 3).to_string(), json!({}));
            state.put("Basic", &number.to_string(), json!({}));
        }
        state.delete("Patient", "0");
        let history = state.history(None);
        assert_eq!(history.len(), 41);
        assert_eq!(history[0].change, Change::Deleted);
        assert!(history.is_sorted_by(|newer, older| newer.at > older.at));
        assert_eq!(state.history(Some("Patient")).len(), 21);
        assert_eq!(state.history(Some("Group")).len(), 0);
        assert_eq!(state.types().collect::<Vec<_>>(), ["Basic", "Patient"]);
    }

    #[test]
    fn live_resources_keep_the_order_of_their_creation() {
        let mut state = state();
        for id in ["c", "a", "b"] {
            state.put("Patient", id, json!({}));
        }
        state.put("Patient", "a", json!({"active": true}));
        assert_eq!(ids(&state, "Patient"), ["c", "a", "b"]);
        state.delete("Patient", "c");
        assert_eq!(ids(&state, "Patient"), ["a", "b"]);
        state.put("Patient", "c", json!({}));
        assert_eq!(ids(&state, "Patient"), ["c", "a", "b"]);
    }

    #[test]
    fn a_purge_forgets_everything() {
        let mut state = state();
        state.put("Patient", "1", json!({}));
        state.delete("Patient", "1");
        assert!(state.purge("Patient", "1") && !state.purge("Patient", "1"));
        assert!(state.versions("Patient", "1").is_empty() && state.history(None).is_empty());
        assert_eq!(state.put("Patient", "1", json!({})).0.version, 1);
    }

    #[test]
    fn a_filled_state_is_not_ahead_of_the_clock() {
        let mut state = state();
        let many = (0..1000).map(|n| (ResourceReference::new("Basic", n.to_string()), json!({})));
        state.fill(many.collect());
        assert!(state.last <= now());
        assert!(state.history(None).is_sorted_by(|newer, older| newer.at > older.at));
    }

    #[test]
    fn a_clone_is_its_own() {
        let mut one = state();
        one.put("Patient", "1", json!({}));
        let mut other = one.clone();
        other.put("Patient", "1", json!({}));
        other.put("Basic", "b", json!({}));
        assert_eq!(one.versions("Patient", "1").len(), 1);
        assert_eq!(one.live("Basic").count(), 0);
    }
}
