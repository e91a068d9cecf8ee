//! The search parameters of R4 (<https://hl7.org/fhir/R4/searchparameter-registry.html>).

use std::sync::LazyLock;

use hashbrown::HashMap;

/// The plain parameters of every resource: those that filter by a query of their own or by a list
/// are not among them.
const OF_EVERY_RESOURCE: [&str; 6] =
    ["_id", "_lastUpdated", "_profile", "_security", "_source", "_tag"];

/// The types that have a parameter, by its name: a scope may name a parameter that no type has, and
/// is then looked up for very many types.
static TYPES_OF: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
    // One line per type: its name, then those of its parameters. The types are in alphabetical
    // order.
    let lines = include_str!("search_parameters_r4.txt").lines();
    let mut types_of: HashMap<&str, Vec<&str>> = HashMap::new();
    for line in lines.filter(|line| !line.starts_with('#')) {
        let mut words = line.split_ascii_whitespace();
        let Some(resource_type) = words.next() else { continue };
        words.for_each(|name| types_of.entry(name).or_default().push(resource_type));
    }
    types_of
});

/// Reports whether R4 has a search parameter of this name for a type.
pub(crate) fn is_known(resource_type: &str, name: &str) -> bool {
    if name.starts_with('_') {
        return OF_EVERY_RESOURCE.contains(&name);
    }
    TYPES_OF.get(name).is_some_and(|types| types.binary_search(&resource_type).is_ok())
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
            TYPES_OF.values().flatten().copied().collect();
        assert_eq!(types.len(), 133);
        assert!(types.iter().all(|name| crate::fhir::resource_type::is_known(name)));
        assert!(TYPES_OF.values().all(|types| types.is_sorted()));
    }
}
