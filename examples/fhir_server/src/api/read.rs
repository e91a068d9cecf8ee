//! Reads of one resource, as it is or as it was.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::Value;

use super::answer::{Answer, Refusal};
use super::fhir_request::FhirRequest;
use crate::confine::Confinement;
use crate::store::{State, Version};

pub(crate) fn read(
    state: &State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    let current = state.current(request.resource_type(), request.id());
    let current = current.ok_or_else(Refusal::no_such_resource)?;
    show(state, confinement, request, current)
}

pub(crate) fn version(
    state: &State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
) -> Result<Answer, Refusal> {
    // `[type]/[id]/_history/[vid]`: the layer has seen to the shape of it.
    let number = request.interaction.path().rsplit('/').next().unwrap_or_default();
    let version = state.version(request.resource_type(), request.id(), number);
    show(state, confinement, request, version.ok_or_else(Refusal::no_such_resource)?)
}

fn show(
    state: &State,
    confinement: &Confinement<'_>,
    request: &FhirRequest<'_>,
    version: &Version,
) -> Result<Answer, Refusal> {
    if !judged(state, version, |resource| confinement.shows(state, resource)) {
        return Err(Refusal::no_such_resource());
    }
    if version.resource.is_none() {
        return Err(Refusal::gone());
    }
    let answer = Answer::version(StatusCode::OK, version);
    let is_known = match (&request.if_none_match, &request.if_modified_since) {
        (Some(tags), _) => names(tags, version.version),
        (None, Some(since)) => answer.is_as_at(since),
        (None, None) => false,
    };
    if is_known {
        return Ok(Answer { resource: None, status: StatusCode::NOT_MODIFIED, ..answer });
    }
    Ok(answer)
}

/// Reports whether entity tags, in a list or as `*`, name a version. They are compared weakly
/// (RFC 9110 section 8.8.3.2).
pub(crate) fn names(tags: &str, version: u64) -> bool {
    let version = version.to_string();
    tags.split(',')
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/").trim_matches('"') == version)
}

/// Judges a version. Each is judged by itself; a deletion by what was deleted, so that it tells
/// nothing of what could not be seen before.
pub(crate) fn judged(state: &State, version: &Version, test: impl Fn(&Value) -> bool) -> bool {
    last_content(state, version).is_some_and(|resource| test(&resource))
}

/// The resource at a version, or before it was deleted.
pub(crate) fn last_content(state: &State, version: &Version) -> Option<Arc<Value>> {
    if let Some(resource) = &version.resource {
        return Some(Arc::clone(resource));
    }
    let versions = state.versions(&version.resource_type, &version.id);
    let mut until = versions.into_iter().filter(|other| other.version <= version.version);
    until.find_map(|version| version.resource.clone())
}
