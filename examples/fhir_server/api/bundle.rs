//! Batches and transactions. Every entry is judged as if it had come by itself.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_fhir_auth::{Access, InteractionKind, OperationOutcome};

use super::answer::{Answer, Fault, Refusal};
use super::order::{Content, Order, pairs};
use super::{App, change, perform, write};
use crate::confine::Confinement;
use crate::store::{State, rename_references};

/// The most entries of a bundle.
const MAX_ENTRIES: usize = 5000;

/// An entry that was let in.
struct Entry<'a> {
    number: usize,
    access: Access,
    entry: &'a Value,
}

pub(crate) fn answer(app: &App, access: &Access, order: &Order<'_>) -> Result<Answer, Refusal> {
    let Content::Resource(bundle) = &order.body else {
        return Err(Refusal::invalid("there is no bundle"));
    };
    if bundle["resourceType"] != "Bundle" {
        return Err(Refusal::invalid("only a Bundle is sent to the base"));
    }
    let none = Vec::new();
    let entries = match &bundle["entry"] {
        Value::Null => &none,
        Value::Array(entries) if entries.len() <= MAX_ENTRIES => entries,
        _ => return Err(Refusal::invalid("`entry` is no list of at most 5000 entries")),
    };
    let (kind, responses) = match bundle["type"].as_str() {
        Some("batch") => ("batch-response", batch(app, access, entries)),
        Some("transaction") => ("transaction-response", transaction(app, access, entries)?),
        _ => return Err(Refusal::invalid("`type` is neither `batch` nor `transaction`")),
    };
    let bundle = json!({"resourceType": "Bundle", "type": kind, "entry": responses});
    Ok(Answer::resource(StatusCode::OK, bundle))
}

/// Each entry by itself; one that fails says so in its place.
fn batch(app: &App, access: &Access, entries: &[Value]) -> Vec<Value> {
    let one = |(number, entry): (usize, &Value)| {
        let entry = judged(access, number, entry)?;
        perform(app, Some(&entry.access), &entry.order()?)
    };
    let answers = entries.iter().enumerate().map(one);
    answers.map(|answer| response(app, answer)).collect()
}

/// All entries or none. What is refused to one of them is refused to the whole.
fn transaction(app: &App, access: &Access, entries: &[Value]) -> Result<Vec<Value>, Refusal> {
    let judge = |(number, entry)| judged(access, number, entry);
    let mut judged = entries.iter().enumerate().map(judge).collect::<Result<Vec<_>, _>>()?;
    // Whatever the order in the bundle: deletions, creations, changes, then reads (R4 3.1.0.11.2).
    judged.sort_by_key(|entry| match *entry.access.interaction().method() {
        Method::DELETE => 0,
        Method::POST => 1,
        Method::PUT | Method::PATCH => 2,
        _ => 3,
    });
    let mut named = BTreeSet::new();
    for entry in &judged {
        let interaction = entry.access.interaction();
        let changes = write::is_write(interaction.kind()) && interaction.id().is_some();
        if changes && !named.insert((interaction.resource_type(), interaction.id())) {
            return Err(Refusal::invalid("two entries of the transaction change one resource"));
        }
    }
    let mut answers = app.store.change(|state| {
        let ids = new_ids(state, &judged)?;
        let names = names(&judged, &ids);
        let mut answers: Vec<(usize, Answer)> = Vec::new();
        for entry in &judged {
            let mut order = entry.order()?;
            order.new_id = ids.get(&entry.number).map(|(_, id)| id.clone());
            if let Content::Resource(resource) = &mut order.body {
                rename_references(resource, &names);
            }
            answers.push((entry.number, change(state, Some(&entry.access), &order)?));
        }
        Ok::<_, Refusal>(answers)
    })?;
    answers.sort_by_key(|(number, _)| *number);
    Ok(answers.into_iter().map(|(_, answer)| response(app, Ok(answer))).collect())
}

fn judged<'a>(access: &Access, number: usize, entry: &'a Value) -> Result<Entry<'a>, Refusal> {
    let text = |name: &str| entry["request"][name].as_str();
    let method = text("method").and_then(|name| Method::from_bytes(name.as_bytes()).ok());
    let (Some(method), Some(url)) = (method, text("url")) else {
        return Err(Refusal::invalid("an entry has no `request` with `method` and `url`"));
    };
    let access = access.entry(&method, url, text("ifNoneExist"))?;
    if access.interaction().is_search_by_post() {
        return Err(Refusal::invalid("a search in a bundle is a `GET`"));
    }
    Ok(Entry { number, access, entry })
}

impl Entry<'_> {
    fn order(&self) -> Result<Order<'_>, Refusal> {
        Order::of_entry(self.access.interaction(), self.entry)
    }
}

/// Types and ids of what the entries create or, being conditional, find: other entries may refer
/// to it by `fullUrl`.
fn new_ids(
    state: &State,
    entries: &[Entry<'_>],
) -> Result<BTreeMap<usize, (String, String)>, Refusal> {
    let mut ids = BTreeMap::new();
    for entry in entries {
        let order = entry.order()?;
        let confinement = Confinement::new(Some(&entry.access), state.base());
        let condition = match order.interaction.kind() {
            InteractionKind::Create => None,
            InteractionKind::ConditionalCreate => {
                Some(pairs(order.if_none_exist.as_deref().unwrap_or_default().as_bytes()))
            }
            InteractionKind::ConditionalUpdate => Some(order.parameters.clone()),
            InteractionKind::Update => {
                let name = (order.resource_type().to_owned(), order.id().to_owned());
                ids.insert(entry.number, name);
                continue;
            }
            _ => continue,
        };
        let existing = match condition {
            Some(condition) => write::only_match(state, &confinement, &order, &condition)?,
            None => None,
        };
        let id = existing.map_or_else(|| uuid::Uuid::new_v4().to_string(), |found| found.id);
        ids.insert(entry.number, (order.resource_type().to_owned(), id));
    }
    Ok(ids)
}

/// What each temporary `fullUrl` will be.
fn names(
    entries: &[Entry<'_>],
    ids: &BTreeMap<usize, (String, String)>,
) -> BTreeMap<String, String> {
    let named = entries.iter().filter_map(|entry| {
        let url = entry.entry["fullUrl"].as_str().filter(|url| url.starts_with("urn:"))?;
        let (resource_type, id) = ids.get(&entry.number)?;
        Some((url.to_owned(), format!("{resource_type}/{id}")))
    });
    named.collect()
}

fn response(app: &App, answer: Result<Answer, Refusal>) -> Value {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Refusal::Denied(denial)) => {
            let rejection = app.auth.rejection(&denial);
            return refused(rejection.status(), &rejection.outcome());
        }
        Err(Refusal::Fault(Fault { status, outcome })) => return refused(status, &outcome),
    };
    let mut response = json!({"status": answer.status.as_str()});
    let described = [
        ("location", answer.location),
        ("etag", answer.etag),
        ("lastModified", answer.last_modified),
    ];
    for (name, value) in described {
        if let Some(value) = value {
            response[name] = value.into();
        }
    }
    let mut entry = json!({"response": response});
    if let Some(resource) = answer.resource {
        entry["resource"] = (*resource).clone();
    }
    entry
}

fn refused(status: StatusCode, outcome: &OperationOutcome) -> Value {
    let outcome: Value = serde_json::from_str(&outcome.to_json()).unwrap_or_default();
    json!({"response": {"status": status.as_str(), "outcome": outcome}})
}
