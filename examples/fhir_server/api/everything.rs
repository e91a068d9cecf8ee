//! `Patient/[id]/$everything` (R4 section 8.1.18.1): a patient's compartment.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tower_fhir_auth::Permissions;

use super::answer::{Answer, Refusal};
use super::order::Order;
use crate::confine::{Confinement, is_of_patient};
use crate::store::{State, is_type};

pub(crate) fn everything(
    state: &State,
    confinement: &Confinement<'_>,
    order: &Order<'_>,
) -> Result<Answer, Refusal> {
    if order.resource_type() != "Patient" || order.interaction.id().is_none() {
        return Err(Refusal::not_supported("this server has `$everything` of one patient only"));
    }
    let mut types: Option<Vec<&str>> = None;
    for (name, value) in &order.parameters {
        match name.as_str() {
            "_type" => types = Some(value.split(',').filter(|name| is_type(name)).collect()),
            "_format" | "_pretty" => {}
            other => {
                let text = format!("parameter `{other}` of `$everything` is not supported");
                return Err(Refusal::invalid(text));
            }
        }
    }
    let both = Permissions::READ | Permissions::SEARCH;
    let patient = state.current("Patient", order.id()).and_then(|found| found.resource.as_ref());
    let seen = patient.filter(|patient| confinement.may(Permissions::READ, patient));
    if seen.is_none() {
        return Err(Refusal::no_such_resource());
    }
    let wanted = |name: &&str| types.as_ref().is_none_or(|types| types.contains(name));
    let resources = state.types().filter(wanted).flat_map(|name| state.live(name));
    let of_patient = resources.filter(|resource| {
        is_of_patient(state.base(), resource, order.id()) && confinement.may(both, resource)
    });
    let entries: Vec<Value> = of_patient.map(|resource| entry(state, &resource)).collect();
    let bundle = json!({
        "resourceType": "Bundle", "type": "searchset", "total": entries.len(), "entry": entries,
    });
    Ok(Answer::resource(StatusCode::OK, bundle))
}

fn entry(state: &State, resource: &Arc<Value>) -> Value {
    let text = |name: &str| resource[name].as_str().unwrap_or_default();
    json!({
        "fullUrl": format!("{}/{}/{}", state.base().url(), text("resourceType"), text("id")),
        "resource": **resource, "search": {"mode": "match"},
    })
}
