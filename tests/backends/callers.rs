//! Callers by tokens that confine, and what each may see by the rules of SMART, said once more and by itself.

use serde_json::Value;
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::test_util::TestIssuer;

use crate::data::{PATIENTS, Version};

/// The name by which clients know the server.
pub(crate) const BASE: &str = "https://fhir.example.org/r4";

/// A scope.
#[derive(Clone, Debug)]
struct Grant {
    context: &'static str,
    of: &'static str,
    letters: &'static str,
    constraint: Option<(&'static str, &'static str)>,
}

/// Somebody with a token.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) scope: String,
    /// The patient to whom `patient/` scopes confine.
    pub(crate) patient: Option<usize>,
    /// True if `user/` scopes confine to that patient, too.
    is_patient: bool,
    grants: Vec<Grant>,
    /// The types that it may search, where not all.
    types: Vec<&'static str>,
    pub(crate) token: String,
}

/// The scopes of a caller, as `context/Type.letters?name=value`; `@` for a patient who signs in.
const SCOPES: [&str; 22] = [
    "patient/*.rs",
    "patient/*.cruds",
    "patient/*.rs",
    "patient/*.r",
    "patient/*.s",
    "patient/Observation.rs patient/Patient.r",
    "patient/Observation.rs patient/Encounter.rs patient/Condition.s",
    "@user/*.rs",
    "@user/*.cruds user/Organization.rs",
    "patient/Observation.rs?category=laboratory",
    "patient/Observation.rs?category=laboratory patient/Patient.rs patient/Condition.rs?clinical-status=active",
    "patient/Observation.rs?status=final patient/MedicationRequest.rs?status=active patient/Medication.rs",
    "user/Observation.rs?category=laboratory",
    "user/Observation.rs?status=final user/Patient.rs",
    "user/Observation.rs?category=vital-signs patient/Observation.rs patient/Patient.rs",
    "user/Encounter.rs?class=AMB user/Condition.rs?clinical-status=active user/Patient.r",
    "user/MedicationRequest.rs?status=active user/Medication.rs",
    "user/Observation.r patient/Observation.s",
    "system/Observation.rs",
    "system/Encounter.rs system/Patient.s",
    "patient/Provenance.rs patient/Observation.rs patient/AuditEvent.rs patient/Device.rs",
    "patient/Organization.rs patient/Practitioner.rs patient/Appointment.rs patient/CareTeam.rs",
];

impl Caller {
    /// One who may do everything.
    pub(crate) fn of_everything(issuer: &TestIssuer) -> Self {
        Self::with(issuer, "system/*.cruds", None)
    }

    /// All those who are confined.
    pub(crate) fn confined(issuer: &TestIssuer) -> Vec<Self> {
        let make = |(number, scope)| Self::with(issuer, scope, Some(number % PATIENTS));
        // Each scope for two patients.
        (0..2)
            .flat_map(|turn| {
                SCOPES.iter().enumerate().map(move |(n, scope)| (n + turn * 3, *scope))
            })
            .map(make)
            .collect()
    }

    fn with(issuer: &TestIssuer, scope: &'static str, patient: Option<usize>) -> Self {
        let is_patient = scope.starts_with('@');
        let scope = scope.trim_start_matches('@');
        // A run takes longer than a token lives that nobody refreshes.
        let tomorrow = SystemClock.now().as_secs() + 24 * 60 * 60;
        let token = issuer.token().claim("aud", BASE).claim("scope", scope).claim("exp", tomorrow);
        let token = token.claim("sub", format!("{scope} {patient:?}"));
        let token = match patient {
            Some(patient) if is_patient => token.claim("fhirUser", format!("Patient/p{patient}")),
            Some(patient) => token.claim("patient", format!("p{patient}")),
            None => token,
        };
        let grants: Vec<Grant> = scope.split(' ').map(grant).collect();
        let searched =
            grants.iter().filter(|grant| grant.letters.contains('s')).map(|grant| grant.of);
        let types = searched.filter(|of| *of != "*").collect();
        Self {
            scope: scope.to_owned(),
            patient,
            is_patient,
            grants,
            types,
            token: token.sign().unwrap(),
        }
    }

    /// The types that it may search; none where it may search all, or nothing.
    pub(crate) fn types(&self) -> &[&'static str] {
        let all = self.grants.iter().any(|grant| grant.of == "*");
        if all { &[] } else { &self.types }
    }

    /// Reports whether it may read and search all types.
    pub(crate) fn is_wide(&self) -> bool {
        self.grants.iter().any(|grant| {
            grant.of == "*" && grant.letters.contains("rs") || grant.letters == "cruds"
        })
    }

    /// The patient to whom each of its scopes confines it.
    pub(crate) fn only_patient(&self) -> Option<usize> {
        let mut grants = self.grants.iter();
        let all = grants.all(|grant| {
            grant.context == "patient" || (grant.context == "user" && self.is_patient)
        });
        self.patient.filter(|_| all)
    }

    /// Reports whether a version may be seen by one of these letters.
    pub(crate) fn may_see(&self, version: &Version, letters: &str) -> bool {
        self.grants.iter().any(|grant| {
            let is_of = grant.of == "*" || grant.of == version.resource_type;
            let has = letters.chars().any(|letter| grant.letters.contains(letter));
            let confines =
                grant.context == "patient" || (grant.context == "user" && self.is_patient);
            let is_own = self.patient.is_some_and(|patient| version.members.contains(&patient));
            let fits = grant.constraint.is_none_or(|(name, value)| {
                codes(&version.resource, name).iter().any(|code| code == value)
            });
            is_of && has && fits && (!confines || is_own || version.is_shared)
        })
    }
}

fn grant(text: &'static str) -> Grant {
    let (context, rest) = text.split_once('/').unwrap();
    let (of, rest) = rest.split_once('.').unwrap();
    let (letters, constraint) = rest.split_once('?').unwrap_or((rest, ""));
    Grant { context, of, letters, constraint: constraint.split_once('=') }
}

/// The codes of a resource that a constraint is about.
fn codes(resource: &Value, name: &str) -> Vec<String> {
    let of_concepts = |concepts: &Value| {
        let concepts = concepts.as_array().cloned().unwrap_or_else(|| vec![concepts.clone()]);
        let codings =
            concepts.iter().flat_map(|one| one["coding"].as_array().cloned().unwrap_or_default());
        codings.map(|coding| coding["code"].clone()).collect::<Vec<_>>()
    };
    let codes = match name {
        "category" => of_concepts(&resource["category"]),
        "clinical-status" => of_concepts(&resource["clinicalStatus"]),
        "class" => vec![resource["class"]["code"].clone()],
        "status" => vec![resource["status"].clone()],
        other => panic!("no constraint: {other}"),
    };
    codes.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
