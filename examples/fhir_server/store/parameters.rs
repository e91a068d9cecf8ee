//! Search parameters and where in a resource they look.

use serde_json::Value;

use super::reference::{Base, Reference};
use super::table::TABLE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Reference,
    Token,
    Date,
}

impl Kind {
    /// As `SearchParameter.type` has it.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Token => "token",
            Self::Date => "date",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    paths: &'static str,
}

impl Parameter {
    pub(crate) fn find(resource_type: &str, name: &str) -> Option<Self> {
        Self::all(resource_type).find(|parameter| parameter.name == name)
    }

    /// The parameters of a type. `_id` and `_lastUpdated` are those of every type.
    pub(crate) fn all(resource_type: &str) -> impl Iterator<Item = Self> {
        let row = TABLE.iter().find(|(name, ..)| *name == resource_type);
        let (references, tokens) =
            row.map(|(_, references, tokens)| (*references, *tokens)).unwrap_or_default();
        let of_type = [(Kind::Reference, references), (Kind::Token, tokens)].into_iter();
        let of_type = of_type
            .flat_map(|(kind, items)| items.split(' ').map(move |item| (kind, item)))
            .filter(|(_, item)| !item.is_empty())
            .map(|(kind, item)| {
                let (name, paths) = item.split_once('=').unwrap_or((item, item));
                Self { name, kind, paths }
            });
        let of_all = [
            Self { name: "_id", kind: Kind::Token, paths: "id" },
            Self { name: "_lastUpdated", kind: Kind::Date, paths: "meta.lastUpdated" },
        ];
        of_all.into_iter().chain(of_type)
    }

    /// The elements that the parameter looks at.
    pub(crate) fn elements<'v>(&self, resource: &'v Value) -> Vec<&'v Value> {
        let found = self.paths().flat_map(|(path, _)| elements(resource, path));
        found.collect()
    }

    /// The resources of this server that the parameter finds, each one once.
    pub(crate) fn references(&self, base: &Base, resource: &Value) -> Vec<Reference> {
        let mut found = Vec::new();
        if self.kind != Kind::Reference {
            return found;
        }
        for (path, target) in self.paths() {
            for element in elements(resource, path) {
                let reference = element["reference"].as_str().and_then(|text| base.reference(text));
                let fits = |to: &Reference| {
                    target.is_none_or(|target| to.resource_type == target) && !found.contains(to)
                };
                if let Some(reference) = reference.filter(fits) {
                    found.push(reference);
                }
            }
        }
        found
    }

    /// Each path with the only type that its references may be to.
    fn paths(&self) -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
        self.paths.split('+').map(|path| match path.split_once(':') {
            Some((path, target)) => (path, Some(target)),
            None => (path, None),
        })
    }
}

/// The resources of this server that a resource refers to by a parameter of its type.
pub(crate) fn references(base: &Base, resource: &Value, parameter: &str) -> Vec<Reference> {
    let resource_type = resource["resourceType"].as_str().unwrap_or_default();
    let parameter = Parameter::find(resource_type, parameter);
    parameter.map(|parameter| parameter.references(base, resource)).unwrap_or_default()
}

/// The types of R4, by name.
pub(crate) fn types() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, ..)| *name)
}

pub(crate) fn is_type(name: &str) -> bool {
    types().any(|known| known == name)
}

fn elements<'v>(resource: &'v Value, path: &str) -> Vec<&'v Value> {
    let mut found = vec![resource];
    for name in path.split('.') {
        found = found.into_iter().filter_map(|value| value.get(name)).flat_map(each).collect();
    }
    found
}

/// An array stands for its members.
fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(members) => members.iter().collect(),
        other => vec![other],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(resource: &Value, parameter: &str) -> Vec<String> {
        let base = Base::new("http://own.test/fhir");
        let found = references(&base, resource, parameter).into_iter();
        found.map(|to| format!("{}/{}", to.resource_type, to.id)).collect()
    }

    #[test]
    fn the_table_is_well_formed() {
        let names: Vec<&str> = types().collect();
        assert!(names.is_sorted() && names.len() == 146);
        for name in names {
            let mut parameters: Vec<&str> = Parameter::all(name).map(|found| found.name).collect();
            for parameter in Parameter::all(name) {
                for (path, target) in parameter.paths() {
                    assert!(!path.is_empty() && target.is_none_or(|target| target == "Patient"));
                    assert!(path.split('.').all(|part| !part.is_empty()), "{name} {path}");
                }
            }
            let count = parameters.len();
            parameters.sort_unstable();
            parameters.dedup();
            assert_eq!(parameters.len(), count, "{name}");
        }
    }

    #[test]
    fn kinds_are_those_of_r4() {
        let kind = |resource_type, name| Parameter::find(resource_type, name).map(|p| p.kind);
        assert_eq!(kind("Observation", "performer"), Some(Kind::Reference));
        assert_eq!(kind("Task", "performer"), Some(Kind::Token));
        assert_eq!(kind("Linkage", "_id"), Some(Kind::Token));
        assert_eq!(kind("Linkage", "_lastUpdated"), Some(Kind::Date));
        assert_eq!(kind("Linkage", "patient"), None);
        assert_eq!(kind("Patient", "subject"), None);
    }

    #[test]
    fn paths_go_through_arrays() {
        let appointment = json!({
            "resourceType": "Appointment",
            "participant": [
                {"actor": {"reference": "Patient/1"}},
                {"actor": {"reference": "http://own.test/fhir/Location/ward"}},
                {"actor": {"reference": "http://other.test/fhir/Patient/2"}},
                {"actor": {"display": "somebody"}},
                {},
                "no object",
            ],
        });
        assert_eq!(found(&appointment, "actor"), ["Patient/1", "Location/ward"]);
        assert_eq!(found(&appointment, "patient"), ["Patient/1"]);
        assert_eq!(found(&appointment, "status"), [""; 0]);
        assert_eq!(found(&appointment, "subject"), [""; 0]);
    }

    #[test]
    fn several_paths_find_each_resource_once() {
        let event = json!({
            "resourceType": "AuditEvent",
            "agent": [{"who": {"reference": "Patient/1"}}, {"who": {"reference": "Device/d"}}],
            "entity": [
                {"what": {"reference": "Patient/1/_history/2"}},
                {"what": {"reference": "Patient/2"}},
            ],
        });
        assert_eq!(found(&event, "patient"), ["Patient/1", "Patient/2"]);
    }

    #[test]
    fn choices_go_by_kind() {
        let request = json!({
            "resourceType": "MedicationRequest",
            "medicationReference": {"reference": "Medication/m"},
            "subject": {"reference": "Group/g"},
        });
        assert_eq!(found(&request, "medication"), ["Medication/m"]);
        assert_eq!(found(&request, "subject"), ["Group/g"]);
        assert_eq!(found(&request, "patient"), [""; 0]);
    }

    #[test]
    fn what_is_no_resource_has_no_references() {
        for value in [json!(null), json!([1]), json!("text"), json!({"resourceType": 1})] {
            assert_eq!(found(&value, "patient"), [""; 0]);
        }
    }
}
