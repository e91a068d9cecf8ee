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

use crate::store::{Base, Criterion, Reference, State, references};

/// What one caller may see and change, for the time of one request.
pub(crate) struct Confinement<'a> {
    /// None on a path that the operator has made public: there everybody reads.
    access: Option<&'a Access>,
    base: &'a Base,
    asked: RefCell<HashMap<(Question, String), Alternatives>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    Granted,
    May(Permissions),
    MayComeAlong,
}

impl<'a> Confinement<'a> {
    pub(crate) fn new(access: Option<&'a Access>, base: &'a Base) -> Self {
        Self { access, base, asked: RefCell::default() }
    }

    /// Whether a resource is among those that this very interaction was granted with.
    pub(crate) fn granted(&self, resource: &Value) -> bool {
        self.ask(Question::Granted, resource, true, &|_| true)
    }

    /// Whether the caller may do what these letters stand for with a resource as it is.
    pub(crate) fn may(&self, letters: Permissions, resource: &Value) -> bool {
        let reads = letters == Permissions::READ;
        self.ask(Question::May(letters), resource, reads, &|_| true)
    }

    /// Whether a resource may become what it would be after a change. It must then be a patient's
    /// who is known here: a reference that leads nowhere is nobody's.
    pub(crate) fn may_become(&self, letters: Permissions, resource: &Value, state: &State) -> bool {
        let is_known = |id: &str| state.referenced(&Reference::to("Patient", id)).is_some();
        self.ask(Question::May(letters), resource, false, &is_known)
    }

    /// Whether a resource may come along with a result that refers to it.
    pub(crate) fn may_come_along(&self, resource: &Value) -> bool {
        self.ask(Question::MayComeAlong, resource, true, &|_| true)
    }

    /// Whether a result may depend on all resources of a type that the caller may search. What a
    /// constraint hides would show through.
    pub(crate) fn may_depend_on(&self, resource_type: &str) -> bool {
        let alternatives = self.alternatives(Question::May(Permissions::SEARCH), resource_type);
        alternatives.iter().any(|alternative| alternative.constraint().is_none())
    }

    fn ask(
        &self,
        question: Question,
        resource: &Value,
        shared_too: bool,
        is_patient: &dyn Fn(&str) -> bool,
    ) -> bool {
        let resource_type = resource["resourceType"].as_str().unwrap_or_default();
        let mut asked = self.asked.borrow_mut();
        let alternatives = asked
            .entry((question, resource_type.to_owned()))
            .or_insert_with(|| self.alternatives(question, resource_type));
        alternatives.iter().any(|alternative| {
            let patient = alternative.patient();
            let own =
                patient.is_none_or(|id| is_patient(id) && is_of_patient(self.base, resource, id));
            let shared = shared_too && is_shared_type(resource_type);
            (own || shared) && self.meets_constraint(alternative, resource_type, resource)
        })
    }

    fn alternatives(&self, question: Question, resource_type: &str) -> Alternatives {
        match (self.access, question) {
            (Some(access), Question::Granted) => access.alternatives().clone(),
            (Some(access), Question::May(letters)) => access.may(letters, resource_type),
            (Some(access), Question::MayComeAlong) => access.readable(resource_type),
            (None, Question::Granted) => Alternatives::open(),
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
