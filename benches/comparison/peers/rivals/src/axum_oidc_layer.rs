//! `axum-oidc-layer`: the one that remembers verified tokens.

use axum::body::Body;
use axum_oidc_layer::{
    AuthenticationConfigProvider, OidcAuthenticationLayer, OidcAuthenticationService,
};
use peer::{Error, Inner, Provider, inner};
use serde_json::Value;
use tower::Layer;

#[derive(Clone)]
pub(crate) struct Settings(Provider);

impl AuthenticationConfigProvider for Settings {
    fn get_provider_url(&self) -> String {
        self.0.issuer.clone()
    }

    fn get_openid_configuration_url(&self) -> Option<String> {
        None
    }

    fn get_expected_issuer(&self) -> Option<String> {
        Some(self.0.issuer.clone())
    }

    fn get_expected_audience(&self) -> Option<Vec<String>> {
        Some(vec![self.0.audience.clone()])
    }
}

pub(crate) async fn service(
    provider: Provider,
) -> Result<OidcAuthenticationService<Inner<Body, Body>, Settings, Value>, Error> {
    Ok(OidcAuthenticationLayer::new(Settings(provider)).layer(inner()))
}
