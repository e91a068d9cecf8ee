//! The capabilities of the upstream server, as it states them: the types whose resources it updates only in the version
//! that `If-Match` names.

use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use hashbrown::HashSet;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::Mutex;

use crate::authentication::UnixTime;
use crate::fhir::ResourceTypes;

/// The time for which a CapabilityStatement counts, and one that says nothing of versions.
const TTL: Duration = Duration::from_secs(5 * 60);
const EMPTY_TTL: Duration = Duration::from_secs(10);

/// The known capabilities of the upstream server. They are fetched with the lock held, so that only one request fetches
/// them at a time.
#[derive(Debug, Default)]
pub(super) struct Capabilities {
    pub(super) known: Mutex<Option<Versioning>>,
    /// Counts failed requests, so that callers that waited for one fail with it instead of retrying one after the
    /// other.
    pub(super) failures: AtomicUsize,
}

/// The types that a CapabilityStatement says `versioned-update` of.
#[derive(Debug)]
pub(super) struct Versioning {
    types: HashSet<String>,
    read_at: UnixTime,
}

/// A statement, of which nothing else is read: all of it would take many times its bytes.
#[derive(Deserialize)]
struct Statement<'a> {
    #[serde(rename = "resourceType")]
    resource_type: String,
    #[serde(borrow)]
    rest: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Rest<'a> {
    mode: String,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(rename = "type")]
    name: String,
    #[serde(borrow)]
    versioning: Option<&'a RawValue>,
}

/// Returns the items of a list that can be read; none of what is no list.
fn items<'a, T: Deserialize<'a>>(list: Option<&'a RawValue>) -> impl Iterator<Item = T> {
    let items = list.and_then(|list| serde_json::from_str::<Vec<&RawValue>>(list.get()).ok());
    items.into_iter().flatten().filter_map(|item| serde_json::from_str(item.get()).ok())
}

impl Versioning {
    /// Reads a CapabilityStatement. What is none says nothing.
    pub(super) fn read(statement: &[u8], known: &ResourceTypes, read_at: UnixTime) -> Self {
        let statement: Option<Statement<'_>> = serde_json::from_slice(statement).ok();
        let statement = statement.filter(|one| one.resource_type == "CapabilityStatement");
        let rest = statement.and_then(|statement| statement.rest);
        let servers = items::<Rest<'_>>(rest).filter(|rest| rest.mode == "server");
        let (mut types, mut others) = (HashSet::new(), HashSet::new());
        let resources = servers.flat_map(|rest| items::<Resource<'_>>(rest.resource));
        for Resource { name, versioning } in resources {
            if !known.contains(&name) {
                continue;
            }
            let said = versioning.and_then(|said| serde_json::from_str::<String>(said.get()).ok());
            match said.as_deref() {
                Some("versioned-update") => types.insert(name),
                _ => others.insert(name),
            };
        }
        // Contradictory declarations count as none.
        types.retain(|name| !others.contains(name));
        Self { types, read_at }
    }

    /// Reports whether it counts at this time.
    pub(super) fn counts(&self, now: UnixTime) -> bool {
        let kept = if self.types.is_empty() { EMPTY_TTL } else { TTL };
        self.read_at <= now && now < self.read_at.saturating_add(kept)
    }

    pub(super) fn is_of(&self, resource_type: &str) -> bool {
        self.types.contains(resource_type)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.types.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(statement: &Value) -> Versioning {
        let at = UnixTime::from_secs(100);
        Versioning::read(statement.to_string().as_bytes(), &ResourceTypes::r4(), at)
    }

    #[test]
    fn only_a_server_that_says_so_of_a_type_updates_by_version() {
        let of = |name: &str, versioning: &str| json!({"type": name, "versioning": versioning});
        let rest = |mode: &str, resources: Value| json!({"mode": mode, "resource": resources});
        let said = read(&json!({"resourceType": "CapabilityStatement", "rest": [
            rest("client", json!([of("Device", "versioned-update")])),
            rest("server", json!([of("Patient", "versioned-update"), of("Observation", "versioned"),
                {"type": "Condition"}, of("Nothing", "versioned-update"), 7,
                of("Encounter", "versioned-update")])),
            rest("server", json!([of("Encounter", "no-version")])),
        ]}));
        let expected = [("Patient", true), ("Observation", false), ("Condition", false)];
        let others = [("Nothing", false), ("Device", false), ("Encounter", false)];
        for (name, versioned) in expected.into_iter().chain(others) {
            assert_eq!(said.is_of(name), versioned, "{name}");
        }
        let other = json!({"resourceType": "Bundle", "rest": [
            rest("server", json!([of("Patient", "versioned-update")]))]});
        assert!(read(&other).is_empty() && read(&json!(null)).is_empty());
    }

    #[test]
    fn it_counts_for_a_bounded_time() {
        let at = |seconds| UnixTime::from_secs(seconds);
        let said = read(&json!({"resourceType": "CapabilityStatement", "rest": [{"mode": "server",
            "resource": [{"type": "Patient", "versioning": "versioned-update"}]}]}));
        for (now, counts) in [(99, false), (100, true), (399, true), (400, false)] {
            assert_eq!(said.counts(at(now)), counts, "{now}");
        }
        let nothing = read(&json!({}));
        assert!(nothing.counts(at(109)) && !nothing.counts(at(110)));
    }
}
