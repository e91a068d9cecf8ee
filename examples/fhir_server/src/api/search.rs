//! Searches: of a type, of all, of a compartment.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tower_fhir_auth::InteractionKind;
use tower_fhir_auth::fhir::search::SearchParameter;
use tower_fhir_auth::fhir::{BaseUrl, ResourceReference, ResourceTypes};
use tower_fhir_auth::smart::Permissions;

use super::answer::{Answer, Refusal};
use super::fhir_request::FhirRequest;
use crate::confine::{Confinement, shows};
use crate::store::{Search, State, include, is_type, name_of, revinclude};

pub(crate) fn search(
    state: &State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    let compartment = compartment(request)?;
    chains(confinement, &request.parameters)?;
    let searched = match request.interaction.kind() {
        InteractionKind::SearchCompartment => request.interaction.searched_type(),
        _ => request.interaction.resource_type(),
    };
    if searched.is_some_and(|name| !is_type(name)) {
        return Err(Refusal::no_such_type());
    }
    let search =
        Search::parse(state.base(), searched, &request.parameters).map_err(Refusal::invalid)?;
    let mut matches = visible(state, confinement, &search);
    if let Some(of) = &compartment {
        let is_patient = of.resource_type == "Patient";
        let of_patient = is_patient.then(|| confinement.compartment(&of.id));
        matches.retain(|resource| match &of_patient {
            Some(members) => shows(members, state, resource),
            None => is_of_encounter(state.base(), resource, of),
        });
    }
    let total = matches.len();
    let matches: Vec<Arc<Value>> =
        matches.into_iter().skip(search.offset).take(search.count).collect();
    let included = included(state, confinement, &search, &matches);
    let entry = |resource: &Arc<Value>, mode: &str| {
        let name = name_of(resource);
        let name = name.map(|name| format!("/{}/{}", name.resource_type, name.id));
        json!({
            "fullUrl": format!("{}{}", state.url(), name.unwrap_or_default()),
            "resource": **resource, "search": {"mode": mode},
        })
    };
    let entries = matches.iter().map(|resource| entry(resource, "match"));
    let entries = entries.chain(included.iter().map(|resource| entry(resource, "include")));
    let entries: Vec<Value> = entries.collect();
    let mut bundle = json!({
        "resourceType": "Bundle", "type": "searchset", "total": total,
        "link": page(state, request, search.offset, search.count, total),
    });
    if !entries.is_empty() {
        bundle["entry"] = entries.into();
    }
    Ok(Answer::resource(StatusCode::OK, bundle))
}

/// The links of a page of results: to itself, and to the next one if there is more.
pub(crate) fn page(
    state: &State,
    request: &FhirRequest<'_>,
    offset: usize,
    count: usize,
    total: usize,
) -> Value {
    let address = request.interaction.path().trim_end_matches("/_search");
    let below = request.interaction.base().below(address).unwrap_or_default();
    let url = |parameters: &[(String, String)]| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        // A comma stands between values. Some clients look for it as such.
        let query = query.extend_pairs(parameters).finish().replace("%2C", ",");
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{below}{mark}{query}", state.url())
    };
    let mut links = vec![json!({"relation": "self", "url": url(&request.parameters)})];
    let next = offset.saturating_add(count);
    if count > 0 && next < total {
        let mut parameters = request.parameters.clone();
        parameters.retain(|(name, _)| name != "_offset");
        parameters.push(("_offset".to_owned(), next.to_string()));
        links.push(json!({"relation": "next", "url": url(&parameters)}));
    }
    links.into()
}

/// This store evaluates no chains. One that may reach what the caller must not depend on is
/// refused for that reason, whatever the store can do.
pub(crate) fn chains(
    confinement: &Confinement<'_>,
    parameters: &[(String, String)],
) -> Result<(), Refusal> {
    let types = ResourceTypes::r4();
    for (name, _) in parameters {
        let reached = reached(name, &types);
        if let Some(hidden) = reached.iter().find(|name| !confinement.may_depend_on(name)) {
            return Err(confinement.no_chain_to(hidden).into());
        }
    }
    Ok(())
}

/// The types that a parameter may reach beside the one that is searched: those of `_has`, and those of each link
/// of a chain.
fn reached<'a>(name: &'a str, known: &'a ResourceTypes) -> Vec<&'a str> {
    let (mut types, mut rest) = (Vec::new(), name);
    while let Some(reverse) = rest.strip_prefix("_has:") {
        let mut parts = reverse.splitn(3, ':');
        types.extend(parts.next().filter(|name| is_type(name)));
        rest = parts.nth(1).unwrap_or_default();
    }
    let mut links: Vec<&str> = rest.split('.').collect();
    links.pop();
    for link in links {
        match link.split_once(':') {
            Some((_, name)) if is_type(name) => types.push(name),
            _ => types.extend(targets(link, known)),
        }
    }
    types
}

/// The types that a reference may have, as far as this store knows.
fn targets<'a>(link: &str, known: &'a ResourceTypes) -> Vec<&'a str> {
    match link {
        "patient" => vec!["Patient"],
        "encounter" => vec!["Encounter"],
        "subject" => vec!["Device", "Group", "Location", "Patient"],
        _ => known.names().collect(),
    }
}

/// Returns the matches of a search among what the caller may search: to the others it is not there, also in
/// the total, and in whether a condition holds.
pub(crate) fn visible(
    state: &State,
    confinement: &Confinement<'_>,
    search: &Search,
) -> Vec<Arc<Value>> {
    let mut matches = search.matches_in(state);
    matches.retain(|resource| confinement.may(Permissions::SEARCH, state, resource));
    matches
}

/// Returns the resources that come along with the matches, each once, as far as the caller may see it.
fn included(
    state: &State,
    confinement: &Confinement<'_>,
    search: &Search,
    matches: &[Arc<Value>],
) -> Vec<Arc<Value>> {
    let mut known: BTreeSet<Option<ResourceReference>> =
        matches.iter().map(|resource| name_of(resource)).collect();
    let of_matches = search.includes.iter().flat_map(|one| include(state, matches, one));
    let to_matches = search.revincludes.iter().flat_map(|one| revinclude(state, matches, one));
    let mut found: Vec<Arc<Value>> = of_matches.chain(to_matches).collect();
    found.retain(|resource| {
        confinement.includes(state, resource) && known.insert(name_of(resource))
    });
    found
}

/// The compartment that a search is about. This server has those of patients and encounters.
fn compartment(request: &FhirRequest<'_>) -> Result<Option<ResourceReference>, Refusal> {
    match (request.interaction.kind(), request.resource_type()) {
        (InteractionKind::SearchCompartment, name @ ("Patient" | "Encounter")) => {
            Ok(Some(ResourceReference::new(name, request.id())))
        }
        (InteractionKind::SearchCompartment, name) => {
            Err(Refusal::not_supported(format!("this server has no compartments of {name}")))
        }
        _ => Ok(None),
    }
}

fn is_of_encounter(base: &BaseUrl, resource: &Value, encounter: &ResourceReference) -> bool {
    let resource_type = resource["resourceType"].as_str().unwrap_or_default();
    let parameter = encounter_parameter(resource_type);
    let parameter = parameter.and_then(|name| SearchParameter::find(resource_type, name));
    name_of(resource).as_ref() == Some(encounter)
        || parameter.is_some_and(|one| one.references(resource, base).contains(encounter))
}

/// The parameters that put a resource into an encounter's compartment
/// (<https://hl7.org/fhir/R4/compartmentdefinition-encounter.html>).
fn encounter_parameter(resource_type: &str) -> Option<&'static str> {
    match resource_type {
        "ChargeItem" | "MedicationAdministration" => Some("context"),
        "DocumentManifest" => Some("related-ref"),
        "CarePlan"
        | "CareTeam"
        | "Claim"
        | "ClinicalImpression"
        | "Communication"
        | "CommunicationRequest"
        | "Composition"
        | "Condition"
        | "DeviceRequest"
        | "DiagnosticReport"
        | "DocumentReference"
        | "ExplanationOfBenefit"
        | "Media"
        | "MedicationRequest"
        | "NutritionOrder"
        | "Observation"
        | "Procedure"
        | "QuestionnaireResponse"
        | "RequestGroup"
        | "ServiceRequest"
        | "VisionPrescription" => Some("encounter"),
        _ => None,
    }
}
