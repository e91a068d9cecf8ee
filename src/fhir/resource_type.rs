//! The resource types of R4, R4B and R5.
//!
//! Types are an open set: an address may name one that is not listed here, and wildcards cover it.
//! A scope that names one that is not listed is a mistake, and grants nothing.

use std::sync::LazyLock;

use hashbrown::HashSet;

/// The types of [`KNOWN`] as a set: a name is looked up for every request.
static BY_NAME: LazyLock<HashSet<&str>> = LazyLock::new(|| KNOWN.iter().copied().collect());

/// The names in lower case: a query may contain thousands that are not among them.
static BY_LOWER_CASE: LazyLock<HashSet<String>> =
    LazyLock::new(|| KNOWN.iter().map(|known| known.to_ascii_lowercase()).collect());

/// Returns the type of R4, R4B or R5 that has this name.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    BY_NAME.get(name).copied()
}

/// Reports whether a type is one of R4, R4B or R5.
pub(crate) fn is_known(name: &str) -> bool {
    known(name).is_some()
}

/// Reports whether a name could be that of a type, and is not a known one in another case, which a
/// router might not tell from it.
pub(crate) fn is_spelled_as_a_type(name: &str) -> bool {
    let other_case = || BY_LOWER_CASE.contains(&*name.to_ascii_lowercase());
    is_known(name) || (is_like_a_type(name) && !other_case())
}

/// Reports whether a string is the name of a known type in lower case, as in `launch/<type>`.
pub(crate) fn is_known_in_lower_case(name: &str) -> bool {
    let lower = name.bytes().all(|byte| byte.is_ascii_lowercase());
    lower && BY_LOWER_CASE.contains(name)
}

/// Reports whether a name could be that of a type: an upper-case letter followed by letters.
pub(crate) fn is_like_a_type(name: &str) -> bool {
    (2..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The types of R4, R4B and R5, in alphabetical order.
#[rustfmt::skip]
pub(crate) const KNOWN: &[&str] = &[
    "Account", "ActivityDefinition", "ActorDefinition",
    "AdministrableProductDefinition", "AdverseEvent", "AllergyIntolerance",
    "Appointment", "AppointmentResponse", "ArtifactAssessment",
    "AuditEvent", "Basic", "Binary",
    "BiologicallyDerivedProduct", "BiologicallyDerivedProductDispense", "BodyStructure",
    "Bundle", "CapabilityStatement", "CarePlan",
    "CareTeam", "CatalogEntry", "ChargeItem",
    "ChargeItemDefinition", "Citation", "Claim",
    "ClaimResponse", "ClinicalImpression", "ClinicalUseDefinition",
    "CodeSystem", "Communication", "CommunicationRequest",
    "CompartmentDefinition", "Composition", "ConceptMap",
    "Condition", "ConditionDefinition", "Consent",
    "Contract", "Coverage", "CoverageEligibilityRequest",
    "CoverageEligibilityResponse", "DetectedIssue", "Device",
    "DeviceAssociation", "DeviceDefinition", "DeviceDispense",
    "DeviceMetric", "DeviceRequest", "DeviceUsage",
    "DeviceUseStatement", "DiagnosticReport", "DocumentManifest",
    "DocumentReference", "EffectEvidenceSynthesis", "Encounter",
    "EncounterHistory", "Endpoint", "EnrollmentRequest",
    "EnrollmentResponse", "EpisodeOfCare", "EventDefinition",
    "Evidence", "EvidenceReport", "EvidenceVariable",
    "ExampleScenario", "ExplanationOfBenefit", "FamilyMemberHistory",
    "Flag", "FormularyItem", "GenomicStudy",
    "Goal", "GraphDefinition", "Group",
    "GuidanceResponse", "HealthcareService", "ImagingSelection",
    "ImagingStudy", "Immunization", "ImmunizationEvaluation",
    "ImmunizationRecommendation", "ImplementationGuide", "Ingredient",
    "InsurancePlan", "InventoryItem", "InventoryReport",
    "Invoice", "Library", "Linkage",
    "List", "Location", "ManufacturedItemDefinition",
    "Measure", "MeasureReport", "Media",
    "Medication", "MedicationAdministration", "MedicationDispense",
    "MedicationKnowledge", "MedicationRequest", "MedicationStatement",
    "MedicinalProduct", "MedicinalProductAuthorization", "MedicinalProductContraindication",
    "MedicinalProductDefinition", "MedicinalProductIndication", "MedicinalProductIngredient",
    "MedicinalProductInteraction", "MedicinalProductManufactured", "MedicinalProductPackaged",
    "MedicinalProductPharmaceutical", "MedicinalProductUndesirableEffect", "MessageDefinition",
    "MessageHeader", "MolecularSequence", "NamingSystem",
    "NutritionIntake", "NutritionOrder", "NutritionProduct",
    "Observation", "ObservationDefinition", "OperationDefinition",
    "OperationOutcome", "Organization", "OrganizationAffiliation",
    "PackagedProductDefinition", "Parameters", "Patient",
    "PaymentNotice", "PaymentReconciliation", "Permission",
    "Person", "PlanDefinition", "Practitioner",
    "PractitionerRole", "Procedure", "Provenance",
    "Questionnaire", "QuestionnaireResponse", "RegulatedAuthorization",
    "RelatedPerson", "RequestGroup", "RequestOrchestration",
    "Requirements", "ResearchDefinition", "ResearchElementDefinition",
    "ResearchStudy", "ResearchSubject", "RiskAssessment",
    "RiskEvidenceSynthesis", "Schedule", "SearchParameter",
    "ServiceRequest", "Slot", "Specimen",
    "SpecimenDefinition", "StructureDefinition", "StructureMap",
    "Subscription", "SubscriptionStatus", "SubscriptionTopic",
    "Substance", "SubstanceDefinition", "SubstanceNucleicAcid",
    "SubstancePolymer", "SubstanceProtein", "SubstanceReferenceInformation",
    "SubstanceSourceMaterial", "SubstanceSpecification", "SupplyDelivery",
    "SupplyRequest", "Task", "TerminologyCapabilities",
    "TestPlan", "TestReport", "TestScript",
    "Transport", "ValueSet", "VerificationResult",
    "VisionPrescription",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_listed_once_and_is_spelled_as_one() {
        assert!(KNOWN.is_sorted_by(|one, next| one < next));
        assert!(KNOWN.iter().all(|name| is_known(name) && is_like_a_type(name)));
        for unknown in ["", "patient", "Patients", "Foo", "Resource", "DomainResource"] {
            assert!(!is_known(unknown), "{unknown}");
        }
    }
}
