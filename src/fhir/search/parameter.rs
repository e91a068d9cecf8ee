//! The search parameters of R4 (<https://hl7.org/fhir/R4/searchparameter-registry.html>).

use std::sync::LazyLock;

use hashbrown::HashMap;

/// A search parameter of a resource type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
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
const OF_EVERY_RESOURCE: [(&str, Parameter); 6] = [
    ("_id", Parameter { kind: Kind::Token, elements: "id" }),
    ("_lastUpdated", Parameter { kind: Kind::Date, elements: "meta.lastUpdated" }),
    ("_profile", Parameter { kind: Kind::Uri, elements: "meta.profile" }),
    ("_security", Parameter { kind: Kind::Token, elements: "meta.security" }),
    ("_source", Parameter { kind: Kind::Uri, elements: "meta.source" }),
    ("_tag", Parameter { kind: Kind::Token, elements: "meta.tag" }),
];

/// The types that have a parameter, by its name: a scope may name a parameter that no type has, and
/// is then looked up for very many types.
static TYPES_OF: LazyLock<HashMap<&str, Vec<(&str, Parameter)>>> = LazyLock::new(|| {
    // One line per type: its name, then its parameters. The types are in alphabetical order.
    let lines = include_str!("r4.txt").lines();
    let mut types_of: HashMap<&str, Vec<(&str, Parameter)>> = HashMap::new();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let mut words = line.split_ascii_whitespace();
        let Some(resource_type) = words.next() else { continue };
        for (name, parameter) in words.filter_map(Parameter::read) {
            types_of.entry(name).or_default().push((resource_type, parameter));
        }
    }
    types_of
});

impl Parameter {
    /// Reads `name:letter` or `name:letter=elements`.
    fn read(text: &'static str) -> Option<(&'static str, Self)> {
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
        Some((name, Self { kind, elements }))
    }

    /// Finds the parameter of this name of a type.
    pub(super) fn find(resource_type: &str, name: &str) -> Option<Self> {
        if name.starts_with('_') {
            let mut common = OF_EVERY_RESOURCE.iter();
            return common.find(|(known, _)| *known == name).map(|(_, parameter)| *parameter);
        }
        let types = TYPES_OF.get(name)?;
        let place = types.binary_search_by_key(&resource_type, |(known, _)| known).ok()?;
        types.get(place).map(|(_, parameter)| *parameter)
    }
}

/// Reports whether R4 has a search parameter of this name for a type.
pub(crate) fn is_known(resource_type: &str, name: &str) -> bool {
    Parameter::find(resource_type, name).is_some()
}

/// Reports whether R4 has such a parameter, and one value of it is one thing to be compared: neither
/// composite nor special.
pub(crate) fn is_plain(resource_type: &str, name: &str) -> bool {
    let parameter = Parameter::find(resource_type, name);
    parameter.is_some_and(|found| !matches!(found.kind, Kind::Composite | Kind::Special))
}

#[cfg(test)]
mod tests {
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
        let found = Parameter::find("Observation", "combo-code").unwrap();
        assert_eq!(found, Parameter { kind: Kind::Token, elements: "code|component.code" });
        let composite = Parameter::find("Observation", "code-value-quantity").unwrap();
        assert_eq!(composite, Parameter { kind: Kind::Composite, elements: "" });
        assert!(!is_plain("Observation", "code-value-quantity") && !is_plain("Location", "near"));
        assert!(is_plain("Patient", "deceased") && is_plain("Observation", "_id"));
    }
}
