//! Changes: each is asked about before and after.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::Value;
use tower_fhir_auth::InteractionKind as Kind;
use tower_fhir_auth::fhir::{IssueType, ResourceReference};
use tower_fhir_auth::smart::Permissions;

use super::answer::{Answer, Refusal};
use super::fhir_request::{Content, FhirRequest, pairs};
use super::read::{last_content, names};
use super::search::{chains, visible};
use crate::confine::Confinement;
use crate::store::{Search, State, Version, is_id, is_type, name_of, patch};

pub(crate) fn is_write(kind: Kind) -> bool {
    let conditional =
        matches!(kind, Kind::ConditionalUpdate | Kind::ConditionalPatch | Kind::ConditionalDelete);
    conditional
        || takes_resource(kind) && kind != Kind::Batch
        || matches!(kind, Kind::Patch | Kind::Delete)
}

/// Reports whether the body is a resource.
pub(crate) fn takes_resource(kind: Kind) -> bool {
    let creates = matches!(kind, Kind::Create | Kind::ConditionalCreate);
    creates || matches!(kind, Kind::Update | Kind::ConditionalUpdate | Kind::Batch)
}

/// The resource that a change is about: by its id, or the one that its condition finds. None where there is
/// none yet, or the condition finds none.
pub(crate) fn target(
    state: &State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
) -> Result<Option<ResourceReference>, Refusal> {
    if !is_type(request.resource_type()) {
        return Err(Refusal::no_such_type());
    }
    let kind = request.interaction.kind();
    if !is_conditional(kind) || kind == Kind::ConditionalCreate {
        let known = |name: &str, value: &str| match name {
            "_format" | "_pretty" => true,
            "_hardDelete" => kind == Kind::Delete && matches!(value, "true" | "false"),
            _ => false,
        };
        if request.parameters.iter().filter(|(name, _)| name == "_hardDelete").count() > 1 {
            return Err(Refusal::invalid("`_hardDelete` appears more than once"));
        }
        if let Some((name, value)) =
            request.parameters.iter().find(|(name, value)| !known(name, value))
        {
            let text = format!("parameter `{name}={value}` is not supported here");
            return Err(Refusal::invalid(text));
        }
    }
    match kind {
        Kind::Update | Kind::Patch | Kind::Delete => {
            Ok(Some(ResourceReference::new(request.resource_type(), request.id())))
        }
        _ if is_conditional(kind) => only_match(state, confinement, request, &condition(request)),
        _ => Ok(None),
    }
}

/// Makes a change whose [`target`] is known.
pub(crate) fn perform(
    state: &mut State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
    target: Option<&ResourceReference>,
) -> Result<Answer, Refusal> {
    match (request.interaction.kind(), target) {
        (Kind::Create, _) | (Kind::ConditionalCreate, None) => create(state, confinement, request),
        (Kind::ConditionalCreate, Some(existing)) => {
            Ok(found_instead(state, confinement, existing))
        }
        (Kind::Update | Kind::ConditionalUpdate, Some(existing)) => {
            update(state, confinement, request, &existing.id)
        }
        (Kind::ConditionalUpdate, None) => create_by_update(state, confinement, request),
        (Kind::Patch | Kind::ConditionalPatch, Some(existing)) => {
            patch_resource(state, confinement, request, &existing.id)
        }
        (Kind::ConditionalPatch, None) => Err(Refusal::not_found("nothing matches the condition")),
        (Kind::Delete | Kind::ConditionalDelete, Some(existing)) => {
            delete(state, confinement, request, &existing.id)
        }
        (Kind::ConditionalDelete, None) => Ok(Answer::status(StatusCode::NO_CONTENT)),
        _ => Err(Refusal::not_supported("this server does not have the interaction")),
    }
}

pub(crate) fn is_conditional(kind: Kind) -> bool {
    let changes = matches!(kind, Kind::ConditionalPatch | Kind::ConditionalDelete);
    changes || matches!(kind, Kind::ConditionalCreate | Kind::ConditionalUpdate)
}

/// The search that a conditional change begins with.
pub(crate) fn condition(request: &FhirRequest<'_>) -> Vec<(String, String)> {
    match request.interaction.kind() {
        Kind::ConditionalCreate => {
            pairs(request.if_none_exist.as_deref().unwrap_or_default().as_bytes())
        }
        _ => request.parameters.clone(),
    }
}

/// The one resource that a condition finds among those that the caller may search. What is hidden
/// from the caller does not exist here either, or conditions would tell of it.
fn only_match(
    state: &State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
    condition: &[(String, String)],
) -> Result<Option<ResourceReference>, Refusal> {
    // What the interaction takes beside its condition: any other parameter has to be one of the search.
    let is_taken = |(name, value): &&(String, String)| {
        let deletes = request.interaction.kind() == Kind::ConditionalDelete;
        deletes && name == "_hardDelete" && matches!(&**value, "true" | "false")
    };
    let condition: Vec<(String, String)> =
        condition.iter().filter(|parameter| !is_taken(parameter)).cloned().collect();
    chains(confinement, &condition)?;
    let of_results =
        |name: &str| matches!(name, "_count" | "_offset" | "_summary" | "_include" | "_revinclude");
    if condition.is_empty() || condition.iter().any(|(name, _)| of_results(name)) {
        return Err(Refusal::invalid("the condition is not a search for resources"));
    }
    let search = Search::parse(state.base(), Some(request.resource_type()), &condition);
    let search = search.map_err(Refusal::invalid)?;
    if search.criteria.is_empty() {
        return Err(Refusal::invalid("the condition is not a search for resources"));
    }
    let mut matches = visible(state, confinement, &search).into_iter();
    match (matches.next(), matches.next()) {
        (None, _) => Ok(None),
        (Some(one), None) => Ok(name_of(&one)),
        (Some(_), Some(_)) => Err(Refusal::precondition("several resources match the condition")),
    }
}

/// The resource of the body, if it is one of the address.
fn sent(request: &FhirRequest<'_>) -> Result<Value, Refusal> {
    let Content::Resource(resource) = &request.body else {
        return Err(Refusal::invalid("there is no resource"));
    };
    if resource["resourceType"] != *request.resource_type() {
        return Err(Refusal::invalid("`resourceType` of the body is not that of the address"));
    }
    Ok(resource.clone())
}

fn create(
    state: &mut State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    let mut resource = sent(request)?;
    let id = request.new_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    resource["id"] = id.as_str().into();
    confinement.check_store(state, None, Some(&resource))?;
    let version = state.create(request.resource_type(), &id, resource);
    Ok(stored(state, confinement, StatusCode::CREATED, &version))
}

fn update(
    state: &mut State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
    id: &str,
) -> Result<Answer, Refusal> {
    let before = changeable(state, confinement, Permissions::UPDATE, request, id)?;
    let mut resource = sent(request)?;
    let conditional = request.interaction.kind() == Kind::ConditionalUpdate;
    match &resource["id"] {
        Value::Null if conditional => resource["id"] = id.into(),
        Value::String(own) if own == id => {}
        _ => return Err(Refusal::invalid("`id` of the body is not that of the address")),
    }
    fits(state, request, id)?;
    confinement.check_store(state, before.as_deref(), Some(&resource))?;
    let (version, created) = state.put(request.resource_type(), id, resource);
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(stored(state, confinement, status, &version))
}

/// A conditional update that finds nothing creates, also with an id of its own. Where that is another resource's,
/// the condition has excluded it (R5 section 3.2.0.4.3; R4 does not say).
fn create_by_update(
    state: &mut State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    let own = sent(request)?["id"].as_str().map(str::to_owned);
    let confined = confinement.is_confined(Permissions::UPDATE, request.resource_type());
    let id = match own {
        Some(_) if confined => return Err(Refusal::no_such_resource()),
        Some(own) if !is_id(&own) => return Err(Refusal::invalid("`id` of the body is not an id")),
        Some(own) if is_there(state, request.resource_type(), &own) => {
            let text = "the condition does not match the resource that has the `id` of the body";
            return Err(Refusal::new(StatusCode::CONFLICT, IssueType::Conflict, text));
        }
        Some(own) => own,
        None if confined && request.if_match.is_some() => return Err(Refusal::changed()),
        None if confined => return create(state, confinement, request),
        None => request.new_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
    };
    update(state, confinement, request, &id)
}

fn is_there(state: &State, resource_type: &str, id: &str) -> bool {
    state.referenced(&ResourceReference::new(resource_type, id)).is_some()
}

fn patch_resource(
    state: &mut State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
    id: &str,
) -> Result<Answer, Refusal> {
    let Content::JsonPatch(operations) = &request.body else {
        return Err(Refusal::invalid("there is no patch"));
    };
    let before = changeable(state, confinement, Permissions::UPDATE, request, id)?;
    let before = before.ok_or_else(|| none_to_change(state, request, id))?;
    fits(state, request, id)?;
    let after = patch(&before, operations).map_err(Refusal::invalid)?;
    confinement.check_store(state, Some(&before), Some(&after))?;
    let (version, _) = state.put(request.resource_type(), id, after);
    Ok(stored(state, confinement, StatusCode::OK, &version))
}

fn delete(
    state: &mut State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
    id: &str,
) -> Result<Answer, Refusal> {
    let before = changeable(state, confinement, Permissions::DELETE, request, id)?;
    if before.is_none() && state.current(request.resource_type(), id).is_none() {
        return Err(Refusal::no_such_resource());
    }
    fits(state, request, id)?;
    let hard =
        request.parameters.iter().any(|(name, value)| name == "_hardDelete" && value == "true");
    if !hard {
        state.delete(request.resource_type(), id);
        return Ok(Answer::status(StatusCode::NO_CONTENT));
    }
    // What takes the history with it takes every version, so that each has to be within reach.
    for version in state.versions(request.resource_type(), id) {
        if let Some(resource) = &version.resource {
            let check = confinement.check_store(state, Some(resource), None);
            check.map_err(|_| Refusal::outside())?;
        }
    }
    state.purge(request.resource_type(), id);
    Ok(Answer::status(StatusCode::NO_CONTENT))
}

/// The resource as it is, if the caller may change it; to others it is not there. `None` where
/// there is none, and the caller may know that.
///
/// To a confined caller what does not exist looks like what is hidden, and what it has deleted is
/// gone.
fn changeable(
    state: &State,
    confinement: &Confinement<'_>,
    permission: Permissions,
    request: &FhirRequest<'_>,
    id: &str,
) -> Result<Option<Arc<Value>>, Refusal> {
    let confined = confinement.is_confined(permission, request.resource_type());
    let current = state.current(request.resource_type(), id);
    let last = current.and_then(|current| last_content(state, current));
    let Some(last) = last else {
        return if confined { Err(Refusal::no_such_resource()) } else { Ok(None) };
    };
    // No more than to leave it as it is, or to take it away.
    let after = (permission == Permissions::UPDATE).then_some(&*last);
    confinement.check_store(state, Some(&last), after)?;
    match current.and_then(|current| current.resource.clone()) {
        None if confined => Err(Refusal::gone()),
        resource => Ok(resource),
    }
}

fn none_to_change(state: &State, request: &FhirRequest<'_>, id: &str) -> Refusal {
    match state.current(request.resource_type(), id) {
        Some(_) => Refusal::gone(),
        None => Refusal::no_such_resource(),
    }
}

/// `If-Match` and `If-None-Match` (RFC 9110 section 13.1), with the weak tags of FHIR.
fn fits(state: &State, request: &FhirRequest<'_>, id: &str) -> Result<(), Refusal> {
    let current = state.current(request.resource_type(), id);
    let current = current.filter(|current| current.resource.is_some());
    let names = |tags: &String| current.is_some_and(|current| names(tags, current.version));
    if request.if_match.as_ref().is_some_and(|tags| !names(tags)) {
        return Err(Refusal::changed());
    }
    if request.if_none_match.as_ref().is_some_and(names) {
        return Err(Refusal::precondition("the resource is there already"));
    }
    Ok(())
}

/// Shows a stored resource to those who may read it; to others only its address.
fn stored(
    state: &State,
    confinement: &Confinement<'_>,
    status: StatusCode,
    version: &Version,
) -> Answer {
    let Version { resource_type, id, version: number, .. } = version;
    let base = state.url();
    let readable = |resource: &Arc<Value>| confinement.may(Permissions::READ, state, resource);
    let answer = Answer::version(status, version);
    Answer {
        resource: answer.resource.filter(readable),
        location: Some(format!("{base}/{resource_type}/{id}/_history/{number}")),
        ..answer
    }
}

fn found_instead(
    state: &State,
    confinement: &Confinement<'_>,
    existing: &ResourceReference,
) -> Answer {
    match state.current(&existing.resource_type, &existing.id) {
        Some(version) => stored(state, confinement, StatusCode::OK, version),
        None => Answer::status(StatusCode::OK),
    }
}
