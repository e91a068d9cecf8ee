//! Histories, newest first.

use axum::http::StatusCode;
use serde_json::{Value, json};
use tower_fhir_auth::InteractionKind;

use super::answer::{Answer, Refusal};
use super::fhir_request::FhirRequest;
use super::read::judged;
use super::search::page;
use super::selection::Selection;
use crate::confine::Confinement;
use crate::store::{self, Change, State, Version, is_type, number};

/// Of one resource. A history of which nothing may be seen is that of a resource that does not
/// exist.
pub(crate) fn of_instance(
    state: &State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    let mut versions = state.versions(request.resource_type(), request.id());
    versions
        .retain(|version| judged(state, version, |resource| confinement.shows(state, resource)));
    if versions.is_empty() {
        return Err(Refusal::no_such_resource());
    }
    bundle(state, request, versions)
}

/// Of a type, or of all.
pub(crate) fn of_all(
    state: &State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    if request.interaction.resource_type().is_some_and(|name| !is_type(name)) {
        return Err(Refusal::no_such_type());
    }
    let mut versions = state.history(request.interaction.resource_type());
    versions
        .retain(|version| judged(state, version, |resource| confinement.shows(state, resource)));
    bundle(state, request, versions)
}

fn bundle(
    state: &State,
    request: &FhirRequest<'_>,
    mut versions: Vec<&Version>,
) -> Result<Answer, Refusal> {
    let (mut count, mut offset) = (100, 0);
    let mut selection = Selection::default();
    for (name, value) in &request.parameters {
        match name.as_str() {
            "_count" => count = store::count(value).map_err(Refusal::invalid)?,
            "_offset" => offset = number(name, value).map_err(Refusal::invalid)?,
            "_format" | "_pretty" => {}
            "_type" if request.interaction.kind() != InteractionKind::HistorySystem => {
                return Err(Refusal::invalid("`_type` selects from the history of all types only"));
            }
            name if selection.read(state.base(), name, value)? => {}
            other => {
                let text = format!("parameter `{other}` of a history is not supported");
                return Err(Refusal::invalid(text));
            }
        }
    }
    versions.retain(|version| {
        let time = json!({"meta": {"lastUpdated": version.at}});
        selection.has_type(&version.resource_type) && selection.has_time_of(&time)
    });
    let total = versions.len();
    let shown = versions.iter().skip(offset).take(count);
    let mut bundle = json!({
        "resourceType": "Bundle", "type": "history", "total": total,
        "link": page(state, request, offset, count, total),
    });
    let entries: Vec<Value> = shown.map(|version| entry(state, version)).collect();
    if !entries.is_empty() {
        bundle["entry"] = entries.into();
    }
    Ok(Answer::resource(StatusCode::OK, bundle))
}

fn entry(state: &State, version: &Version) -> Value {
    let Version { resource_type, id, version: number, at, change, resource } = version;
    let (method, url, status) = match change {
        Change::Created => ("POST", resource_type.clone(), "201"),
        Change::Put => ("PUT", format!("{resource_type}/{id}"), "201"),
        Change::Updated => ("PUT", format!("{resource_type}/{id}"), "200"),
        Change::Deleted => ("DELETE", format!("{resource_type}/{id}"), "204"),
    };
    let mut entry = json!({
        "fullUrl": format!("{}/{resource_type}/{id}", state.url()),
        "request": {"method": method, "url": url},
        "response": {"status": status, "etag": format!("W/\"{number}\""), "lastModified": at},
    });
    if let Some(resource) = resource {
        entry["resource"] = (**resource).clone();
    }
    entry
}
