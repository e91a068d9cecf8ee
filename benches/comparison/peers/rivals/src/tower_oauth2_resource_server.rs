//! `tower-oauth2-resource-server`: a tower layer over any bodies.

use peer::{Error, Inner, Provider, inner};
use tower::Layer;
use tower_oauth2_resource_server::claims::DefaultClaims;
use tower_oauth2_resource_server::layer::OAuth2ResourceServerService;
use tower_oauth2_resource_server::server::OAuth2ResourceServer;
use tower_oauth2_resource_server::tenant::TenantConfiguration;
use tower_oauth2_resource_server::validation::ClaimsValidationSpec;

type Guarded = OAuth2ResourceServerService<Inner<String, String>, String, DefaultClaims>;

pub(crate) async fn service(provider: Provider) -> Result<Guarded, Error> {
    let audiences = vec![provider.audience];
    let tenant = TenantConfiguration::builder(&provider.issuer)
        .claims_validation(ClaimsValidationSpec::recommended(&provider.issuer, &audiences))
        .audiences(&audiences)
        .allowed_algorithms(&[jsonwebtoken_11::Algorithm::RS256])
        .build()
        .await?;
    let server = <OAuth2ResourceServer>::builder().add_tenant(tenant).build().await?;
    Ok(server.into_layer().layer(inner()))
}
