//! Enforcement that the layer leaves to the handlers: which resources a caller may see or change.
//!
//! The layer has granted an interaction by its address. It has seen no resource. For each one that
//! a handler is about to show, change or store, it asks here; [`Access`] has the answer, and the
//! store resolves what the answer depends on.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use axum::http::Method;
use serde_json::Value;
use tower_fhir_auth::authorization::{ResourceFilter, StoreError};
use tower_fhir_auth::fhir::ResourceReference;
use tower_fhir_auth::smart::Permissions;
use tower_fhir_auth::{Denial, Visibility};

use crate::rights::Rights;
use crate::store::State;

/// The resources that one caller may see and change, for the time of one request.
pub(crate) struct Confinement<'a> {
    rights: &'a Rights,
    asked: RefCell<HashMap<(Question, String), Filter<'a>>>,
}

type Filter<'a> = Arc<ResourceFilter<'a>>;

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Question {
    Shown,
    May(Permissions),
    Included,
}

/// The reason why a change must not be made.
pub(crate) enum Forbidden {
    Denied(Denial),
    /// The resource must look as if it did not exist.
    Hidden,
}

impl<'a> Confinement<'a> {
    pub(crate) fn new(rights: &'a Rights) -> Self {
        Self { rights, asked: RefCell::default() }
    }

    /// Reports whether this interaction may show a resource: what is read, a match, a version.
    pub(crate) fn shows(&self, state: &State, resource: &Value) -> bool {
        self.ask(Question::Shown, state, resource)
    }

    /// Reports whether the caller holds permissions on a resource as it is.
    pub(crate) fn may(&self, permissions: Permissions, state: &State, resource: &Value) -> bool {
        self.ask(Question::May(permissions), state, resource)
    }

    /// Reports whether a resource may come along with a result that refers to it.
    pub(crate) fn includes(&self, state: &State, resource: &Value) -> bool {
        self.ask(Question::Included, state, resource)
    }

    /// Reports whether a result may depend on all resources of a type that the caller may search. What a
    /// constraint hides would show through.
    pub(crate) fn may_depend_on(&self, resource_type: &str) -> bool {
        if let Rights::Public(interaction) = self.rights {
            return interaction.resource_type() == Some(resource_type);
        }
        let filter = self.filter(Question::May(Permissions::SEARCH), resource_type);
        filter.is_none_or(|filter| {
            let mut sets = filter.confinement().sets();
            sets.all(|set| set.iter().any(|alternative| alternative.constraint().is_none()))
        })
    }

    /// The refusal of a search that depends on a type which the caller may not search: the layer's own, as it
    /// says it of a chain whose type is spelled out.
    pub(crate) fn no_chain_to(&self, resource_type: &str) -> Denial {
        let interaction = self.rights.interaction();
        let searched = interaction.searched_type().or_else(|| interaction.resource_type());
        let spelled = format!("{}?subject:{resource_type}._id=1", searched.unwrap_or_default());
        let text = "a chain may reach a type that the token cannot search";
        if matches!(self.rights, Rights::Public(_)) {
            return Denial::new("a public path shows nothing of another type");
        }
        match self.rights.of_entry(&Method::GET, &spelled, None) {
            Err(denial) if searched.is_some() => denial,
            Ok(_) | Err(_) => Denial::new(text),
        }
    }

    /// Reports whether what is granted on a type is confined to some of its resources.
    pub(crate) fn is_confined(&self, permissions: Permissions, resource_type: &str) -> bool {
        let filter = self.filter(Question::May(permissions), resource_type);
        filter.is_some_and(|filter| !filter.is_open())
    }

    /// The members of a patient's compartment, whoever asks.
    pub(crate) fn compartment(&self, patient: &str) -> ResourceFilter<'a> {
        self.rights.compartment(patient)
    }

    /// Reports whether a resource may be changed from what it is to what it would be.
    pub(crate) fn check_store(
        &self,
        state: &State,
        before: Option<&Value>,
        after: Option<&Value>,
    ) -> Result<(), Forbidden> {
        let access = match self.rights {
            Rights::Granted(access) => access,
            Rights::Public(_) => return Err(Forbidden::Hidden),
            Rights::Everything(_) => return Ok(()),
        };
        match access.may_store(before, after) {
            // Only now: before, it would tell what is hidden from what does not exist.
            Ok(()) => match after.and_then(|after| after["resourceType"].as_str()) {
                Some(of) if self.is_confined_to_unknown_patient(state, of) => {
                    Err(Forbidden::Denied(Denial::new("this server does not know the patient")))
                }
                Some(_) | None => Ok(()),
            },
            Err(StoreError::Denied(denial)) => Err(Forbidden::Denied(denial)),
            Err(StoreError::DeniedIfShown(denial, _)) => {
                // A Provenance, which is seen where all of its targets are.
                let permissions = Permissions::READ;
                let seen = before.is_some_and(|before| self.may(permissions, state, before));
                Err(if seen { Forbidden::Denied(denial) } else { Forbidden::Hidden })
            }
            Err(_) => Err(Forbidden::Hidden),
        }
    }

    /// Reports whether the token confines changes of this type to a patient that the store does not have.
    fn is_confined_to_unknown_patient(&self, state: &State, resource_type: &str) -> bool {
        let filter = self.filter(Question::May(Permissions::CREATE), resource_type);
        let known = |id: &str| state.referenced(&ResourceReference::new("Patient", id)).is_some();
        filter.is_some_and(|filter| {
            let mut alternatives = filter.confinement().sets().flatten();
            alternatives.any(|one| one.patient().is_some_and(|id| !known(id)))
        })
    }

    fn ask(&self, question: Question, state: &State, resource: &Value) -> bool {
        let resource_type = resource["resourceType"].as_str().unwrap_or_default();
        if let Rights::Public(interaction) = self.rights {
            return interaction.resource_type() == Some(resource_type);
        }
        match self.filter(question, resource_type) {
            Some(filter) => shows(&filter, state, resource),
            None => true,
        }
    }

    /// The filter of a type, asked for once. `None` where no token confines.
    fn filter(&self, question: Question, resource_type: &str) -> Option<Filter<'a>> {
        let Rights::Granted(access) = self.rights else { return None };
        let mut asked = self.asked.borrow_mut();
        let filter = asked.entry((question, resource_type.to_owned())).or_insert_with(|| {
            let filter = match question {
                Question::Shown => access.shown(resource_type),
                Question::May(permissions) => access.may(permissions, resource_type),
                Question::Included => access.readable(resource_type),
            };
            Arc::new(filter)
        });
        Some(Arc::clone(filter))
    }
}

/// Judges a resource with the store at hand.
pub(crate) fn shows(filter: &ResourceFilter<'_>, state: &State, resource: &Value) -> bool {
    if filter.is_open() {
        return true;
    }
    match filter.shows(resource) {
        Visibility::Shown => true,
        Visibility::Hidden => false,
        Visibility::Depends(_) => {
            filter.shows_with(resource, |to: &ResourceReference| state.referenced(to))
        }
    }
}
