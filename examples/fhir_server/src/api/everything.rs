//! `Patient/[id]/$everything` (R4 section 8.1.18.1): a patient's compartment.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tower_fhir_auth::fhir::search::Criterion;

use super::answer::{Answer, Refusal};
use super::order::Order;
use super::search::page;
use crate::confine::{Confinement, shows};
use crate::rights::Rights;
use crate::store::{self, MAX_COUNT, State, is_type, number, since};

pub(crate) fn everything(
    state: &State,
    rights: &Rights,
    order: &Order<'_>,
) -> Result<Answer, Refusal> {
    if order.resource_type() != "Patient" || order.interaction.id().is_none() {
        return Err(Refusal::not_supported("this server has `$everything` of one patient only"));
    }
    let mut types: Option<Vec<&str>> = None;
    let (mut offset, mut count) = (0, MAX_COUNT);
    let mut changed: Option<Criterion> = None;
    for (name, value) in &order.parameters {
        match name.as_str() {
            "_type" if types.is_some() => {
                return Err(Refusal::invalid("`_type` appears more than once"));
            }
            "_type" => types = Some(value.split(',').collect()),
            "_count" => count = store::count(value).map_err(Refusal::invalid)?,
            "_offset" => offset = number(name, value).map_err(Refusal::invalid)?,
            "_since" => {
                changed = Some(since(state.base(), value).map_err(Refusal::invalid)?);
            }
            "_format" | "_pretty" => {}
            other => {
                let text = format!("parameter `{other}` of `$everything` is not supported");
                return Err(Refusal::invalid(text));
            }
        }
    }
    if let Some(unknown) = types.iter().flatten().find(|name| !is_type(name)) {
        return Err(Refusal::invalid(format!("`_type`: `{unknown}` is no type of R4")));
    }
    let (confinement, members) = (Confinement::new(rights), rights.compartment(order.id()));
    let wanted = |name: &&str| types.as_ref().is_none_or(|types| types.contains(name));
    let resources = state.types().filter(wanted).flat_map(|name| state.live(name));
    let mut found: Vec<Arc<Value>> = resources
        .filter(|resource| shows(&members, state, resource) && confinement.shows(state, resource))
        .collect();
    let is_asked_for = wanted(&"Patient");
    let is_there = found.iter().any(|resource| resource["resourceType"] == "Patient");
    if is_asked_for && !is_there {
        return Err(Refusal::no_such_resource());
    }
    found.retain(|resource| changed.as_ref().is_none_or(|one| one.matches(resource)));
    let total = found.len();
    let mut bundle = json!({
        "resourceType": "Bundle", "type": "searchset", "total": total,
        "link": page(state, order, offset, count, total),
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
