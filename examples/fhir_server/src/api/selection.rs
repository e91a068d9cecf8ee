//! `_type` and `_since`, by which `$everything`, `$export` and histories select.

use serde_json::Value;
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::fhir::search::Criterion;

use super::answer::Refusal;
use crate::store::{is_type, since};

/// The types and the time that a request names; without them it selects everything.
#[derive(Default)]
pub(super) struct Selection<'o> {
    types: Option<Vec<&'o str>>,
    since: Option<Criterion>,
}

impl<'o> Selection<'o> {
    /// Reads a parameter, and returns false if it is neither of the two. Each may appear once: of two it would be a
    /// guess which one is meant.
    pub(super) fn read(
        &mut self,
        base: &BaseUrl,
        name: &str,
        value: &'o str,
    ) -> Result<bool, Refusal> {
        let is_repeated = match name {
            "_type" => self.types.is_some(),
            "_since" => self.since.is_some(),
            _ => return Ok(false),
        };
        if is_repeated {
            return Err(Refusal::invalid(format!("`{name}` appears more than once")));
        }
        if name == "_since" {
            self.since = Some(since(base, value).map_err(Refusal::invalid)?);
            return Ok(true);
        }
        let types: Vec<&str> = value.split(',').collect();
        if let Some(unknown) = types.iter().find(|name| !is_type(name)) {
            return Err(Refusal::invalid(format!("`_type`: `{unknown}` is no type of R4")));
        }
        self.types = Some(types);
        Ok(true)
    }

    /// Returns the types that are named.
    pub(super) fn types(&self) -> Option<&[&'o str]> {
        self.types.as_deref()
    }

    pub(super) fn has_type(&self, name: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&name))
    }

    /// Reports whether a resource has changed since the time that is named, by its `meta.lastUpdated`.
    pub(super) fn has_time_of(&self, resource: &Value) -> bool {
        self.since.as_ref().is_none_or(|since| since.matches(resource))
    }
}
