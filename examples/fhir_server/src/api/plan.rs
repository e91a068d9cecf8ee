//! The plan of a transaction, before it does anything: which resource each entry is about, and
//! what those are called that it creates.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tower_fhir_auth::InteractionKind as Kind;
use tower_fhir_auth::fhir::ResourceReference;

use super::answer::Refusal;
use super::bundle::Entry;
use super::write::{condition, is_conditional, is_write, target};
use crate::confine::Confinement;
use crate::store::{State, is_id};

pub(crate) struct Plan {
    /// The stored resources that entries are about. Conditions are resolved once, before anything changes:
    /// later they might find what another entry has made.
    targets: BTreeMap<usize, ResourceReference>,
    /// The ids of what entries create.
    new_ids: BTreeMap<usize, String>,
    /// The reference that the `fullUrl` of each entry becomes, so that others can refer to it.
    names: BTreeMap<String, String>,
}

impl Plan {
    /// A transaction in which two entries are about one resource has no meaning (R4 section
    /// 3.1.0.11.2), also where conditions make them so.
    pub(crate) fn of(state: &State, entries: &[Entry<'_>]) -> Result<Self, Refusal> {
        let mut plan =
            Self { targets: BTreeMap::new(), new_ids: BTreeMap::new(), names: BTreeMap::new() };
        let mut about = BTreeSet::new();
        let mut conditions = BTreeSet::new();
        for entry in entries {
            let request = entry.request()?;
            if has_conditional_reference(&entry.content["resource"], state.url()) {
                return Err(Refusal::invalid("conditional references are not supported"));
            }
            let kind = request.interaction.kind();
            let confinement = Confinement::new(&entry.rights);
            let found = match is_write(kind) {
                true => target(state, &confinement, &request)?,
                false => None,
            };
            if found.is_none() && is_conditional(kind) {
                let condition = (request.resource_type(), condition(&request));
                if !conditions.insert(format!("{condition:?}")) {
                    return Err(Refusal::invalid(
                        "two entries of the transaction have one condition",
                    ));
                }
            }
            let name = match found {
                Some(found) if about.insert(found.clone()) => {
                    plan.targets.insert(entry.number, found.clone());
                    found
                }
                Some(_) => return Err(two_about_one()),
                None if creates(kind) => {
                    let name = ResourceReference::new(request.resource_type(), new_id(entry));
                    if !about.insert(name.clone()) {
                        return Err(two_about_one());
                    }
                    plan.new_ids.insert(entry.number, name.id.clone());
                    name
                }
                None => continue,
            };
            if let Some(url) = entry.content["fullUrl"].as_str() {
                let name = format!("{}/{}", name.resource_type, name.id);
                if plan.names.insert(url.to_owned(), name).is_some() {
                    return Err(Refusal::invalid(
                        "two entries of the transaction have one `fullUrl`",
                    ));
                }
            }
        }
        Ok(plan)
    }

    pub(crate) fn target(&self, number: usize) -> Option<&ResourceReference> {
        self.targets.get(&number)
    }

    pub(crate) fn new_id(&self, number: usize) -> Option<String> {
        self.new_ids.get(&number).cloned()
    }

    pub(crate) fn names(&self) -> &BTreeMap<String, String> {
        &self.names
    }
}

fn two_about_one() -> Refusal {
    Refusal::invalid("two entries of the transaction are about one resource")
}

fn creates(kind: Kind) -> bool {
    matches!(kind, Kind::Create | Kind::ConditionalCreate | Kind::ConditionalUpdate)
}

/// A conditional update may bring an id of its own.
fn new_id(entry: &Entry<'_>) -> String {
    let brought = entry.content["resource"]["id"].as_str();
    let updates = entry.rights.interaction().kind() == Kind::ConditionalUpdate;
    let brought = brought.filter(|id| updates && is_id(id)).map(str::to_owned);
    brought.unwrap_or_else(|| uuid::Uuid::new_v4().to_string())
}

/// `Patient?identifier=…` in place of a reference: to be resolved, or refused.
fn has_conditional_reference(value: &Value, base: &str) -> bool {
    match value {
        Value::Array(members) => members.iter().any(|one| has_conditional_reference(one, base)),
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let text = value.as_str().filter(|_| name == "reference");
            let condition = text.and_then(|text| text.split_once('?'));
            condition.is_some_and(|(of, _)| !of.contains(':') || of.starts_with(base))
                || has_conditional_reference(value, base)
        }),
        _ => false,
    }
}
