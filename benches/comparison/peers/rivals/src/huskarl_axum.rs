//! `huskarl-axum`: its strict validator refuses `typ: JWT`, so the one that is told its rules.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, Response};
use huskarl_axum::layers::ValidatorLayer;
use huskarl_axum::resource_server::core::jwk::JwksSource;
use huskarl_axum::resource_server::core::jwt::validator::ClaimCheck;
use huskarl_axum::resource_server::core::server_metadata::AuthorizationServerMetadata;
use huskarl_axum::resource_server::validator::custom::CustomValidator;
use huskarl_reqwest::ReqwestClient;
use huskarl_reqwest::mtls::NoMtls;
use peer::{Error, Provider, inner};
use tower::{Layer, Service};

pub(crate) async fn service(
    provider: Provider,
) -> Result<impl Service<Request<Body>, Response = Response<Body>, Error: std::fmt::Debug>, Error> {
    let client = ReqwestClient::builder().mtls(NoMtls).build().await?;
    let metadata = AuthorizationServerMetadata::oidc_fetch()
        .http_client(&client)
        .issuer(&provider.issuer)
        .call()
        .await?;
    let keys = JwksSource::builder().http_client(client).build();
    let validator = CustomValidator::builder_from_metadata(&metadata)
        .iss(ClaimCheck::RequiredValue(provider.issuer))
        .aud(ClaimCheck::RequiredValue(provider.audience))
        .require_jti(false)
        .allowed_signing_algorithms(vec!["RS256".to_owned()])
        .jws_verifier_factory(Arc::new(keys))
        .build()
        .await?;
    let layer = ValidatorLayer::builder().validator(validator).build().authenticated();
    Ok(layer.layer(inner::<Body, Body>()))
}
