//! What this server says of itself to the layer, and the roles of the demo.

use tower_fhir_auth::{Enforcement, FhirAuthLayerBuilder, RoleDefinitions, RolePolicy};

use crate::Error;

/// Declares that the handlers enforce all that a grant may leave to them: see
/// [`confine`](crate::confine), and where it is asked. Constraints are evaluated as searches are, by the
/// definitions of R4.
pub(crate) fn enforced(builder: FhirAuthLayerBuilder) -> FhirAuthLayerBuilder {
    builder.handlers_enforce(Enforcement::ALL)
}

/// The roles of the demo, in the format of Microsoft's `roles.json`.
pub(crate) fn demo_roles() -> Result<RolePolicy, Error> {
    Ok(RolePolicy::new(RoleDefinitions::parse(include_bytes!("roles.json"))?))
}
