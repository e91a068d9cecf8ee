//! Searches: of a type, of all, of a compartment.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tower_fhir_auth::{InteractionKind, Permissions, patient_compartment};

use super::answer::{Answer, Refusal};
use super::order::Order;
use crate::confine::{Confinement, is_of_patient};
use crate::store::{Base, Reference, Search, State, include, references, revinclude};

pub(crate) fn search(
    state: &State,
    confinement: &Confinement<'_>,
    order: &Order<'_>,
) -> Result<Answer, Refusal> {
    let compartment = compartment(order)?;
    let searched = match order.interaction.kind() {
        InteractionKind::SearchCompartment => order.interaction.searched_type(),
        _ => order.interaction.resource_type(),
    };
    let search =
        Search::parse(state.base(), searched, &order.parameters).map_err(Refusal::invalid)?;
    let mut matches = visible(state, confinement, &search);
    if let Some(of) = &compartment {
        matches.retain(|resource| is_in(state.base(), resource, of));
    }
    let total = matches.len();
    matches.truncate(search.count);
    let included = included(state, confinement, &search, &matches);
    let entry = |resource: &Arc<Value>, mode: &str| {
        let name = Reference::of(resource);
        let name = name.map(|name| format!("/{}/{}", name.resource_type, name.id));
        json!({
            "fullUrl": format!("{}{}", state.base().url(), name.unwrap_or_default()),
            "resource": **resource, "search": {"mode": mode},
        })
    };
    let entries = matches.iter().map(|resource| entry(resource, "match"));
    let entries = entries.chain(included.iter().map(|resource| entry(resource, "include")));
    let query =
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&order.parameters).finish();
    let address = order.interaction.path().trim_end_matches("/_search");
    let below = order.interaction.base().below(address).unwrap_or_default();
    let bundle = json!({
        "resourceType": "Bundle", "type": "searchset", "total": total,
        "link": [{"relation": "self", "url": format!("{}{below}?{query}", state.base().url())}],
        "entry": entries.collect::<Vec<_>>(),
    });
    Ok(Answer::resource(StatusCode::OK, bundle))
}

/// What a search finds among what the caller may search: to the others it is not there, also in
/// the total, and in whether a condition holds.
pub(crate) fn visible(
    state: &State,
    confinement: &Confinement<'_>,
    search: &Search,
) -> Vec<Arc<Value>> {
    let mut matches = search.matches_in(state);
    matches.retain(|resource| confinement.may(Permissions::SEARCH, resource));
    matches
}

/// What comes along with the matches, each once, as far as the caller may see it.
fn included(
    state: &State,
    confinement: &Confinement<'_>,
    search: &Search,
    matches: &[Arc<Value>],
) -> Vec<Arc<Value>> {
    let mut known: BTreeSet<Option<Reference>> =
        matches.iter().map(|resource| Reference::of(resource)).collect();
    let of_matches = search.includes.iter();
    let of_matches = of_matches
        .flat_map(|one| matches.iter().flat_map(move |resource| include(state, resource, one)));
    let to_matches = search.revincludes.iter();
    let to_matches = to_matches
        .flat_map(|one| matches.iter().flat_map(move |resource| revinclude(state, resource, one)));
    let mut found: Vec<Arc<Value>> = of_matches.chain(to_matches).collect();
    found.retain(|resource| {
        confinement.may_come_along(resource) && known.insert(Reference::of(resource))
    });
    found
}

/// The compartment that a search is about. This server has those of patients and encounters.
fn compartment(order: &Order<'_>) -> Result<Option<Reference>, Refusal> {
    match (order.interaction.kind(), order.resource_type()) {
        (InteractionKind::SearchCompartment, name @ ("Patient" | "Encounter")) => {
            Ok(Some(Reference::to(name, order.id())))
        }
        (InteractionKind::SearchCompartment, name) => {
            Err(Refusal::not_supported(format!("this server has no compartments of {name}")))
        }
        _ => Ok(None),
    }
}

fn is_in(base: &Base, resource: &Value, compartment: &Reference) -> bool {
    if compartment.resource_type == "Patient" {
        let member = resource["resourceType"].as_str().and_then(patient_compartment).is_some();
        return member && is_of_patient(base, resource, &compartment.id);
    }
    Reference::of(resource).as_ref() == Some(compartment)
        || references(base, resource, "encounter").contains(compartment)
}
