//! Batches and transactions. Every entry is judged as if it had come by itself.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use tower_fhir_auth::InteractionKind;
use tower_fhir_auth::fhir::{IssueType, OperationOutcome};

use super::answer::{Answer, Fault, Refusal};
use super::fhir_request::{Content, FhirRequest};
use super::plan::Plan;
use super::write::{self, is_write};
use super::{App, change, look};
use crate::confine::Confinement;
use crate::rights::Rights;
use crate::store::rename_references;

/// The most entries of a bundle, and roughly the most bytes of all resources in the answer.
const MAX_ENTRIES: usize = 5000;
const MAX_ANSWER: usize = 64 << 20;

/// An entry that was let in.
pub(crate) struct Entry<'a> {
    pub(crate) number: usize,
    pub(crate) rights: Rights,
    pub(crate) content: &'a Value,
}

pub(crate) fn answer(
    app: &App,
    rights: &Rights,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    let Content::Resource(bundle) = &request.body else {
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
        Some("batch") => ("batch-response", batch(app, rights, entries)?),
        Some("transaction") => ("transaction-response", transaction(app, rights, entries)?),
        _ => return Err(Refusal::invalid("`type` is neither `batch` nor `transaction`")),
    };
    let mut bundle = json!({"resourceType": "Bundle", "type": kind});
    if !responses.is_empty() {
        bundle["entry"] = responses.into();
    }
    Ok(Answer::resource(StatusCode::OK, bundle))
}

/// Each entry by itself; one that fails says so in its place, and has changed nothing.
fn batch(app: &App, rights: &Rights, entries: &[Value]) -> Result<Vec<Value>, Refusal> {
    app.store.change(|state| {
        let mut room = MAX_ANSWER;
        let each = entries.iter().enumerate().map(|(number, entry)| {
            let answer = judged(rights, number, entry).and_then(|entry| {
                if room == 0 && !entry.is_write() {
                    return Err(no_room());
                }
                let answer = change(state, &entry.rights, &entry.request()?)?;
                within(&mut room, entry.is_write(), answer)
            });
            response(app, answer)
        });
        Ok(each.collect())
    })
}

/// All entries or none. What is refused to one of them is refused to the whole.
fn transaction(app: &App, rights: &Rights, entries: &[Value]) -> Result<Vec<Value>, Refusal> {
    let judge = |(number, entry)| judged(rights, number, entry);
    let mut judged = entries.iter().enumerate().map(judge).collect::<Result<Vec<_>, _>>()?;
    // Whatever the order in the bundle: deletions, creations, changes, then reads (R4 3.1.0.11.2).
    judged.sort_by_key(|entry| match *entry.rights.interaction().method() {
        Method::DELETE => 0,
        Method::POST => 1,
        Method::PUT | Method::PATCH => 2,
        _ => 3,
    });
    let mut answers = app.store.change(|state| {
        let plan = Plan::of(state, &judged)?;
        let mut room = MAX_ANSWER;
        let mut answers: Vec<(usize, Answer)> = Vec::new();
        for entry in &judged {
            let mut request = entry.request()?;
            request.new_id = plan.new_id(entry.number);
            if let Content::Resource(resource) = &mut request.body {
                rename_references(resource, plan.names());
            }
            let answer = match entry.is_write() {
                true => {
                    let confinement = Confinement::new(&entry.rights);
                    write::perform(state, &confinement, &request, plan.target(entry.number))?
                }
                false => look(state, &entry.rights, &request)?,
            };
            answers.push((entry.number, within(&mut room, entry.is_write(), answer)?));
        }
        Ok::<_, Refusal>(answers)
    })?;
    answers.sort_by_key(|(number, _)| *number);
    Ok(answers.into_iter().map(|(_, answer)| response(app, Ok(answer))).collect())
}

fn judged<'a>(rights: &Rights, number: usize, content: &'a Value) -> Result<Entry<'a>, Refusal> {
    let text = |name: &str| content["request"][name].as_str();
    let method = text("method").and_then(|name| Method::from_bytes(name.as_bytes()).ok());
    let (Some(method), Some(url)) = (method, text("url")) else {
        return Err(Refusal::invalid("an entry has no `request` with `method` and `url`"));
    };
    // A condition that is no string would not be one.
    let is_string = |name: &str| matches!(content["request"][name], Value::Null | Value::String(_));
    if !["ifMatch", "ifNoneMatch", "ifNoneExist"].into_iter().all(is_string) {
        return Err(Refusal::invalid("a condition of an entry is not a string"));
    }
    let rights = rights.of_entry(&method, url, text("ifNoneExist"))?;
    if rights.interaction().is_search_by_post() {
        return Err(Refusal::invalid("a search in a bundle is a `GET`"));
    }
    if rights.interaction().kind() == InteractionKind::Batch {
        return Err(Refusal::invalid("an entry of a bundle is no bundle"));
    }
    Ok(Entry { number, rights, content })
}

impl Entry<'_> {
    pub(crate) fn request(&self) -> Result<FhirRequest<'_>, Refusal> {
        FhirRequest::of_entry(self.rights.interaction(), self.content)
    }

    fn is_write(&self) -> bool {
        is_write(self.rights.interaction().kind())
    }
}

/// A small bundle must not ask for one large resource again and again. A change that was made stays a success, and
/// is reported without the resource.
fn within(room: &mut usize, is_write: bool, answer: Answer) -> Result<Answer, Refusal> {
    let size = answer.resource.as_ref().map_or(0, |resource| resource.to_string().len());
    match room.checked_sub(size) {
        Some(rest) => {
            *room = rest;
            Ok(answer)
        }
        None if is_write => Ok(Answer { resource: None, ..answer }),
        None => {
            // Those after it are not even looked for.
            *room = 0;
            Err(no_room())
        }
    }
}

fn no_room() -> Refusal {
    let text = "the answers to the entries are too large for one bundle";
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, IssueType::TooLong, text)
}

fn response(app: &App, answer: Result<Answer, Refusal>) -> Value {
    let answer = match answer {
        Ok(answer) => answer,
        Err(Refusal::Denied(denial)) => {
            let Fault { status, outcome } = app.denied(&denial);
            return refused(status, &outcome);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_room_is_refused_to_a_read_and_told_without_the_resource_to_a_change() {
        let answer = || Answer::resource(StatusCode::OK, json!({"resourceType": "Basic"}));
        let mut room = 30;
        assert!(within(&mut room, false, answer()).unwrap().resource.is_some());
        assert!(matches!(
            within(&mut room, false, answer()),
            Err(Refusal::Fault(fault)) if fault.status == StatusCode::PAYLOAD_TOO_LARGE
        ));
        let changed = within(&mut room, true, answer()).unwrap();
        assert_eq!((changed.status, changed.resource), (StatusCode::OK, None));
    }
}
