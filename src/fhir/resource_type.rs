//! The resource types of R4, those of R4B and R5, and those that an application declares.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use hashbrown::{HashMap, HashSet};

/// The names of [`R4`] as a set: a name is looked up for every request.
static BY_NAME: LazyLock<HashSet<&str>> = LazyLock::new(|| R4.iter().copied().collect());

/// The names of [`LATER`] as a set.
static LATER_BY_NAME: LazyLock<HashSet<&str>> = LazyLock::new(|| LATER.iter().copied().collect());

/// The names in lower case, each with its own spelling: a query may contain thousands that are not
/// among them.
static BY_LOWER_CASE: LazyLock<HashMap<String, &str>> = LazyLock::new(|| {
    let known = R4.iter().chain(LATER);
    known.map(|known| (known.to_ascii_lowercase(), *known)).collect()
});

/// The resource types of an API: all of R4 (4.0.1), and those that the application declares. An
/// address that names another type is no interaction.
///
/// ```
/// use tower_fhir_auth::fhir::ResourceTypes;
///
/// let types = ResourceTypes::r4().with(["Transport", "TriageNote"])?;
/// assert!(types.contains("Patient") && types.contains("Transport"));
/// assert!(!types.contains("NutritionIntake") && !types.contains("patient"));
/// # Ok::<(), tower_fhir_auth::fhir::ResourceTypeError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceTypes(
    /// `None` for R4 alone: an interaction keeps the types, and most have no others.
    Option<Arc<BTreeSet<Arc<str>>>>,
);

/// A string is not a name that a resource type can have.
///
/// ```
/// use tower_fhir_auth::fhir::ResourceTypes;
///
/// assert!(ResourceTypes::r4().with(["Claims/1"]).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is no name of a resource type: 2 to 64 letters, the first in upper case, and no \
         type of FHIR in another case"
)]
#[non_exhaustive]
pub struct ResourceTypeError {
    /// The string.
    pub name: String,
}

impl ResourceTypes {
    /// Returns the types of R4 alone.
    #[must_use]
    pub fn r4() -> Self {
        Self::default()
    }

    /// Adds types: those of R4B or R5 that the API serves, or types of its own.
    ///
    /// # Errors
    ///
    /// A name that no type can have.
    pub fn with<T: Into<String>>(
        &self,
        names: impl IntoIterator<Item = T>,
    ) -> Result<Self, ResourceTypeError> {
        let mut declared = self.0.as_deref().cloned().unwrap_or_default();
        for name in names {
            let name = name.into();
            if !is_spelled_as_a_type(&name) {
                return Err(ResourceTypeError { name });
            }
            if !is_of_r4(&name) {
                declared.insert(name.into());
            }
        }
        Ok(Self((!declared.is_empty()).then(|| Arc::new(declared))))
    }

    /// Reports whether a type is among them.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        is_of_r4(name) || self.declared(name).is_some()
    }

    /// Returns every name: those of R4 first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let declared = self.0.iter().flat_map(|names| names.iter().map(|name| &**name));
        R4.iter().copied().chain(declared)
    }

    /// Returns the name of a declared type, shared.
    pub(crate) fn declared(&self, name: &str) -> Option<&Arc<str>> {
        self.0.as_deref()?.get(name)
    }

    /// Returns the type whose name differs in case alone, of all that are declared or of FHIR.
    pub(crate) fn in_other_case(&self, name: &str) -> Option<&str> {
        let of_fhir = BY_LOWER_CASE.get(&*name.to_ascii_lowercase()).copied();
        let of_fhir = of_fhir.filter(|known| *known != name && self.contains(known));
        let mut declared = self.0.iter().flat_map(|names| names.iter());
        of_fhir.or_else(|| {
            declared.find(|known| known.eq_ignore_ascii_case(name)).map(|known| &**known)
        })
    }
}

fn is_of_r4(name: &str) -> bool {
    BY_NAME.contains(name)
}

/// Reports whether a type is one of R4B or R5, and none of R4.
pub(crate) fn is_of_a_later_version(name: &str) -> bool {
    LATER_BY_NAME.contains(name)
}

/// Returns the type of R4, R4B or R5 that has this name.
pub(crate) fn known(name: &str) -> Option<&'static str> {
    BY_NAME.get(name).or_else(|| LATER_BY_NAME.get(name)).copied()
}

/// Reports whether a type is one of R4, R4B or R5.
pub(crate) fn is_known(name: &str) -> bool {
    known(name).is_some()
}

/// Reports whether a name could be that of a type, and is not a known one in another case, which a
/// router might not tell from it.
pub(crate) fn is_spelled_as_a_type(name: &str) -> bool {
    let other_case = || BY_LOWER_CASE.contains_key(&*name.to_ascii_lowercase());
    is_known(name) || (is_like_a_type(name) && !other_case())
}

/// Reports whether a string is the name of a known type in lower case, as in `launch/<type>`.
pub(crate) fn is_known_in_lower_case(name: &str) -> bool {
    BY_LOWER_CASE.contains_key(name)
}

/// Reports whether a name could be that of a type: an upper-case letter followed by letters.
pub(crate) fn is_like_a_type(name: &str) -> bool {
    (2..=64).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// The types of R4 (<https://hl7.org/fhir/R4/codesystem-resource-types.html>) that a resource can
/// have, in alphabetical order.
#[rustfmt::skip]
const R4: &[&str] = &[
    "Account", "ActivityDefinition", "AdverseEvent",
    "AllergyIntolerance", "Appointment", "AppointmentResponse",
    "AuditEvent", "Basic", "Binary",
    "BiologicallyDerivedProduct", "BodyStructure", "Bundle",
    "CapabilityStatement", "CarePlan", "CareTeam",
    "CatalogEntry", "ChargeItem", "ChargeItemDefinition",
    "Claim", "ClaimResponse", "ClinicalImpression",
    "CodeSystem", "Communication", "CommunicationRequest",
    "CompartmentDefinition", "Composition", "ConceptMap",
    "Condition", "Consent", "Contract",
    "Coverage", "CoverageEligibilityRequest", "CoverageEligibilityResponse",
    "DetectedIssue", "Device", "DeviceDefinition",
    "DeviceMetric", "DeviceRequest", "DeviceUseStatement",
    "DiagnosticReport", "DocumentManifest", "DocumentReference",
    "EffectEvidenceSynthesis", "Encounter", "Endpoint",
    "EnrollmentRequest", "EnrollmentResponse", "EpisodeOfCare",
    "EventDefinition", "Evidence", "EvidenceVariable",
    "ExampleScenario", "ExplanationOfBenefit", "FamilyMemberHistory",
    "Flag", "Goal", "GraphDefinition",
    "Group", "GuidanceResponse", "HealthcareService",
    "ImagingStudy", "Immunization", "ImmunizationEvaluation",
    "ImmunizationRecommendation", "ImplementationGuide", "InsurancePlan",
    "Invoice", "Library", "Linkage",
    "List", "Location", "Measure",
    "MeasureReport", "Media", "Medication",
    "MedicationAdministration", "MedicationDispense", "MedicationKnowledge",
    "MedicationRequest", "MedicationStatement", "MedicinalProduct",
    "MedicinalProductAuthorization", "MedicinalProductContraindication", "MedicinalProductIndication",
    "MedicinalProductIngredient", "MedicinalProductInteraction", "MedicinalProductManufactured",
    "MedicinalProductPackaged", "MedicinalProductPharmaceutical", "MedicinalProductUndesirableEffect",
    "MessageDefinition", "MessageHeader", "MolecularSequence",
    "NamingSystem", "NutritionOrder", "Observation",
    "ObservationDefinition", "OperationDefinition", "OperationOutcome",
    "Organization", "OrganizationAffiliation", "Parameters",
    "Patient", "PaymentNotice", "PaymentReconciliation",
    "Person", "PlanDefinition", "Practitioner",
    "PractitionerRole", "Procedure", "Provenance",
    "Questionnaire", "QuestionnaireResponse", "RelatedPerson",
    "RequestGroup", "ResearchDefinition", "ResearchElementDefinition",
    "ResearchStudy", "ResearchSubject", "RiskAssessment",
    "RiskEvidenceSynthesis", "Schedule", "SearchParameter",
    "ServiceRequest", "Slot", "Specimen",
    "SpecimenDefinition", "StructureDefinition", "StructureMap",
    "Subscription", "Substance", "SubstanceNucleicAcid",
    "SubstancePolymer", "SubstanceProtein", "SubstanceReferenceInformation",
    "SubstanceSourceMaterial", "SubstanceSpecification", "SupplyDelivery",
    "SupplyRequest", "Task", "TerminologyCapabilities",
    "TestReport", "TestScript", "ValueSet",
    "VerificationResult", "VisionPrescription",
];

/// The types of R4B and R5 that are none of R4, in alphabetical order. Scopes may name them.
#[rustfmt::skip]
const LATER: &[&str] = &[
    "ActorDefinition", "AdministrableProductDefinition", "ArtifactAssessment",
    "BiologicallyDerivedProductDispense", "Citation", "ClinicalUseDefinition",
    "ConditionDefinition", "DeviceAssociation", "DeviceDispense",
    "DeviceUsage", "EncounterHistory", "EvidenceReport",
    "FormularyItem", "GenomicStudy", "ImagingSelection",
    "Ingredient", "InventoryItem", "InventoryReport",
    "ManufacturedItemDefinition", "MedicinalProductDefinition", "NutritionIntake",
    "NutritionProduct", "PackagedProductDefinition", "Permission",
    "RegulatedAuthorization", "RequestOrchestration", "Requirements",
    "SubscriptionStatus", "SubscriptionTopic", "SubstanceDefinition",
    "TestPlan", "Transport",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_listed_once_and_is_spelled_as_one() {
        for list in [R4, LATER] {
            assert!(list.is_sorted_by(|one, next| one < next));
            assert!(list.iter().all(|name| is_known(name) && is_like_a_type(name)));
        }
        assert_eq!((R4.len(), LATER.len()), (146, 32));
        assert!(LATER.iter().all(|name| is_of_a_later_version(name) && !is_of_r4(name)));
        for unknown in ["", "patient", "Patients", "Foo", "Resource", "DomainResource"] {
            assert!(!is_known(unknown), "{unknown}");
        }
    }

    #[test]
    fn an_application_declares_further_types() {
        let types = ResourceTypes::r4().with(["Transport", "Foo"]).unwrap();
        for name in ["Patient", "Transport", "Foo"] {
            assert!(types.contains(name), "{name}");
        }
        for name in ["NutritionIntake", "Bar", "foo", "transport", "Resource", ""] {
            assert!(!types.contains(name), "{name}");
        }
        assert_eq!(types.names().count(), 148);
        assert_eq!(types.with(["Foo", "Patient"]).unwrap(), types);
        assert_eq!(ResourceTypes::r4().with(["Patient"]).unwrap(), ResourceTypes::r4());
        for (name, expected) in [
            ("fOO", Some("Foo")),
            ("PATIENT", Some("Patient")),
            ("Patient", None),
            ("nutritionIntake", None),
        ] {
            assert_eq!(types.in_other_case(name), expected, "{name}");
        }
        for name in ["", "F", "foo", "Foo1", "Foo/Bar", "PATIENT", "TransPort", "*"] {
            let error = ResourceTypes::r4().with([name]).unwrap_err();
            assert_eq!(error, ResourceTypeError { name: name.to_owned() });
        }
    }
}
