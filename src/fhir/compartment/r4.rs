//! The reference search parameters of R4 that can name a Patient, with the elements they read, and
//! which of them make up the Patient compartment. Generated from the official definitions by
//! `UPDATE_TABLES=1 cargo test --test official_examples tables`; do not edit.

use super::parameter::{PatientReference as P, TypeReferences as T};

/// In the order of the alphabet. A parameter without paths has an expression that reads more than
/// elements, and names nobody.
#[rustfmt::skip]
pub(super) const PATIENT_REFERENCES: &[T] = &[
    T { resource_type: "Account", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "ActivityDefinition", parameters: &[
        P { name: "composed-of", in_compartment: false, paths: &[] },
        P { name: "depends-on", in_compartment: false, paths: &[] },
        P { name: "derived-from", in_compartment: false, paths: &[] },
        P { name: "predecessor", in_compartment: false, paths: &[] },
        P { name: "successor", in_compartment: false, paths: &[] },
    ] },
    T { resource_type: "AdverseEvent", parameters: &[
        P { name: "recorder", in_compartment: false, paths: &["recorder"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "AllergyIntolerance", parameters: &[
        P { name: "asserter", in_compartment: true, paths: &["asserter"] },
        P { name: "patient", in_compartment: true, paths: &["patient"] },
        P { name: "recorder", in_compartment: true, paths: &["recorder"] },
    ] },
    T { resource_type: "Appointment", parameters: &[
        P { name: "actor", in_compartment: true, paths: &["participant.actor"] },
        P { name: "patient", in_compartment: false, paths: &["participant.actor"] },
        P { name: "supporting-info", in_compartment: false, paths: &["supportingInformation"] },
    ] },
    T { resource_type: "AppointmentResponse", parameters: &[
        P { name: "actor", in_compartment: true, paths: &["actor"] },
        P { name: "patient", in_compartment: false, paths: &["actor"] },
    ] },
    T { resource_type: "AuditEvent", parameters: &[
        P { name: "agent", in_compartment: false, paths: &["agent.who"] },
        P { name: "entity", in_compartment: false, paths: &["entity.what"] },
        P { name: "patient", in_compartment: true, paths: &["agent.who", "entity.what"] },
        P { name: "source", in_compartment: false, paths: &["source.observer"] },
    ] },
    T { resource_type: "Basic", parameters: &[
        P { name: "author", in_compartment: true, paths: &["author"] },
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "BodyStructure", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "CarePlan", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "performer", in_compartment: true, paths: &["activity.detail.performer"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "CareTeam", parameters: &[
        P { name: "participant", in_compartment: true, paths: &["participant.member"] },
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "ChargeItem", parameters: &[
        P { name: "enterer", in_compartment: false, paths: &["enterer"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "performer-actor", in_compartment: false, paths: &["performer.actor"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "Claim", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
        P { name: "payee", in_compartment: true, paths: &["payee.party"] },
    ] },
    T { resource_type: "ClaimResponse", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "ClinicalImpression", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
        P { name: "supporting-info", in_compartment: false, paths: &["supportingInfo"] },
    ] },
    T { resource_type: "Communication", parameters: &[
        P { name: "based-on", in_compartment: false, paths: &["basedOn"] },
        P { name: "part-of", in_compartment: false, paths: &["partOf"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "recipient", in_compartment: true, paths: &["recipient"] },
        P { name: "sender", in_compartment: true, paths: &["sender"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "CommunicationRequest", parameters: &[
        P { name: "based-on", in_compartment: false, paths: &["basedOn"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "recipient", in_compartment: true, paths: &["recipient"] },
        P { name: "requester", in_compartment: true, paths: &["requester"] },
        P { name: "sender", in_compartment: true, paths: &["sender"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "Composition", parameters: &[
        P { name: "attester", in_compartment: true, paths: &["attester.party"] },
        P { name: "author", in_compartment: true, paths: &["author"] },
        P { name: "entry", in_compartment: false, paths: &["section.entry"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "Condition", parameters: &[
        P { name: "asserter", in_compartment: true, paths: &["asserter"] },
        P { name: "evidence-detail", in_compartment: false, paths: &["evidence.detail"] },
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "Consent", parameters: &[
        P { name: "actor", in_compartment: false, paths: &["provision.actor.reference"] },
        P { name: "consentor", in_compartment: false, paths: &["performer"] },
        P { name: "data", in_compartment: false, paths: &["provision.data.reference"] },
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "Contract", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "signer", in_compartment: false, paths: &["signer.party"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "Coverage", parameters: &[
        P { name: "beneficiary", in_compartment: true, paths: &["beneficiary"] },
        P { name: "patient", in_compartment: false, paths: &["beneficiary"] },
        P { name: "payor", in_compartment: true, paths: &["payor"] },
        P { name: "policy-holder", in_compartment: true, paths: &["policyHolder"] },
        P { name: "subscriber", in_compartment: true, paths: &["subscriber"] },
    ] },
    T { resource_type: "CoverageEligibilityRequest", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "CoverageEligibilityResponse", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "DetectedIssue", parameters: &[
        P { name: "implicated", in_compartment: false, paths: &["implicated"] },
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "Device", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["patient"] },
    ] },
    T { resource_type: "DeviceRequest", parameters: &[
        P { name: "based-on", in_compartment: false, paths: &["basedOn"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "performer", in_compartment: true, paths: &["performer"] },
        P { name: "prior-request", in_compartment: false, paths: &["priorRequest"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "DeviceUseStatement", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "DiagnosticReport", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "DocumentManifest", parameters: &[
        P { name: "author", in_compartment: true, paths: &["author"] },
        P { name: "item", in_compartment: false, paths: &["content"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "recipient", in_compartment: true, paths: &["recipient"] },
        P { name: "related-ref", in_compartment: false, paths: &["related.ref"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "DocumentReference", parameters: &[
        P { name: "author", in_compartment: true, paths: &["author"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "related", in_compartment: false, paths: &["context.related"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "Encounter", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "EnrollmentRequest", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["candidate"] },
        P { name: "subject", in_compartment: true, paths: &["candidate"] },
    ] },
    T { resource_type: "EpisodeOfCare", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "EventDefinition", parameters: &[
        P { name: "composed-of", in_compartment: false, paths: &[] },
        P { name: "depends-on", in_compartment: false, paths: &[] },
        P { name: "derived-from", in_compartment: false, paths: &[] },
        P { name: "predecessor", in_compartment: false, paths: &[] },
        P { name: "successor", in_compartment: false, paths: &[] },
    ] },
    T { resource_type: "Evidence", parameters: &[
        P { name: "composed-of", in_compartment: false, paths: &[] },
        P { name: "depends-on", in_compartment: false, paths: &[] },
        P { name: "derived-from", in_compartment: false, paths: &[] },
        P { name: "predecessor", in_compartment: false, paths: &[] },
        P { name: "successor", in_compartment: false, paths: &[] },
    ] },
    T { resource_type: "EvidenceVariable", parameters: &[
        P { name: "composed-of", in_compartment: false, paths: &[] },
        P { name: "depends-on", in_compartment: false, paths: &[] },
        P { name: "derived-from", in_compartment: false, paths: &[] },
        P { name: "predecessor", in_compartment: false, paths: &[] },
        P { name: "successor", in_compartment: false, paths: &[] },
    ] },
    T { resource_type: "ExplanationOfBenefit", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
        P { name: "payee", in_compartment: true, paths: &["payee.party"] },
    ] },
    T { resource_type: "FamilyMemberHistory", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "Flag", parameters: &[
        P { name: "author", in_compartment: false, paths: &["author"] },
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "Goal", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "Group", parameters: &[
        P { name: "member", in_compartment: true, paths: &["member.entity"] },
    ] },
    T { resource_type: "GuidanceResponse", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "ImagingStudy", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "performer", in_compartment: false, paths: &["series.performer.actor"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "Immunization", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "ImmunizationEvaluation", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "ImmunizationRecommendation", parameters: &[
        P { name: "information", in_compartment: false, paths: &["recommendation.supportingPatientInformation"] },
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "ImplementationGuide", parameters: &[
        P { name: "resource", in_compartment: false, paths: &["definition.resource.reference"] },
    ] },
    T { resource_type: "Invoice", parameters: &[
        P { name: "participant", in_compartment: false, paths: &["participant.actor"] },
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "recipient", in_compartment: true, paths: &["recipient"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "Library", parameters: &[
        P { name: "composed-of", in_compartment: false, paths: &[] },
        P { name: "depends-on", in_compartment: false, paths: &[] },
        P { name: "derived-from", in_compartment: false, paths: &[] },
        P { name: "predecessor", in_compartment: false, paths: &[] },
        P { name: "successor", in_compartment: false, paths: &[] },
    ] },
    T { resource_type: "Linkage", parameters: &[
        P { name: "item", in_compartment: false, paths: &["item.resource"] },
        P { name: "source", in_compartment: false, paths: &["item.resource"] },
    ] },
    T { resource_type: "List", parameters: &[
        P { name: "item", in_compartment: false, paths: &["entry.item"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "source", in_compartment: true, paths: &["source"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "Measure", parameters: &[
        P { name: "composed-of", in_compartment: false, paths: &[] },
        P { name: "depends-on", in_compartment: false, paths: &[] },
        P { name: "derived-from", in_compartment: false, paths: &[] },
        P { name: "predecessor", in_compartment: false, paths: &[] },
        P { name: "successor", in_compartment: false, paths: &[] },
    ] },
    T { resource_type: "MeasureReport", parameters: &[
        P { name: "evaluated-resource", in_compartment: false, paths: &["evaluatedResource"] },
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "Media", parameters: &[
        P { name: "operator", in_compartment: false, paths: &["operator"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "MedicationAdministration", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "performer", in_compartment: true, paths: &["performer.actor"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "MedicationDispense", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "performer", in_compartment: false, paths: &["performer.actor"] },
        P { name: "receiver", in_compartment: true, paths: &["receiver"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "MedicationRequest", parameters: &[
        P { name: "intended-performer", in_compartment: false, paths: &["performer"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "requester", in_compartment: false, paths: &["requester"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "MedicationStatement", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "source", in_compartment: false, paths: &["informationSource"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "MessageHeader", parameters: &[
        P { name: "focus", in_compartment: false, paths: &["focus"] },
    ] },
    T { resource_type: "MolecularSequence", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "NutritionOrder", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "Observation", parameters: &[
        P { name: "focus", in_compartment: false, paths: &["focus"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "performer", in_compartment: true, paths: &["performer"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "Patient", parameters: &[
        P { name: "link", in_compartment: true, paths: &["link.other"] },
    ] },
    T { resource_type: "PaymentNotice", parameters: &[
        P { name: "request", in_compartment: false, paths: &["request"] },
        P { name: "response", in_compartment: false, paths: &["response"] },
    ] },
    T { resource_type: "Person", parameters: &[
        P { name: "link", in_compartment: false, paths: &["link.target"] },
        P { name: "patient", in_compartment: true, paths: &["link.target"] },
    ] },
    T { resource_type: "PlanDefinition", parameters: &[
        P { name: "composed-of", in_compartment: false, paths: &[] },
        P { name: "depends-on", in_compartment: false, paths: &[] },
        P { name: "derived-from", in_compartment: false, paths: &[] },
        P { name: "predecessor", in_compartment: false, paths: &[] },
        P { name: "successor", in_compartment: false, paths: &[] },
    ] },
    T { resource_type: "Procedure", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["subject"] },
        P { name: "performer", in_compartment: true, paths: &["performer.actor"] },
        P { name: "subject", in_compartment: false, paths: &["subject"] },
    ] },
    T { resource_type: "Provenance", parameters: &[
        P { name: "agent", in_compartment: false, paths: &["agent.who"] },
        P { name: "entity", in_compartment: false, paths: &["entity.what"] },
        P { name: "patient", in_compartment: true, paths: &["target"] },
        P { name: "target", in_compartment: false, paths: &["target"] },
    ] },
    T { resource_type: "QuestionnaireResponse", parameters: &[
        P { name: "author", in_compartment: true, paths: &["author"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "source", in_compartment: false, paths: &["source"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "RelatedPerson", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "RequestGroup", parameters: &[
        P { name: "participant", in_compartment: true, paths: &["action.participant"] },
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "ResearchDefinition", parameters: &[
        P { name: "composed-of", in_compartment: false, paths: &[] },
        P { name: "depends-on", in_compartment: false, paths: &[] },
        P { name: "derived-from", in_compartment: false, paths: &[] },
        P { name: "predecessor", in_compartment: false, paths: &[] },
        P { name: "successor", in_compartment: false, paths: &[] },
    ] },
    T { resource_type: "ResearchElementDefinition", parameters: &[
        P { name: "composed-of", in_compartment: false, paths: &[] },
        P { name: "depends-on", in_compartment: false, paths: &[] },
        P { name: "derived-from", in_compartment: false, paths: &[] },
        P { name: "predecessor", in_compartment: false, paths: &[] },
        P { name: "successor", in_compartment: false, paths: &[] },
    ] },
    T { resource_type: "ResearchSubject", parameters: &[
        P { name: "individual", in_compartment: true, paths: &["individual"] },
        P { name: "patient", in_compartment: false, paths: &["individual"] },
    ] },
    T { resource_type: "RiskAssessment", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "Schedule", parameters: &[
        P { name: "actor", in_compartment: true, paths: &["actor"] },
    ] },
    T { resource_type: "ServiceRequest", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "performer", in_compartment: true, paths: &["performer"] },
        P { name: "requester", in_compartment: false, paths: &["requester"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "Specimen", parameters: &[
        P { name: "patient", in_compartment: false, paths: &["subject"] },
        P { name: "subject", in_compartment: true, paths: &["subject"] },
    ] },
    T { resource_type: "SupplyDelivery", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
    T { resource_type: "SupplyRequest", parameters: &[
        P { name: "requester", in_compartment: false, paths: &["requester"] },
        P { name: "subject", in_compartment: true, paths: &["deliverTo"] },
    ] },
    T { resource_type: "Task", parameters: &[
        P { name: "based-on", in_compartment: false, paths: &["basedOn"] },
        P { name: "focus", in_compartment: false, paths: &["focus"] },
        P { name: "owner", in_compartment: false, paths: &["owner"] },
        P { name: "patient", in_compartment: false, paths: &["for"] },
        P { name: "requester", in_compartment: false, paths: &["requester"] },
        P { name: "subject", in_compartment: false, paths: &["for"] },
    ] },
    T { resource_type: "VerificationResult", parameters: &[
        P { name: "target", in_compartment: false, paths: &["target"] },
    ] },
    T { resource_type: "VisionPrescription", parameters: &[
        P { name: "patient", in_compartment: true, paths: &["patient"] },
    ] },
];
