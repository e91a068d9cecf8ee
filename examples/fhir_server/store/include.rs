//! What a search returns beside its matches.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::parameters::{Kind, Parameter, is_type, references};
use super::reference::{Base, Reference};
use super::state::State;

/// A value of `_include` or `_revinclude`: a reference parameter of a type, and the only type that
/// its references may be to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Include {
    pub(crate) source: String,
    pub(crate) parameter: String,
    pub(crate) target: Option<String>,
}

impl Include {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let (source, parameter) = match (parts.next(), parts.next()) {
            (Some(source), Some(parameter)) => (source.to_owned(), parameter.to_owned()),
            _ => return Err(format!("`{text}` is not `Type:parameter`")),
        };
        let target = parts.next().map(str::to_owned);
        let known = Parameter::find(&source, &parameter);
        let is_sound = known.is_some_and(|found| found.kind == Kind::Reference)
            && target.as_deref().is_none_or(is_type)
            && parts.next().is_none();
        if !is_sound {
            return Err(format!("there is nothing to include by `{text}`"));
        }
        Ok(Self { source, parameter, target })
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

    fn references(&self, base: &Base, resource: &Value) -> Vec<Reference> {
        if resource["resourceType"] != *self.source {
            return Vec::new();
        }
        let mut found = references(base, resource, &self.parameter);
        found.retain(|to| self.target.as_ref().is_none_or(|target| to.resource_type == *target));
        found
    }
}

/// What resources refer to.
pub(crate) fn include(
    state: &State,
    resources: &[Arc<Value>],
    include: &Include,
) -> Vec<Arc<Value>> {
    let references = resources.iter().flat_map(|one| include.references(state.base(), one));
    let each: BTreeSet<Reference> = references.collect();
    each.into_iter().filter_map(|to| state.referenced(&to)).collect()
}

/// What refers to resources.
pub(crate) fn revinclude(
    state: &State,
    resources: &[Arc<Value>],
    include: &Include,
) -> Vec<Arc<Value>> {
    let names: BTreeSet<Reference> =
        resources.iter().filter_map(|resource| Reference::of(resource)).collect();
    let refers = |source: &Arc<Value>| {
        include.references(state.base(), source).iter().any(|to| names.contains(to))
    };
    state.live(&include.source).filter(refers).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    pub(in super::super) const BASE: &str = "http://own.test/fhir";

    /// Two patients, a practitioner, and observations between them.
    pub(in super::super) fn state() -> State {
        let mut state = State::new(Base::new(BASE));
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
        let absolute = format!("{BASE}/Patient/1");
        let performers = json!([reference(&absolute)]);
        state.put(
            "Observation",
            "b",
            json!({"subject": reference("Patient/2"), "performer": performers}),
        );
        state
    }

    pub(in super::super) fn names(resources: &[Arc<Value>]) -> Vec<String> {
        let references = resources.iter().map(|resource| Reference::of(resource).unwrap());
        references.map(|to| format!("{}/{}", to.resource_type, to.id)).collect()
    }

    #[test]
    fn includes_follow_references_both_ways() {
        let state = state();
        let of = |text: &str| Include::parse(text).unwrap();
        let [a, patient, practitioner] =
            [("Observation", "a"), ("Patient", "1"), ("Practitioner", "p")]
                .map(|(name, id)| state.referenced(&Reference::to(name, id)).unwrap());
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
