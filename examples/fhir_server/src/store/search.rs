//! The search parameters of a request.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::fhir::search::Criterion;

use super::include::Include;
use super::reference::is_type;
use super::state::State;

/// Entries of a search result without `_count`, and the most that `_count` can ask for.
const DEFAULT_COUNT: usize = 100;
pub(crate) const MAX_COUNT: usize = 5000;

/// The most parameters of a search, and the most values in all of them: each value is compared with
/// each resource.
const MAX_PARAMETERS: usize = 100;
const MAX_VALUES: usize = 500;

/// A search of one type, or of all. A parameter that is not known is an error, never ignored: a
/// result that is wider than what was asked for would go unnoticed.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    pub(crate) resource_type: Option<String>,
    /// All of those for the type of a resource have to match.
    pub(crate) criteria: Vec<(Option<String>, Criterion)>,
    /// The types that a search of all types is confined to.
    pub(crate) types: Option<Vec<String>>,
    pub(crate) count: usize,
    /// The number of results on the pages before this one.
    pub(crate) offset: usize,
    pub(crate) includes: Vec<Include>,
    pub(crate) revincludes: Vec<Include>,
}

impl Search {
    /// The error is the reason why there is no such search.
    pub(crate) fn parse(
        base: &BaseUrl,
        resource_type: Option<&str>,
        parameters: &[(String, String)],
    ) -> Result<Self, String> {
        let values = parameters.iter().map(|(_, value)| value.matches(',').count() + 1);
        if parameters.len() > MAX_PARAMETERS || values.sum::<usize>() > MAX_VALUES {
            return Err("the search has too many parameters or values".to_owned());
        }
        let mut search = Self {
            resource_type: resource_type.map(str::to_owned),
            criteria: Vec::new(),
            types: None,
            count: DEFAULT_COUNT,
            offset: 0,
            includes: Vec::new(),
            revincludes: Vec::new(),
        };
        let mut only_total = false;
        let mut once: Vec<&str> = Vec::new();
        let mut named = parameters.iter().filter(|(name, _)| name == "_type");
        search.types = named.next().map(|(_, value)| type_list(value)).transpose()?;
        for (name, value) in parameters {
            if matches!(name.as_str(), "_count" | "_offset" | "_summary" | "_type") {
                if once.contains(&name.as_str()) {
                    return Err(format!("`{name}` appears more than once"));
                }
                once.push(name);
            }
            match (name.as_str(), resource_type) {
                ("_format" | "_pretty" | "_type", _) => {}
                ("_count", _) => search.count = count(value)?,
                ("_summary", _) => only_total = is_total(value)?,
                ("_offset", _) => {
                    search.offset = number(name, value)?;
                }
                ("_include", Some(searched)) => {
                    add(&mut search.includes, Include::of_matches(value, searched)?);
                }
                ("_revinclude", Some(searched)) => {
                    add(&mut search.revincludes, Include::to_matches(value, searched)?);
                }
                ("_include", None) => add(&mut search.includes, Include::parse(value)?),
                ("_revinclude", None) => add(&mut search.revincludes, Include::parse(value)?),
                ("_id" | "_lastUpdated", None) => {
                    let criterion = criterion(base, "Resource", name, value)?;
                    search.criteria.push((None, criterion));
                }
                (_, Some(searched)) => {
                    let criterion = criterion(base, searched, name, value)?;
                    search.criteria.push((None, criterion));
                }
                (_, None) => search.for_each_type(base, name, value)?,
            }
        }
        if only_total {
            search.count = 0;
        }
        Ok(search)
    }

    /// A parameter in a search of several types has to be one of each of them.
    fn for_each_type(&mut self, base: &BaseUrl, name: &str, value: &str) -> Result<(), String> {
        let Some(types) = &self.types else {
            let reason = "is not supported in a search of all types";
            return Err(format!("search parameter `{name}` {reason}"));
        };
        for of in types {
            let criterion = criterion(base, of, name, value)?;
            self.criteria.push((Some(of.clone()), criterion));
        }
        Ok(())
    }

    pub(crate) fn matches(&self, resource: &Value) -> bool {
        self.criteria.iter().all(|(of, criterion)| {
            let is_other = of.as_ref().is_some_and(|of| resource["resourceType"] != **of);
            is_other || criterion.matches(resource)
        })
    }

    /// Returns the matches of the search, by type and in the order of creation; `count` is not applied.
    pub(crate) fn matches_in(&self, state: &State) -> Vec<Arc<Value>> {
        let is_searched = |name: &&str| match (&self.resource_type, &self.types) {
            (Some(only), None) => only == name,
            // `_type` of a search of one type finds that type or nothing.
            (Some(only), Some(some)) => only == name && some.contains(only),
            (None, Some(some)) => some.iter().any(|one| one == name),
            (None, None) => true,
        };
        let resources = state.types().filter(is_searched).flat_map(|name| state.live(name));
        resources.filter(|resource| self.matches(resource)).collect()
    }
}

/// The error is the reason why a search cannot have this parameter.
fn criterion(
    base: &BaseUrl,
    resource_type: &str,
    name: &str,
    value: &str,
) -> Result<Criterion, String> {
    if name.split_once(':').is_some_and(|(_, modifier)| !is_type(modifier)) {
        return Err(format!("the modifier of `{name}` is not supported"));
    }
    let criterion = Criterion::parse(base, resource_type, name, value);
    criterion.map_err(|error| format!("search parameter `{name}`: {error}"))
}

/// Reads what `_since` asks for, of a resource of whatever type.
pub(crate) fn since(base: &BaseUrl, instant: &str) -> Result<Criterion, String> {
    // A criterion would take the other values as alternatives.
    if instant.contains(',') {
        return Err("`_since` is one instant".to_owned());
    }
    let criterion = Criterion::parse(base, "Resource", "_lastUpdated", &format!("ge{instant}"));
    criterion.map_err(|error| format!("`_since`: {error}"))
}

fn add(includes: &mut Vec<Include>, include: Include) {
    if !includes.contains(&include) {
        includes.push(include);
    }
}

/// Reads `_count`: what is above the limit is as good as the limit.
pub(crate) fn count(value: &str) -> Result<usize, String> {
    Ok(number("_count", value)?.min(MAX_COUNT))
}

/// Reads the number of a page's parameter. One that does not fit is as good as any other above all limits.
pub(crate) fn number(name: &str, value: &str) -> Result<usize, String> {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number
        .then(|| value.parse().unwrap_or(usize::MAX))
        .ok_or_else(|| format!("`{name}` is not a number"))
}

/// Reports whether a value of `_summary` asks for the total alone. This server leaves nothing out of a resource.
fn is_total(value: &str) -> Result<bool, String> {
    match value {
        "count" => Ok(true),
        "false" => Ok(false),
        _ => Err("`_summary` is `count` or `false` to this server".to_owned()),
    }
}

fn type_list(value: &str) -> Result<Vec<String>, String> {
    let names = value.split(',').map(|name| match is_type(name) {
        true => Ok(name.to_owned()),
        false => Err(format!("`_type`: `{name}` is no type of R4")),
    });
    let names: Result<BTreeSet<String>, String> = names.collect();
    Ok(names?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::super::include::tests::{names, state};
    use super::super::tests::base;
    use super::*;

    fn search(resource_type: Option<&str>, query: &[(&str, &str)]) -> Result<Search, String> {
        let owned = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let query: Vec<_> = query.iter().map(owned).collect();
        Search::parse(&base(), resource_type, &query)
    }

    fn found(resource_type: Option<&str>, query: &[(&str, &str)]) -> Vec<String> {
        names(&search(resource_type, query).unwrap().matches_in(&state()))
    }

    #[test]
    fn all_criteria_count() {
        assert_eq!(found(Some("Observation"), &[]), ["Observation/a", "Observation/b"]);
        assert_eq!(found(Some("Observation"), &[("patient", "1")]), ["Observation/a"]);
        assert_eq!(found(Some("Observation"), &[("patient", "1"), ("_id", "b")]), [""; 0]);
        assert_eq!(found(Some("Observation"), &[("performer", "Patient/1")]), ["Observation/b"]);
        assert_eq!(found(Some("Group"), &[]), [""; 0]);
    }

    #[test]
    fn all_types_can_be_searched() {
        assert_eq!(found(None, &[]).len(), 5);
        assert_eq!(found(None, &[("_id", "1,p")]), ["Patient/1", "Practitioner/p"]);
        let types = ("_type", "Practitioner,Patient");
        assert_eq!(found(None, &[types]), ["Patient/1", "Patient/2", "Practitioner/p"]);
        assert_eq!(found(None, &[types, ("_lastUpdated", "lt2020")]), [""; 0]);
        let types = ("_type", "Observation,Condition");
        assert_eq!(found(None, &[("patient", "1"), types]), ["Observation/a"]);
        assert!(search(None, &[types, ("performer", "1")]).is_err(), "not of each type");
        for (name, value) in [
            ("patient", "1"),
            ("_id:not", "1"),
            ("_type", "Nothing"),
            ("_type", ""),
            ("_include", "Observation:code"),
            ("_has:Group:member:_id", "1"),
        ] {
            assert!(search(None, &[(name, value)]).is_err(), "{name}={value}");
        }
    }

    #[test]
    fn a_type_within_a_search_of_one_type_finds_that_type_or_nothing() {
        assert_eq!(found(Some("Observation"), &[("_type", "Patient,Observation")]).len(), 2);
        assert_eq!(found(Some("Observation"), &[("_type", "Patient")]), [""; 0]);
        assert!(search(Some("Observation"), &[("_type", "Nothing")]).is_err());
    }

    #[test]
    fn a_search_has_a_bounded_number_of_parameters_and_values() {
        let of = |count| search(Some("Observation"), &vec![("code", "x"); count]);
        assert!(of(MAX_PARAMETERS).is_ok() && of(MAX_PARAMETERS + 1).is_err());
        let values = |count: usize| vec!["x"; count].join(",");
        let half = values(MAX_VALUES / 2);
        let of = |count| {
            search(Some("Observation"), &[("code", half.as_str()), ("status", &values(count))])
        };
        assert!(of(MAX_VALUES / 2).is_ok() && of(MAX_VALUES / 2 + 1).is_err());
        // A type that is named again is searched once.
        let types = vec!["Patient"; 400].join(",");
        let named = search(None, &[("_type", types.as_str()), ("_id", "1")]).unwrap();
        assert_eq!(named.types, Some(vec!["Patient".to_owned()]));
    }

    #[test]
    fn a_count_is_within_the_limit() {
        let count = |value| search(Some("Patient"), &[("_count", value)]).map(|found| found.count);
        assert_eq!(search(Some("Patient"), &[]).unwrap().count, 100);
        assert_eq!(count("0"), Ok(0));
        assert_eq!(count("5000"), Ok(5000));
        assert_eq!(count("5001"), Ok(5000));
        assert_eq!(count("99999999999999999999999"), Ok(5000));
        for value in ["", "-1", "+1", "1.0", "x"] {
            assert!(count(value).is_err(), "{value}");
        }
        assert!(search(Some("Patient"), &[("_count", "1"), ("_count", "2")]).is_err());
    }

    #[test]
    fn nothing_is_ignored_but_the_form_of_the_answer() {
        assert!(search(Some("Patient"), &[("_format", "json"), ("_pretty", "true")]).is_ok());
        for name in ["_summary", "_sort", "_elements", "_total", "phonetic", "_format:x", "_"] {
            assert!(search(Some("Patient"), &[(name, "x")]).is_err(), "{name}");
        }
    }

    #[test]
    fn includes_name_a_reference_parameter_that_is_known() {
        for (name, value) in [
            ("_include", "Observation:subject"),
            ("_include", "Observation:performer:Practitioner"),
            ("_revinclude", "Provenance:patient"),
            ("_revinclude", "Observation:subject:Observation"),
        ] {
            assert!(search(Some("Observation"), &[(name, value)]).is_ok(), "{name}={value}");
        }
        for (name, value) in [
            ("_include", "*"),
            ("_include", "Observation:*"),
            ("_include", "Observation"),
            ("_include", ""),
            ("_include", "Observation:code"),
            ("_include", "Observation:unknown"),
            ("_include", "Observation:subject:Nothing"),
            ("_include", "Observation:subject:Patient:x"),
            ("_include", "Condition:subject"),
            ("_revinclude", "Observation:subject:Patient"),
            ("_include:iterate", "Observation:subject"),
            ("_revinclude:iterate", "Observation:subject"),
        ] {
            assert!(search(Some("Observation"), &[(name, value)]).is_err(), "{name}={value}");
        }
    }
}
