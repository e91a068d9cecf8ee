//! The policy of this server, as it states it to the layer, and the roles of the demo.

use std::time::Duration;

use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::{
    Enforcement, FhirAuthLayerBuilder, RoleDefinitions, RolePolicy, TrustedIssuer,
};

use crate::Error;

/// Declares that the handlers enforce all that a grant may leave to them: see
/// [`confine`](crate::confine), and where it is asked. Constraints are evaluated as searches are, by the
/// definitions of R4.
pub(crate) fn enforced(builder: FhirAuthLayerBuilder) -> FhirAuthLayerBuilder {
    builder.handlers_enforce(Enforcement::ALL)
}

/// The roles of the demo, in the format of Microsoft's `roles.json`.
pub(crate) fn demo_roles() -> Result<RolePolicy, Error> {
    Ok(RolePolicy::new(RoleDefinitions::parse(include_bytes!("../roles.json"))?))
}

/// The demo's provider, whose clock is this machine's, and whose keys rotate at a click.
pub(crate) fn demo_issuer(url: &str) -> TrustedIssuer {
    let second = Duration::from_secs(1);
    TrustedIssuer::discover(url)
        .leeway(second)
        .key_settings(KeySettings::default().cooldown(second))
}
