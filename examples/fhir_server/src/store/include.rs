//! Included resources: those that a search returns beside its matches.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use tower_fhir_auth::fhir::search::SearchParameter;
use tower_fhir_auth::fhir::{BaseUrl, ResourceReference};

use super::reference::{is_type, name_of};
use super::state::State;

/// A value of `_include` or `_revinclude`: a reference parameter of a type, and the only type that
/// its references may be to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Include {
    source: String,
    parameter: SearchParameter,
    target: Option<String>,
}

impl Include {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let (Some(source), Some(name)) = (parts.next(), parts.next()) else {
            return Err(format!("`{text}` is not `Type:parameter`"));
        };
        let target = parts.next().map(str::to_owned);
        let is_sound = target.as_deref().is_none_or(is_type) && parts.next().is_none();
        let parameter = SearchParameter::find(source, name).filter(is_followed);
        let parameter = parameter.filter(|_| is_sound);
        let parameter =
            parameter.ok_or_else(|| format!("there is nothing to include by `{text}`"))?;
        Ok(Self { source: source.to_owned(), parameter, target })
    }

    /// For `_include`, where the references are those of the matches.
    pub(super) fn of_matches(text: &str, searched: &str) -> Result<Self, String> {
        let include = Self::parse(text)?;
        if include.source == searched {
            return Ok(include);
        }
        Err(format!("`{text}` is not about {searched}"))
    }

    /// For `_revinclude`, where the references are to the matches.
    pub(super) fn to_matches(text: &str, searched: &str) -> Result<Self, String> {
        let include = Self::parse(text)?;
        if include.target.as_ref().is_none_or(|target| target == searched) {
            return Ok(include);
        }
        Err(format!("`{text}` is not about {searched}"))
    }

    fn references(&self, base: &BaseUrl, resource: &Value) -> Vec<ResourceReference> {
        if resource["resourceType"] != *self.source {
            return Vec::new();
        }
        let mut found = self.parameter.references(resource, base);
        found.retain(|to| self.target.as_ref().is_none_or(|target| to.resource_type == *target));
        found
    }
}

/// Reports whether includes can follow a parameter.
pub(crate) fn is_followed(parameter: &SearchParameter) -> bool {
    parameter.type_code() == "reference" && parameter.is_evaluable()
}

/// Returns the resources that these refer to.
pub(crate) fn include(
    state: &State,
    resources: &[Arc<Value>],
    include: &Include,
) -> Vec<Arc<Value>> {
    let references = resources.iter().flat_map(|one| include.references(state.base(), one));
    let each: BTreeSet<ResourceReference> = references.collect();
    each.into_iter().filter_map(|to| state.referenced(&to)).collect()
}

/// Returns the resources that refer to these.
pub(crate) fn revinclude(
    state: &State,
    resources: &[Arc<Value>],
    include: &Include,
) -> Vec<Arc<Value>> {
    let names: BTreeSet<ResourceReference> =
        resources.iter().filter_map(|resource| name_of(resource)).collect();
    let refers = |source: &Arc<Value>| {
        include.references(state.base(), source).iter().any(|to| names.contains(to))
    };
    state.live(&include.source).filter(refers).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::super::tests::base;
    use super::*;

    /// Two patients, a practitioner, and observations between them.
    pub(in super::super) fn state() -> State {
        let mut state = State::new(base());
        let reference = |text: &str| json!({"reference": text});
        state.put("Patient", "1", json!({}));
        state.put("Patient", "2", json!({}));
        state.put("Practitioner", "p", json!({}));
        let performers = json!([reference("Practitioner/p"), reference("Practitioner/gone")]);
        state.put(
            "Observation",
            "a",
            json!({"subject": reference("Patient/1"), "performer": performers}),
        );
        let absolute = format!("{}/Patient/1", base().as_str());
        let performers = json!([reference(&absolute)]);
        state.put(
            "Observation",
            "b",
            json!({"subject": reference("Patient/2"), "performer": performers}),
        );
        state
    }

    pub(in super::super) fn names(resources: &[Arc<Value>]) -> Vec<String> {
        let references = resources.iter().map(|resource| name_of(resource).unwrap());
        references.map(|to| format!("{}/{}", to.resource_type, to.id)).collect()
    }

    #[test]
    fn includes_follow_references_both_ways() {
        let state = state();
        let of = |text: &str| Include::parse(text).unwrap();
        let [a, patient, practitioner] =
            [("Observation", "a"), ("Patient", "1"), ("Practitioner", "p")]
                .map(|(name, id)| state.referenced(&ResourceReference::new(name, id)).unwrap());
        let included = |text: &str| names(&include(&state, std::slice::from_ref(&a), &of(text)));
        assert_eq!(included("Observation:performer"), ["Practitioner/p"]);
        assert_eq!(included("Observation:subject:Patient"), ["Patient/1"]);
        assert_eq!(included("Observation:subject:Group"), [""; 0]);
        assert_eq!(included("Condition:subject"), [""; 0]);
        let to_patient =
            |text: &str| names(&revinclude(&state, std::slice::from_ref(&patient), &of(text)));
        assert_eq!(to_patient("Observation:subject"), ["Observation/a"]);
        assert_eq!(to_patient("Observation:performer"), ["Observation/b"]);
        assert_eq!(to_patient("Observation:performer:Group"), [""; 0]);
        let to_practitioner =
            names(&revinclude(&state, &[practitioner], &of("Observation:performer")));
        assert_eq!(to_practitioner, ["Observation/a"]);
    }
}
