//! Which resources belong to a patient: the Patient compartment of R4
//! (<https://hl7.org/fhir/R4/compartmentdefinition-patient.html>).

/// The reference parameters that put a resource of a type into a patient's compartment, any one of
/// them enough; `None` for a type that has no place in it.
///
/// A patient is in its own compartment. The definition also lets `Patient.link` in: this one does
/// not, because whoever may write a link would then decide who sees another patient's record.
///
/// ```
/// use tower_fhir_auth::patient_compartment;
///
/// assert_eq!(patient_compartment("Observation"), Some(&["subject", "performer"][..]));
/// assert_eq!(patient_compartment("Patient"), Some(&[][..]));
/// assert_eq!(patient_compartment("Organization"), None);
/// ```
#[must_use]
pub fn patient_compartment(resource_type: &str) -> Option<&'static [&'static str]> {
    let place = MEMBERSHIP.binary_search_by_key(&resource_type, |(name, _)| name).ok()?;
    MEMBERSHIP.get(place).map(|(_, parameters)| *parameters)
}

/// Whether resources of a type belong to no patient and are shared by all: who and where care is
/// given, and what medications are. A token that is confined to a patient may read them by id.
///
/// ```
/// assert!(tower_fhir_auth::is_shared_type("Practitioner"));
/// assert!(!tower_fhir_auth::is_shared_type("Questionnaire"));
/// ```
#[must_use]
pub fn is_shared_type(resource_type: &str) -> bool {
    matches!(resource_type, "Location" | "Medication" | "Organization" | "Practitioner")
}

/// In the order of the alphabet.
#[rustfmt::skip]
const MEMBERSHIP: &[(&str, &[&str])] = &[
    ("Account", &["subject"]),
    ("AdverseEvent", &["subject"]),
    ("AllergyIntolerance", &["patient", "recorder", "asserter"]),
    ("Appointment", &["actor"]),
    ("AppointmentResponse", &["actor"]),
    ("AuditEvent", &["patient"]),
    ("Basic", &["patient", "author"]),
    ("BodyStructure", &["patient"]),
    ("CarePlan", &["patient", "performer"]),
    ("CareTeam", &["patient", "participant"]),
    ("ChargeItem", &["subject"]),
    ("Claim", &["patient", "payee"]),
    ("ClaimResponse", &["patient"]),
    ("ClinicalImpression", &["subject"]),
    ("Communication", &["subject", "sender", "recipient"]),
    ("CommunicationRequest", &["subject", "sender", "recipient", "requester"]),
    ("Composition", &["subject", "author", "attester"]),
    ("Condition", &["patient", "asserter"]),
    ("Consent", &["patient"]),
    ("Coverage", &["policy-holder", "subscriber", "beneficiary", "payor"]),
    ("CoverageEligibilityRequest", &["patient"]),
    ("CoverageEligibilityResponse", &["patient"]),
    ("DetectedIssue", &["patient"]),
    ("DeviceRequest", &["subject", "performer"]),
    ("DeviceUseStatement", &["subject"]),
    ("DiagnosticReport", &["subject"]),
    ("DocumentManifest", &["subject", "author", "recipient"]),
    ("DocumentReference", &["subject", "author"]),
    ("Encounter", &["patient"]),
    ("EnrollmentRequest", &["subject"]),
    ("EpisodeOfCare", &["patient"]),
    ("ExplanationOfBenefit", &["patient", "payee"]),
    ("FamilyMemberHistory", &["patient"]),
    ("Flag", &["patient"]),
    ("Goal", &["patient"]),
    ("Group", &["member"]),
    ("ImagingStudy", &["patient"]),
    ("Immunization", &["patient"]),
    ("ImmunizationEvaluation", &["patient"]),
    ("ImmunizationRecommendation", &["patient"]),
    ("Invoice", &["subject", "patient", "recipient"]),
    ("List", &["subject", "source"]),
    ("MeasureReport", &["patient"]),
    ("Media", &["subject"]),
    ("MedicationAdministration", &["patient", "performer", "subject"]),
    ("MedicationDispense", &["subject", "patient", "receiver"]),
    ("MedicationRequest", &["subject"]),
    ("MedicationStatement", &["subject"]),
    ("MolecularSequence", &["patient"]),
    ("NutritionOrder", &["patient"]),
    ("Observation", &["subject", "performer"]),
    ("Patient", &[]),
    ("Person", &["patient"]),
    ("Procedure", &["patient", "performer"]),
    ("Provenance", &["patient"]),
    ("QuestionnaireResponse", &["subject", "author"]),
    ("RelatedPerson", &["patient"]),
    ("RequestGroup", &["subject", "participant"]),
    ("ResearchSubject", &["individual"]),
    ("RiskAssessment", &["subject"]),
    ("Schedule", &["actor"]),
    ("ServiceRequest", &["subject", "performer"]),
    ("Specimen", &["subject"]),
    ("SupplyDelivery", &["patient"]),
    ("SupplyRequest", &["subject"]),
    ("VisionPrescription", &["patient"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_has_66_types_each_with_parameters_but_the_patient_itself() {
        assert_eq!(MEMBERSHIP.len(), 66);
        assert!(MEMBERSHIP.is_sorted_by_key(|(name, _)| name));
        let parameters: usize = MEMBERSHIP.iter().map(|(_, parameters)| parameters.len()).sum();
        assert_eq!(parameters, 99);
        for (name, parameters) in MEMBERSHIP {
            assert_eq!(parameters.is_empty(), *name == "Patient", "{name}");
            assert!(!is_shared_type(name), "{name}");
            for parameter in *parameters {
                let known = crate::fhir::search_parameter::is_known(name, parameter);
                assert!(known, "{name} has no search parameter {parameter}");
            }
        }
    }

    #[test]
    fn focus_confers_nothing() {
        let parameters = patient_compartment("Observation").unwrap();
        assert!(!parameters.contains(&"focus"));
    }
}
