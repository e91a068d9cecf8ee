//! The beginning of an export: what is asked of the upstream server, and which types it is of.

use std::collections::HashSet;

use form_urlencoded::{Serializer, parse};
use http::Method;

use super::query::QueryError;
use super::refusal::Refusal;
use crate::authorization::{Access, Denial};
use crate::display_safe::sanitize;

/// Parameters of an export (Bulk Data Access 2.0) by which nothing of other types can be found out.
const PLAIN: [&str; 5] = ["_elements", "_outputFormat", "_since", "_typeFilter", "_until"];

/// The longest query of an export, in bytes: it becomes a part of an address.
const MAX_QUERY: usize = 8 * 1024;

/// An export that may begin.
#[derive(Debug)]
pub(super) struct KickOff {
    /// The query for the upstream server.
    pub(super) query: String,
    /// The types that are exported; `None` for all of them.
    pub(super) types: Option<Vec<String>>,
}

impl KickOff {
    pub(super) fn of(access: &Access, query: &str) -> Result<Self, QueryError> {
        let interaction = access.interaction();
        let is_post = *interaction.method() == Method::POST;
        if *interaction.method() == Method::HEAD {
            return Err(bad_request("HEAD does not start an export"));
        }
        if query.len() > MAX_QUERY {
            return Err(bad_request("the query of an export has more than 8 KiB"));
        }
        let named = types_named(query);
        if let Some(unknown) =
            named.iter().find(|name| !interaction.resource_types().contains(name))
        {
            let unknown = sanitize(unknown);
            return Err(bad_request(format!("`_type`: there is no resource type `{unknown}`")));
        }
        let granted: Vec<&str> =
            interaction.resource_types().names().filter(|name| access.may_export(name)).collect();
        let is_all = granted.len() == interaction.resource_types().names().count();
        if is_post && !is_all {
            let text =
                "the types of an export by `POST` may be in its body, which is not read: use `GET`";
            return Err(QueryError::Denied(Denial::new(text)));
        }
        let types = match (is_all, named.is_empty()) {
            // What a body names is not known here.
            (true, _) if is_post => None,
            (true, true) => None,
            (true, false) => Some(named),
            (false, true) => Some(of_scopes(access, &granted)?),
            (false, false) => Some(checked(named, &granted)?),
        };
        if !is_all {
            parse(query.as_bytes())
                .try_for_each(|(name, value)| check_parameter(&name, &value, &types))?;
        }
        Ok(Self { query: rewritten(query, types.as_deref()), types })
    }
}

/// The types that `_type` names, each once.
fn types_named(query: &str) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    let mut known = HashSet::new();
    for (_, value) in parse(query.as_bytes()).filter(|(name, _)| name == "_type") {
        for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            if known.insert(name.to_owned()) {
                named.push(name.to_owned());
            }
        }
    }
    named
}

/// The types that the scopes grant; of an export of patients those that are about some.
fn of_scopes(access: &Access, granted: &[&str]) -> Result<Vec<String>, QueryError> {
    let compartment = access.patient_compartment();
    let is_of_patients = access.interaction().resource_type().is_some();
    let is_one = |name: &&&str| {
        !is_of_patients || compartment.has_place_for(name) || compartment.is_shared(name)
    };
    let types: Vec<String> = granted.iter().filter(is_one).map(|name| (*name).to_owned()).collect();
    match types.is_empty() {
        true => {
            Err(QueryError::Denied(Denial::new("no scope of the token allows exporting any type")))
        }
        false => Ok(types),
    }
}

fn checked(named: Vec<String>, granted: &[&str]) -> Result<Vec<String>, QueryError> {
    let refused = named.iter().find(|name| !granted.contains(&name.as_str()));
    match refused {
        None => Ok(named),
        Some(name) => {
            let denial = Denial::new(format!("the token may not export {name}"));
            let scopes = [format!("system/{name}.rs")];
            Err(QueryError::Denied(denial.required_scopes(scopes)))
        }
    }
}

/// Checks a parameter of an export that is not of everything: one that nobody can tell what it does is refused.
/// What the filter of a type may reach, the layer outside has judged.
fn check_parameter(name: &str, value: &str, types: &Option<Vec<String>>) -> Result<(), QueryError> {
    let filtered = value.split_once('?').map(|(of, _)| of);
    let is_of_others = |of: &str| !types.iter().flatten().any(|one| one == of);
    let is_known = matches!(name, "_type" | "_format") || PLAIN.contains(&name);
    if !is_known || (name == "_typeFilter" && filtered.is_none_or(is_of_others)) {
        let name = sanitize(name);
        let text = format!("the parameter `{name}` might reach types that are not exported");
        return Err(QueryError::Denied(Denial::new(text)));
    }
    Ok(())
}

/// Writes the query with its types in one parameter.
fn rewritten(query: &str, types: Option<&[String]>) -> String {
    let mut asked = Serializer::new(String::new());
    if let Some(types) = types {
        asked.append_pair("_type", &types.join(","));
    }
    let is_types = |name: &str| name == "_type" && types.is_some();
    asked.extend_pairs(
        // `_format` would override the `Accept` that is sent (R4 section 3.1.0.1.11).
        parse(query.as_bytes()).filter(|(name, _)| !is_types(name) && name != "_format"),
    );
    asked.finish()
}

fn bad_request(text: impl Into<String>) -> QueryError {
    QueryError::Refused(Refusal::bad_request(text))
}
