//! The patients whose resources a search asks for.

use super::LocalPatient;
use super::r4::PATIENT_REFERENCES;
use super::reference::ReferenceTarget;
use crate::fhir::interaction::is_id;
use crate::fhir::resource_type::is_like_a_type;

/// Reports whether a parameter of a search, with its modifier, asks for another patient by a reference, or for
/// somebody of whom nobody can tell who it is: an identifier, an id without its type.
pub(crate) fn searches_other_patient(
    resource_type: &str,
    name: &str,
    value: &str,
    patient: LocalPatient<'_>,
) -> bool {
    let (name, modifier) = name.split_once(':').unwrap_or((name, ""));
    if modifier == "missing" || !can_name_a_patient(resource_type, name) {
        return false;
    }
    if !modifier.is_empty() && !is_like_a_type(modifier) {
        return true;
    }
    let of_patient = matches!(modifier, "" | "Patient");
    value.split(',').any(|one| match is_id(one) {
        true => of_patient && one != patient.id,
        false => match ReferenceTarget::parse(one, patient.base) {
            ReferenceTarget::Here { resource_type, id } => {
                resource_type == "Patient" && id != patient.id
            }
            ReferenceTarget::Elsewhere { resource_type } => resource_type == "Patient",
            ReferenceTarget::Unresolved | ReferenceTarget::Nothing => !one.is_empty(),
        },
    })
}

fn can_name_a_patient(resource_type: &str, name: &str) -> bool {
    let index = PATIENT_REFERENCES.binary_search_by_key(&resource_type, |of| of.resource_type);
    let of = index.ok().and_then(|index| PATIENT_REFERENCES.get(index));
    matches!(name, "patient" | "subject")
        || of.is_some_and(|of| of.parameters.iter().any(|parameter| parameter.name == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_for_another_patient_is_told_from_one_for_oneself() {
        let base = "https://fhir.example.org/r4".parse().unwrap();
        let patient = LocalPatient { id: "1", base: &base };
        for (name, value, another) in [
            ("subject", "Patient/1", false),
            ("subject", "1", false),
            ("subject", "https://fhir.example.org/r4/Patient/1", false),
            ("subject", "Patient/1/_history/2", false),
            ("subject", "Group/7", false),
            ("subject", "", false),
            ("subject:Patient", "1", false),
            ("subject:Group", "7", false),
            ("subject:missing", "true", false),
            ("code", "2", false),
            ("encounter", "2", false),
            ("performer", "Practitioner/2", false),
            ("performer:Practitioner", "2", false),
            ("subject", "Patient/2", true),
            ("subject", "2", true),
            ("subject", "Patient/1,Patient/2", true),
            ("subject", r"Patient/1\,Patient/2", true),
            ("subject", "https://fhir.example.org/r4/Patient/2", true),
            ("subject", "http://elsewhere.test/fhir/Patient/1", true),
            ("subject", "urn:uuid:3a5d9c1e-6f8b-4b7c-9d3e-0a1b2c3d4e5f", true),
            ("subject:Patient", "2", true),
            ("subject:Group", "Patient/2", true),
            ("subject:identifier", "http://s.test|1", true),
            ("patient", "2", true),
            ("performer", "2", true),
            ("performer:Patient", "2", true),
            ("performer:unheard", "1", true),
            ("focus", "Patient/2", true),
        ] {
            let found = searches_other_patient("Observation", name, value, patient);
            assert_eq!(found, another, "{name}={value}");
        }
        // Also of a type for which R4 has no such parameter.
        for name in ["patient", "subject"] {
            assert!(searches_other_patient("Schedule", name, "Patient/2", patient), "{name}");
        }
    }
}
