//! What an application says about its handlers, once, on the layer.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::Enforcement;
use crate::fhir::{PatientCompartment, search_parameter};

/// The duties of the handlers behind the layer, and the rules by which resources are judged for
/// them.
#[derive(Clone, Debug)]
pub(crate) struct Handlers {
    pub(crate) enforcement: Enforcement,
    pub(crate) compartment: PatientCompartment,
    pub(crate) constraints: Arc<dyn ConstraintMatcher>,
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

/// Every plain search parameter of R4, for handlers that put constraints into their own queries:
/// a resource that is handed to the crate matches none.
#[derive(Clone, Copy, Debug)]
struct InQueries;

impl ConstraintMatcher for InQueries {
    fn supports(&self, resource_type: &str, parameter: &str) -> bool {
        search_parameter::is_known(resource_type, parameter)
    }

    fn matches(&self, _: &Value, _: &str, _: &str) -> bool {
        false
    }
}

impl Default for Handlers {
    fn default() -> Self {
        Self {
            enforcement: Enforcement::empty(),
            compartment: PatientCompartment::default(),
            constraints: Arc::new(InQueries),
        }
    }
}
