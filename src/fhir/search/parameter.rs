//! The search parameters of R4 (<https://hl7.org/fhir/R4/searchparameter-registry.html>).

use std::sync::LazyLock;

use hashbrown::HashMap;
use serde_json::Value;

use super::elements::{any_at, paths};
use crate::fhir::BaseUrl;
use crate::fhir::compartment::{ReferenceTarget, ResourceReference};

/// A search parameter of a resource type, as R4 defines it.
///
/// ```
/// use serde_json::json;
/// use tower_fhir_auth::fhir::BaseUrl;
/// use tower_fhir_auth::fhir::search::SearchParameter;
///
/// let mut of_provenance = SearchParameter::of_type("Provenance");
/// assert!(of_provenance.any(|one| one.name() == "target" && one.type_code() == "reference"));
///
/// // What `_include=Provenance:target` brings along.
/// let target = SearchParameter::find("Provenance", "target").unwrap();
/// let base: BaseUrl = "https://fhir.example.org/r4".parse()?;
/// let provenance = json!({"target": [{"reference": "Patient/1"}, {"display": "a letter"}]});
/// let found: Vec<String> =
///     target.references(&provenance, &base).iter().map(ToString::to_string).collect();
/// assert_eq!(found, ["Patient/1"]);
/// # Ok::<(), tower_fhir_auth::fhir::BaseUrlError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchParameter {
    name: &'static str,
    pub(super) kind: Kind,
    /// The elements that it reads, separated by `|`: empty if it needs more than to read elements.
    pub(super) elements: &'static str,
}

/// The type of a parameter, which says how values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Composite,
    Date,
    Number,
    Quantity,
    Reference,
    Special,
    String,
    Token,
    Uri,
}

/// The plain parameters of every resource: those that filter by a query of their own or by a list
/// are not among them.
const OF_EVERY_RESOURCE: [SearchParameter; 6] = [
    SearchParameter::new("_id", Kind::Token, "id"),
    SearchParameter::new("_lastUpdated", Kind::Date, "meta.lastUpdated"),
    SearchParameter::new("_profile", Kind::Uri, "meta.profile"),
    SearchParameter::new("_security", Kind::Token, "meta.security"),
    SearchParameter::new("_source", Kind::Uri, "meta.source"),
    SearchParameter::new("_tag", Kind::Token, "meta.tag"),
];

/// The types that have a parameter, by its name: a scope may name a parameter that no type has, and
/// is then looked up for very many types.
static TYPES_OF: LazyLock<HashMap<&str, Vec<(&str, SearchParameter)>>> = LazyLock::new(|| {
    let mut types_of: HashMap<&str, Vec<(&str, SearchParameter)>> = HashMap::new();
    for (resource_type, parameters) in table() {
        for parameter in parameters {
            types_of.entry(parameter.name).or_default().push((resource_type, parameter));
        }
    }
    types_of
});

/// The types that have parameters of their own, in alphabetical order, each with these.
fn table() -> impl Iterator<Item = (&'static str, impl Iterator<Item = SearchParameter>)> {
    // One line per type: its name, then its parameters.
    let lines = include_str!("r4.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        Some((words.next()?, words.filter_map(SearchParameter::read)))
    })
}

impl SearchParameter {
    const fn new(name: &'static str, kind: Kind, elements: &'static str) -> Self {
        Self { name, kind, elements }
    }

    /// Finds the parameter of this name of a type.
    #[must_use]
    pub fn find(resource_type: &str, name: &str) -> Option<Self> {
        if name.starts_with('_') {
            return OF_EVERY_RESOURCE.into_iter().find(|parameter| parameter.name == name);
        }
        let types = TYPES_OF.get(name)?;
        let index = types.binary_search_by_key(&resource_type, |(known, _)| known).ok()?;
        types.get(index).map(|(_, parameter)| *parameter)
    }

    /// Returns the parameters of a type, to be listed in a CapabilityStatement: first those of every
    /// resource, without those that ask for other things than resources (`_count`) or filter by a query of
    /// their own or by a list.
    pub fn of_type(resource_type: &str) -> impl Iterator<Item = Self> + use<> {
        let own = table().find(|(known, _)| *known == resource_type);
        OF_EVERY_RESOURCE.into_iter().chain(own.into_iter().flat_map(|(_, parameters)| parameters))
    }

    /// Returns the name, as a search has it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the code of its type, as `SearchParameter.type` has it.
    #[must_use]
    pub fn type_code(&self) -> &'static str {
        self.kind.code()
    }

    /// Reports whether a [`Criterion`](super::Criterion) can be made of it: its definition reads elements of
    /// the resource, and nothing more.
    #[must_use]
    pub fn is_evaluable(&self) -> bool {
        !self.elements.is_empty()
    }

    /// Returns the resources of this server that it names in a resource of its type, each once. There are
    /// none where the parameter is no reference.
    #[must_use]
    pub fn references(&self, resource: &Value, base: &BaseUrl) -> Vec<ResourceReference> {
        let mut found = Vec::new();
        if self.kind != Kind::Reference || !self.is_evaluable() {
            return found;
        }
        for (path, only) in paths(self.elements) {
            any_at(resource, path, &mut |element| {
                if let ReferenceTarget::Here { resource_type, id } =
                    ReferenceTarget::of(element, base)
                {
                    let is_wanted = only.is_none_or(|only| resource_type == only);
                    let reference = ResourceReference::new(resource_type, id);
                    if is_wanted && !found.contains(&reference) {
                        found.push(reference);
                    }
                }
                false
            });
        }
        found
    }

    /// Reads `name:letter` or `name:letter=elements`.
    fn read(text: &'static str) -> Option<Self> {
        let (name, rest) = text.split_once(':')?;
        let (letter, elements) = rest.split_once('=').unwrap_or((rest, ""));
        let kind = match letter {
            "c" => Kind::Composite,
            "d" => Kind::Date,
            "n" => Kind::Number,
            "q" => Kind::Quantity,
            "r" => Kind::Reference,
            "s" => Kind::String,
            "t" => Kind::Token,
            "u" => Kind::Uri,
            _ => Kind::Special,
        };
        Some(Self { name, kind, elements })
    }
}

impl Kind {
    fn code(self) -> &'static str {
        match self {
            Self::Composite => "composite",
            Self::Date => "date",
            Self::Number => "number",
            Self::Quantity => "quantity",
            Self::Reference => "reference",
            Self::Special => "special",
            Self::String => "string",
            Self::Token => "token",
            Self::Uri => "uri",
        }
    }
}

/// Reports whether R4 has a search parameter of this name for a type.
pub(crate) fn is_known(resource_type: &str, name: &str) -> bool {
    SearchParameter::find(resource_type, name).is_some()
}

/// Reports whether R4 has such a parameter, and one value of it is one thing to be compared: neither
/// composite nor special.
pub(crate) fn is_plain(resource_type: &str, name: &str) -> bool {
    let parameter = SearchParameter::find(resource_type, name);
    parameter.is_some_and(|found| !matches!(found.kind, Kind::Composite | Kind::Special))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parameter_belongs_to_its_type() {
        assert!(is_known("Observation", "category") && is_known("Observation", "_tag"));
        for (resource_type, name) in [
            ("Observation", "birthdate"),
            ("Observation", "Category"),
            ("Observation", ""),
            ("Observation", "_count"),
            ("Observation", "_filter"),
            ("Foo", "code"),
            ("#", "The"),
        ] {
            assert!(!is_known(resource_type, name), "{resource_type} {name}");
        }
        let types: std::collections::BTreeSet<&str> =
            TYPES_OF.values().flatten().map(|(name, _)| *name).collect();
        assert_eq!(types.len(), 133);
        assert!(types.iter().all(|name| crate::fhir::resource_type::is_known(name)));
        assert!(TYPES_OF.values().all(|types| types.is_sorted_by_key(|(name, _)| name)));
    }

    #[test]
    fn a_parameter_has_a_type_and_its_elements() {
        let found = SearchParameter::find("Observation", "combo-code").unwrap();
        assert_eq!(found, SearchParameter::new("combo-code", Kind::Token, "code|component.code"));
        let composite = SearchParameter::find("Observation", "code-value-quantity").unwrap();
        assert_eq!(composite, SearchParameter::new("code-value-quantity", Kind::Composite, ""));
        assert!(!is_plain("Observation", "code-value-quantity") && !is_plain("Location", "near"));
        assert!(is_plain("Patient", "deceased") && is_plain("Observation", "_id"));
    }
    #[test]
    fn the_parameters_of_a_type_begin_with_those_of_every_resource() {
        let names = |resource_type: &str| -> Vec<&str> {
            SearchParameter::of_type(resource_type).map(|one| one.name()).collect()
        };
        let of_person = names("Person");
        assert_eq!(of_person[..3], ["_id", "_lastUpdated", "_profile"]);
        assert!(of_person.contains(&"birthdate") && !of_person.contains(&"target"));
        for resource_type in ["Binary", "Foo", "#"] {
            assert_eq!(names(resource_type).len(), OF_EVERY_RESOURCE.len(), "{resource_type}");
        }
        for one in SearchParameter::of_type("Observation") {
            assert_eq!(SearchParameter::find("Observation", one.name()), Some(one));
        }
        let code = |name| SearchParameter::find("Observation", name).unwrap().type_code();
        assert_eq!(
            ["date", "subject", "code", "value-quantity", "code-value-quantity"].map(code),
            ["date", "reference", "token", "quantity", "composite"]
        );
        for (resource_type, name, code) in [
            ("RiskAssessment", "probability", "number"),
            ("Location", "near", "special"),
            ("Patient", "name", "string"),
            ("Patient", "_profile", "uri"),
        ] {
            let found = SearchParameter::find(resource_type, name).unwrap();
            assert_eq!(found.type_code(), code, "{resource_type} {name}");
        }
        assert!(!SearchParameter::find("Location", "near").unwrap().is_evaluable());
    }

    #[test]
    fn references_are_those_to_this_server_each_once() {
        let base: BaseUrl = "https://own.test/fhir".parse().unwrap();
        let found = |resource_type: &str, name: &str, resource: &Value| -> Vec<String> {
            let parameter = SearchParameter::find(resource_type, name).unwrap();
            parameter.references(resource, &base).iter().map(ToString::to_string).collect()
        };
        let appointment = json!({"participant": [
            {"actor": {"reference": "Patient/1"}},
            {"actor": {"reference": "https://own.test/fhir/Location/ward"}},
            {"actor": {"reference": "https://other.test/fhir/Patient/2"}},
            {"actor": {"reference": "Patient/1/_history/2"}},
            {"actor": {"display": "somebody"}}, {}, "no object", [{"actor": {"reference": "Patient/3"}}],
        ]});
        assert_eq!(found("Appointment", "actor", &appointment), ["Patient/1", "Location/ward"]);
        assert_eq!(found("Appointment", "patient", &appointment), ["Patient/1"]);
        // No reference, whatever stands there, and one that needs more than to read elements.
        let odd = json!({"status": {"reference": "Patient/1"}, "reference": "Patient/1"});
        assert_eq!(found("Appointment", "status", &odd), [""; 0]);
        assert_eq!(found("Bundle", "composition", &odd), [""; 0]);
        let medication = json!({"medicationReference": {"reference": "Medication/m"}});
        assert_eq!(found("MedicationRequest", "medication", &medication), ["Medication/m"]);
        for odd in [json!(null), json!([1]), json!("Patient/1"), json!({"target": "Patient/1"})] {
            assert_eq!(found("Provenance", "target", &odd), [""; 0], "{odd}");
        }
    }
}
