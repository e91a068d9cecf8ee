//! What this server says of itself to the layer, and the roles of the demo.

use serde_json::Value;
use tower_fhir_auth::authorization::ConstraintMatcher;
use tower_fhir_auth::fhir::BaseUrl;
use tower_fhir_auth::{Enforcement, FhirAuthLayerBuilder, RoleDefinitions, RolePolicy};

use crate::Error;
use crate::store::{Base, Criterion, Parameter};

/// Declares that the handlers enforce all that a grant may leave to them: see
/// [`confine`](crate::confine), and where it is asked.
pub(crate) fn enforced(builder: FhirAuthLayerBuilder, base: &BaseUrl) -> FhirAuthLayerBuilder {
    let base = Base::new(base.as_str());
    builder.handlers_enforce(Enforcement::ALL).constraint_matcher(BySearch { base })
}

/// Evaluates constraints as this server evaluates searches.
#[derive(Debug)]
struct BySearch {
    base: Base,
}

impl ConstraintMatcher for BySearch {
    /// A scope may only be constrained by what this server can search by, and not by what it sets
    /// itself whenever it stores.
    fn supports(&self, resource_type: &str, parameter: &str) -> bool {
        parameter != "_lastUpdated" && Parameter::find(resource_type, parameter).is_some()
    }

    fn matches(&self, resource: &Value, parameter: &str, value: &str) -> bool {
        let resource_type = resource["resourceType"].as_str().unwrap_or_default();
        Criterion::parse(&self.base, resource_type, parameter, value)
            .is_ok_and(|criterion| criterion.matches(resource))
    }
}

/// The roles of the demo, in the format of Microsoft's `roles.json`.
pub(crate) fn demo_roles() -> Result<RolePolicy, Error> {
    Ok(RolePolicy::new(RoleDefinitions::parse(include_bytes!("roles.json"))?))
}
