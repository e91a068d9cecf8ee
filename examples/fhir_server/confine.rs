//! What the layer leaves to the handlers: which resources a caller may see or change.
//!
//! The layer has granted an interaction by its address. It has seen no resource. For each one that
//! a handler is about to show, change or store, it asks here; the answer comes from [`Access`].

use std::cell::RefCell;
use std::collections::HashMap;

use serde_json::Value;
use tower_fhir_auth::{
    Access, Alternative, Alternatives, Permissions, is_shared_type, patient_compartment,
};

use crate::store::{Base, Criterion, Reference, references};

/// What one caller may see and change, for the time of one request.
pub(crate) struct Confinement<'a> {
    /// None on a path that the operator has made public: there everybody reads.
    access: Option<&'a Access>,
    base: &'a Base,
    asked: RefCell<HashMap<(Question, String), Alternatives>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    May(Permissions),
    MayComeAlong,
}

impl<'a> Confinement<'a> {
    pub(crate) fn new(access: Option<&'a Access>, base: &'a Base) -> Self {
        Self { access, base, asked: RefCell::default() }
    }

    /// Whether the caller may do what these letters stand for with a resource as it is given: a
    /// change is asked about the resource before and after it.
    pub(crate) fn may(&self, letters: Permissions, resource: &Value) -> bool {
        let reads = letters == Permissions::READ;
        self.ask(Question::May(letters), resource, reads)
    }

    /// Whether a resource may come along with a result that refers to it.
    pub(crate) fn may_come_along(&self, resource: &Value) -> bool {
        self.ask(Question::MayComeAlong, resource, true)
    }

    fn ask(&self, question: Question, resource: &Value, shared_too: bool) -> bool {
        let resource_type = resource["resourceType"].as_str().unwrap_or_default();
        let mut asked = self.asked.borrow_mut();
        let alternatives = asked
            .entry((question, resource_type.to_owned()))
            .or_insert_with(|| self.alternatives(question, resource_type));
        alternatives.iter().any(|alternative| {
            let patient = alternative.patient();
            let own = patient.is_none_or(|id| is_of_patient(self.base, resource, id));
            let shared = shared_too && is_shared_type(resource_type);
            (own || shared) && self.meets_constraint(alternative, resource_type, resource)
        })
    }

    fn alternatives(&self, question: Question, resource_type: &str) -> Alternatives {
        match (self.access, question) {
            (Some(access), Question::May(letters)) => access.may(letters, resource_type),
            (Some(access), Question::MayComeAlong) => access.readable(resource_type),
            (None, Question::May(Permissions::READ | Permissions::SEARCH)) => Alternatives::open(),
            (None, Question::May(_) | Question::MayComeAlong) => Alternatives::none(),
        }
    }

    /// All parameters of the constraint have to hold. One that this server cannot evaluate holds
    /// for nothing; the policy lets no such scope count in the first place.
    fn meets_constraint(&self, alternative: &Alternative, of: &str, resource: &Value) -> bool {
        let Some(constraint) = alternative.constraint() else { return true };
        constraint.parameters().all(|(name, value)| {
            Criterion::parse(self.base, of, name, value)
                .is_ok_and(|criterion| criterion.matches(resource))
        })
    }
}

/// Whether a resource is in a patient's compartment: by the parameters of the definition, and by
/// nothing else.
pub(crate) fn is_of_patient(base: &Base, resource: &Value, id: &str) -> bool {
    let resource_type = resource["resourceType"].as_str().unwrap_or_default();
    if resource_type == "Patient" {
        return resource["id"] == id;
    }
    let patient = Reference::to("Patient", id);
    let parameters = patient_compartment(resource_type).unwrap_or_default();
    parameters.iter().any(|parameter| references(base, resource, parameter).contains(&patient))
}
