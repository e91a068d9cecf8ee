//! `oauth-resource-server`: a tower layer over any bodies.

use std::sync::Arc;

use http::{Request, Response};
use oauth_resource_server::http_layer::HttpAuthLayer;
use oauth_resource_server::{KeyNaming, OAuthConfig, OAuthValidator};
use peer::{Error, Provider, inner};
use tower::{Layer, Service};

pub(crate) async fn service(
    provider: Provider,
) -> Result<impl Service<Request<String>, Response = Response<String>, Error: std::fmt::Debug>, Error>
{
    let config = OAuthConfig {
        enabled: true,
        issuer: provider.issuer,
        audience: provider.audience,
        resource: "https://fhir.example.org/r4".to_owned(),
        algorithms: vec!["RS256".to_owned()],
        allow_unscoped_tokens: true,
        ..OAuthConfig::default()
    };
    let config = config.resolve(KeyNaming::Dotted("oauth"))?.ok_or("it is enabled")?;
    let validator = Arc::new(OAuthValidator::new(&config)?);
    validator.spawn_background_refresh();
    let layer = HttpAuthLayer::builder().oauth(validator).build()?;
    Ok(layer.layer(inner::<String, String>()))
}
