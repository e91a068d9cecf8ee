//! The layer, with everything that it does for FHIR.
//!
//! Around the whole router, which calls its routes through a box and so has none for the layer; or
//! by `Router::layer` on each of its routes, which has.

use std::convert::Infallible;

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use kit::Trust;
use tower::{Service, ServiceBuilder};
use tower_fhir_auth::{
    AccessMode, AccessPolicy, AudiencePolicy, FhirAuthLayer, RoleDefinitions, RolePolicy,
    ScopePolicy, TrustedIssuer,
};

pub(super) fn around(
    layer: FhirAuthLayer,
    open: Router,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone {
    ServiceBuilder::new()
        // axum serves its own kind of body alone.
        .map_response(|response: Response<_>| response.map(Body::from))
        .layer(layer)
        .service(open)
}

pub(super) async fn layer(trust: &Trust, remember: usize) -> Result<FhirAuthLayer> {
    let issuer = TrustedIssuer::discover(&trust.issuer)
        .audience(AudiencePolicy::exact([trust.audience.as_str()]));
    let roles = RolePolicy::new(RoleDefinitions::microsoft());
    let layer = FhirAuthLayer::builder("https://fhir.example.org/r4")
        .issuer(issuer)
        .authorizer(AccessPolicy::new(AccessMode::RolesOrScopes, roles, ScopePolicy::new()))
        .token_cache_capacity(remember)
        .build()?;
    layer.ready().await;
    Ok(layer)
}
