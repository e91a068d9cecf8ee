//! The layer, with everything that it does for FHIR.

use anyhow::Result;
use axum::Router;
use tower_fhir_auth::{
    AccessMode, AccessPolicy, AudiencePolicy, FhirAuthLayer, RoleDefinitions, RolePolicy,
    ScopePolicy, TrustedIssuer,
};

use crate::issuer::Trust;

pub(super) async fn guard(open: Router, trust: &Trust, remember: usize) -> Result<Router> {
    let issuer = TrustedIssuer::discover(&trust.issuer)
        .audience(AudiencePolicy::exact([trust.audience.as_str()]));
    let roles = RolePolicy::new(RoleDefinitions::microsoft());
    let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
        .issuer(issuer)
        .authorizer(AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new()))
        .remember_tokens(remember)
        .build()?;
    layer.ready().await;
    Ok(open.layer(layer))
}
