//! `Patient/[id]/$everything` (R4 section 8.1.18.1): a patient's compartment.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::answer::{Answer, Refusal};
use super::fhir_request::FhirRequest;
use super::search::page;
use super::selection::Selection;
use crate::confine::{Confinement, shows};
use crate::rights::Rights;
use crate::store::{self, MAX_COUNT, State, number};

pub(crate) fn everything(
    state: &State,
    rights: &Rights,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    if request.resource_type() != "Patient" || request.interaction.id().is_none() {
        return Err(Refusal::not_supported("this server has `$everything` of one patient only"));
    }
    let mut selection = Selection::default();
    let (mut offset, mut count) = (0, MAX_COUNT);
    for (name, value) in &request.parameters {
        match name.as_str() {
            "_count" => count = store::count(value).map_err(Refusal::invalid)?,
            "_offset" => offset = number(name, value).map_err(Refusal::invalid)?,
            "_format" | "_pretty" => {}
            name if selection.read(state.base(), name, value)? => {}
            other => {
                let text = format!("parameter `{other}` of `$everything` is not supported");
                return Err(Refusal::invalid(text));
            }
        }
    }
    let (confinement, members) = (Confinement::new(rights), rights.compartment(request.id()));
    let selected = state.types().filter(|name| selection.has_type(name));
    let resources = selected.flat_map(|name| state.live(name));
    let mut found: Vec<Arc<Value>> = resources
        .filter(|resource| shows(&members, state, resource) && confinement.shows(state, resource))
        .collect();
    let is_there = found.iter().any(|resource| resource["resourceType"] == "Patient");
    if selection.has_type("Patient") && !is_there {
        return Err(Refusal::no_such_resource());
    }
    found.retain(|resource| selection.has_time_of(resource));
    let total = found.len();
    let mut bundle = json!({
        "resourceType": "Bundle", "type": "searchset", "total": total,
        "link": page(state, request, offset, count, total),
    });
    let shown = found.iter().skip(offset).take(count);
    let entries: Vec<Value> = shown.map(|resource| entry(state, resource)).collect();
    if !entries.is_empty() {
        bundle["entry"] = entries.into();
    }
    Ok(Answer::resource(StatusCode::OK, bundle))
}

fn entry(state: &State, resource: &Arc<Value>) -> Value {
    let text = |name: &str| resource[name].as_str().unwrap_or_default();
    json!({
        "fullUrl": format!("{}/{}/{}", state.url(), text("resourceType"), text("id")),
        "resource": **resource, "search": {"mode": "match"},
    })
}
