//! The search parameters of R4 (<https://hl7.org/fhir/R4/searchparameter-registry.html>).

use std::collections::HashMap;
use std::sync::LazyLock;

/// Of every resource, and plain: what filters by a query of its own or by a list is none of them.
const OF_EVERY_RESOURCE: [&str; 6] =
    ["_id", "_lastUpdated", "_profile", "_security", "_source", "_tag"];

/// A line a type: its name, then those of its parameters.
static OF_TYPES: LazyLock<HashMap<&str, Vec<&str>>> = LazyLock::new(|| {
    let lines = include_str!("search_parameters_r4.txt").lines();
    let types = lines.filter(|line| !line.starts_with('#')).map(str::split_ascii_whitespace);
    types.filter_map(|mut words| Some((words.next()?, words.collect()))).collect()
});

/// Whether R4 has a search parameter of this name for a type.
pub(crate) fn is_known(resource_type: &str, name: &str) -> bool {
    OF_EVERY_RESOURCE.contains(&name)
        || OF_TYPES.get(resource_type).is_some_and(|names| names.contains(&name))
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
        assert_eq!(OF_TYPES.len(), 133);
        assert!(OF_TYPES.keys().all(|name| crate::fhir::resource_type::is_known(name)));
    }
}
