//! The statement of an application about its handlers, made once, on the layer.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::Enforcement;
use crate::fhir::search::{self, Criterion};
use crate::fhir::{BaseUrl, PatientCompartment};
use crate::smart::Constraint;
use crate::time::{Clock, SystemClock};

/// The duties of the handlers behind the layer, and the rules by which resources are judged for
/// them.
#[derive(Clone, Debug)]
pub(crate) struct Handlers {
    pub(crate) enforcement: Enforcement,
    pub(crate) compartment: PatientCompartment,
    pub(crate) constraints: ConstraintEvaluation,
    /// The clock of the layer, for rules that depend on the time.
    pub(crate) clock: Arc<dyn Clock>,
}

/// Evaluates the constraints of scopes such as `user/Observation.rs?category=laboratory`
/// (SMART App Launch 2.2, "Finer-grained resource constraints using search parameters").
///
/// ```
/// use serde_json::Value;
/// use tower_fhir_auth::authorization::ConstraintMatcher;
///
/// /// A server that can search by the status of an Observation, and by nothing else.
/// #[derive(Debug)]
/// struct ByStatus;
///
/// impl ConstraintMatcher for ByStatus {
///     fn supports(&self, resource_type: &str, parameter: &str) -> bool {
///         (resource_type, parameter) == ("Observation", "status")
///     }
///
///     fn matches(&self, resource: &Value, _: &str, value: &str) -> bool {
///         value.split(',').any(|status| resource["status"] == status)
///     }
/// }
/// ```
pub trait ConstraintMatcher: fmt::Debug + Send + Sync + 'static {
    /// Reports whether the handlers can confine resources of a type by a search parameter. A scope
    /// with a parameter that they cannot confine by grants nothing.
    fn supports(&self, resource_type: &str, parameter: &str) -> bool;

    /// Reports whether a resource matches a parameter with a value, which is decoded. As in a
    /// search, a comma that no backslash precedes separates alternatives. What cannot be told must
    /// not match.
    fn matches(&self, resource: &Value, parameter: &str, value: &str) -> bool;
}

/// The evaluation of constraints where no application says how.
pub(crate) static OF_R4: ConstraintEvaluation = ConstraintEvaluation::OfR4;

/// The evaluation of constraints.
#[derive(Clone, Debug, Default)]
pub(crate) enum ConstraintEvaluation {
    /// By the definitions of R4's search parameters.
    #[default]
    OfR4,
    /// By the application.
    Own(Arc<dyn ConstraintMatcher>),
}

impl ConstraintEvaluation {
    /// Reports whether resources of a type can be confined by a parameter.
    pub(crate) fn supports(&self, resource_type: &str, parameter: &str) -> bool {
        match self {
            Self::OfR4 => search::is_plain(resource_type, parameter),
            Self::Own(matcher) => matcher.supports(resource_type, parameter),
        }
    }

    /// Reads the parameters of a constraint for resources of a type; one that cannot be evaluated is `None`.
    pub(crate) fn criteria(
        &self,
        base: &BaseUrl,
        resource_type: &str,
        constraint: &Constraint,
    ) -> Vec<Option<Criterion>> {
        let read = |(name, value): (&str, &str)| match self {
            Self::OfR4 => Criterion::parse(base, resource_type, name, value).ok(),
            Self::Own(_) => None,
        };
        constraint.parameters().map(read).collect()
    }

    /// Reports whether a resource matches all parameters of a constraint, which were read for its type. What
    /// cannot be evaluated matches nothing.
    pub(crate) fn matches(
        &self,
        resource: &Value,
        constraint: &Constraint,
        criteria: &[Option<Criterion>],
    ) -> bool {
        match self {
            Self::OfR4 => criteria
                .iter()
                .all(|one| one.as_ref().is_some_and(|criterion| criterion.matches(resource))),
            Self::Own(matcher) => {
                let mut parameters = constraint.parameters();
                parameters.all(|(name, value)| matcher.matches(resource, name, value))
            }
        }
    }
}

impl Default for Handlers {
    fn default() -> Self {
        Self {
            enforcement: Enforcement::empty(),
            compartment: PatientCompartment::default(),
            constraints: ConstraintEvaluation::default(),
            clock: Arc::new(SystemClock),
        }
    }
}
