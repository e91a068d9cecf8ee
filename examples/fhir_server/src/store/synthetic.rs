//! A small world of people who do not exist, to show who may see what.

use serde_json::{Value, json};
use tower_fhir_auth::fhir::BaseUrl;

use super::reference::name_of;
use super::state::State;

const LOINC: &str = "http://loinc.org";
const CONDITION_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/condition-category";
const OBSERVATION_CATEGORY: &str = "http://terminology.hl7.org/CodeSystem/observation-category";

/// Patients 1 and 2 have the same kinds of records; of 3 there is little.
pub(crate) fn synthetic(base: BaseUrl) -> State {
    let mut resources = surroundings();
    for (patient, name, family, given, born) in [
        ("1", "amara", "Peeters", "Amara", "1984-02-11"),
        ("2", "tobi", "Oyelaran", "Tobi", "1951-09-30"),
        ("3", "noa", "Lindqvist", "Noa", "2012-06-05"),
    ] {
        resources.push(json!({
            "resourceType": "Patient", "id": patient, "birthDate": born,
            "identifier": [{"system": "http://hospital.example/patients", "value": name}],
            "name": [{"family": family, "given": [given]}],
            "generalPractitioner": [{"reference": "Practitioner/house-doctor"}],
            "managingOrganization": {"reference": "Organization/hospital"},
        }));
        resources.push(weight(patient));
        if patient != "3" {
            resources.extend(record(patient, name));
        }
    }
    resources.extend(entanglements());
    let mut state = State::new(base);
    let named = |resource: Value| Some((name_of(&resource)?, resource));
    state.fill(resources.into_iter().filter_map(named).collect());
    state
}

/// Resources that belong to no patient.
fn surroundings() -> Vec<Value> {
    vec![
        json!({
            "resourceType": "Organization", "id": "hospital", "active": true,
            "name": "Saint Example Hospital",
        }),
        json!({
            "resourceType": "Practitioner", "id": "house-doctor", "active": true,
            "name": [{"family": "Okafor", "given": ["Ines"], "prefix": ["Dr."]}],
        }),
        json!({
            "resourceType": "Location", "id": "ward", "status": "active", "name": "Ward 4",
            "managingOrganization": {"reference": "Organization/hospital"},
        }),
        json!({
            "resourceType": "Medication", "id": "paracetamol", "status": "active",
            "code": concept("http://www.whocc.no/atc", "N02BE01", "paracetamol"),
        }),
    ]
}

/// The record of one patient.
fn record(patient: &str, name: &str) -> Vec<Value> {
    let id = |what: &str| format!("{name}-{what}");
    let about = || json!({"reference": format!("Patient/{patient}")});
    let at_visit = || json!({"reference": format!("Encounter/{name}-visit")});
    vec![
        json!({
            "resourceType": "Encounter", "id": id("visit"), "status": "finished",
            "class": {
                "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB",
            },
            "subject": about(), "serviceProvider": {"reference": "Organization/hospital"},
            "participant": [{"individual": {"reference": "Practitioner/house-doctor"}}],
            "location": [{"location": {"reference": "Location/ward"}}],
            "period": {"start": "2026-03-02T09:00:00Z", "end": "2026-03-02T09:30:00Z"},
        }),
        at(
            condition(&id("headache"), "encounter-diagnosis", "25064002", "Headache", &about()),
            at_visit(),
        ),
        condition(&id("diabetes"), "problem-list-item", "44054006", "Type 2 diabetes", &about()),
        json!({
            "resourceType": "Observation", "id": id("hba1c"), "status": "final",
            "category": [concept(OBSERVATION_CATEGORY, "laboratory", "Laboratory")],
            "code": concept(LOINC, "4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"),
            "subject": about(), "encounter": at_visit(),
            "performer": [{"reference": "Organization/hospital"}],
            "effectiveDateTime": "2026-03-02T09:10:00Z",
            "valueQuantity": quantity(7.1, "%"),
        }),
        json!({
            "resourceType": "Observation", "id": id("blood-pressure"), "status": "final",
            "category": [concept(OBSERVATION_CATEGORY, "vital-signs", "Vital Signs")],
            "code": concept(LOINC, "85354-9", "Blood pressure panel"),
            "subject": about(), "encounter": at_visit(),
            "performer": [{"reference": "Practitioner/house-doctor"}],
            "effectiveDateTime": "2026-03-02T09:05:00Z",
            "component": [
                {
                    "code": concept(LOINC, "8480-6", "Systolic blood pressure"),
                    "valueQuantity": quantity(128.0, "mm[Hg]"),
                },
                {
                    "code": concept(LOINC, "8462-4", "Diastolic blood pressure"),
                    "valueQuantity": quantity(82.0, "mm[Hg]"),
                },
            ],
        }),
        json!({
            "resourceType": "Observation", "id": id("smoking"), "status": "final",
            "category": [concept(OBSERVATION_CATEGORY, "survey", "Survey")],
            "code": concept(LOINC, "72166-2", "Tobacco smoking status"),
            "subject": about(), "effectiveDateTime": "2026-03-02",
            "valueCodeableConcept":
                concept("http://snomed.info/sct", "266919005", "Never smoked tobacco"),
        }),
        json!({
            "resourceType": "AllergyIntolerance", "id": id("allergy"), "category": ["food"],
            "clinicalStatus": concept(
                "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical",
                "active",
                "Active",
            ),
            "code": concept("http://snomed.info/sct", "91935009", "Allergy to peanut"),
            "patient": about(), "recorder": {"reference": "Practitioner/house-doctor"},
        }),
        json!({
            "resourceType": "MedicationRequest", "id": id("painkiller"), "status": "active",
            "intent": "order", "subject": about(), "encounter": at_visit(),
            "medicationReference": {"reference": "Medication/paracetamol"},
            "requester": {"reference": "Practitioner/house-doctor"},
            "authoredOn": "2026-03-02T09:25:00Z",
        }),
        json!({
            "resourceType": "DocumentReference", "id": id("letter"), "status": "current",
            "type": concept(LOINC, "34133-9", "Summary of episode note"),
            "subject": about(), "author": [{"reference": "Practitioner/house-doctor"}],
            "context": {"encounter": [at_visit()]},
            // "A letter."
            "content": [{"attachment": {"contentType": "text/plain", "data": "QSBsZXR0ZXIu"}}],
        }),
    ]
}

/// Resources that name more than one patient.
fn entanglements() -> Vec<Value> {
    let about_the_second = |id: &str, code: &str, display: &str, text: &str| {
        json!({
            "resourceType": "Observation", "id": id, "status": "final",
            "category": [concept(OBSERVATION_CATEGORY, "survey", "Survey")],
            "code": concept(LOINC, code, display),
            "subject": {"reference": "Patient/2"}, "effectiveDateTime": "2026-03-03",
            "valueString": text,
        })
    };
    let mut performed =
        about_the_second("tobi-seen-by-amara", "48767-8", "Annotation comment", "sleeps badly");
    performed["performer"] = json!([{"reference": "Patient/1"}]);
    let mut focused =
        about_the_second("tobi-about-amara", "8670-2", "History of family member", "well");
    focused["focus"] = json!([{"reference": "Patient/1"}]);
    let member = |patient: &str| json!({"entity": {"reference": format!("Patient/{patient}")}});
    let group = json!({
        "resourceType": "Group", "id": "both", "type": "person", "actual": true,
        "name": "Amara and Tobi", "quantity": 2, "member": [member("1"), member("2")],
    });
    vec![performed, focused, group]
}

fn weight(patient: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": format!("weight-{patient}"), "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "29463-7"}]},
        "subject": {"reference": format!("Patient/{patient}")},
        "valueQuantity": {"value": 61.5, "unit": "kg"},
    })
}

fn condition(id: &str, category: &str, code: &str, display: &str, subject: &Value) -> Value {
    json!({
        "resourceType": "Condition", "id": id,
        "clinicalStatus": concept(
            "http://terminology.hl7.org/CodeSystem/condition-clinical",
            "active",
            "Active",
        ),
        "category": [{"coding": [{"system": CONDITION_CATEGORY, "code": category}]}],
        "code": concept("http://snomed.info/sct", code, display),
        "subject": subject, "recordedDate": "2026-03-02",
        "asserter": {"reference": "Practitioner/house-doctor"},
    })
}

/// A resource of an encounter.
fn at(mut resource: Value, encounter: Value) -> Value {
    resource["encounter"] = encounter;
    resource
}

fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": display}]})
}

fn quantity(value: f64, unit: &str) -> Value {
    json!({"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit})
}

#[cfg(test)]
mod tests {
    use tower_fhir_auth::fhir::ResourceReference;

    use super::super::reference::is_type;
    use super::super::search::Search;
    use super::super::tests::base;
    use super::*;

    fn found(resource_type: &str, name: &str, value: &str) -> Vec<String> {
        let query = [(name.to_owned(), value.to_owned())];
        let search = Search::parse(&base(), Some(resource_type), &query).unwrap();
        let found = search.matches_in(&synthetic(base()));
        found.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn who_was_there_before_still_is() {
        let state = synthetic(base());
        for (id, family) in [("1", "Peeters"), ("2", "Oyelaran"), ("3", "Lindqvist")] {
            let patient = state.referenced(&ResourceReference::new("Patient", id)).unwrap();
            assert_eq!(patient["name"][0]["family"], family);
            let weight = ResourceReference::new("Observation", format!("weight-{id}"));
            let weight = state.referenced(&weight).unwrap();
            assert_eq!(weight["subject"]["reference"], format!("Patient/{id}"));
        }
    }

    #[test]
    fn nothing_is_overwritten_and_every_reference_leads_somewhere() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Array(members) => members.iter().for_each(|one| references(one, found)),
                Value::Object(fields) => {
                    found
                        .extend(fields.get("reference").and_then(Value::as_str).map(str::to_owned));
                    fields.values().for_each(|one| references(one, found));
                }
                _ => {}
            }
        }
        let state = synthetic(base());
        let history = state.history(None);
        assert_eq!(history.len(), 31);
        for version in history {
            assert!(version.version == 1 && is_type(&version.resource_type));
            let mut named = Vec::new();
            references(version.resource.as_ref().unwrap(), &mut named);
            for text in named {
                let (of, id) = text.split_once('/').unwrap();
                let to = ResourceReference::new(of, id);
                assert!(state.referenced(&to).is_some(), "{text}");
            }
        }
    }

    #[test]
    fn records_are_found_as_a_demonstration_needs_them() {
        let (hba1c, pressure) = (["amara-hba1c", "tobi-hba1c"], "tobi-blood-pressure");
        assert_eq!(found("Observation", "code", "http://loinc.org|4548-4"), hba1c);
        assert_eq!(found("Observation", "category", "laboratory"), hba1c);
        assert_eq!(found("Observation", "category", "vital-signs")[1], pressure);
        assert_eq!(found("Condition", "category", "problem-list-item").len(), 2);
        assert_eq!(found("Observation", "performer", "Patient/1"), ["tobi-seen-by-amara"]);
        assert_eq!(found("Observation", "patient", "1").len(), 4);
        assert_eq!(found("Observation", "patient", "2").len(), 6);
        assert_eq!(found("Group", "member", "Patient/2"), ["both"]);
        assert_eq!(found("MedicationRequest", "medication", "paracetamol").len(), 2);
        assert_eq!(found("DocumentReference", "patient", "2"), ["tobi-letter"]);
    }
}
