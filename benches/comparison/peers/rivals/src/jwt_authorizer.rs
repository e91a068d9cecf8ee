//! `jwt-authorizer`: keys from its own discovery, issuer and audience checked where present.

use axum_07::body::Body;
use jsonwebtoken_9::Algorithm;
use jwt_authorizer::layer::AuthorizationService;
use jwt_authorizer::{Authorizer, IntoLayer, JwtAuthorizer, Validation};
use peer::{Error, Inner, Provider, inner};
use serde_json::Value;
use tower::Layer;

type Guarded = AuthorizationService<Inner<Body, Body>, Value>;

pub(crate) async fn service(provider: Provider) -> Result<Guarded, Error> {
    let validation = Validation::new()
        .iss(&[&provider.issuer])
        .aud(&[&provider.audience])
        .nbf(true)
        .algs(vec![Algorithm::RS256]);
    let authorizer: Authorizer<Value> =
        JwtAuthorizer::from_oidc(&provider.issuer).validation(validation).build().await?;
    Ok(authorizer.into_layer().layer(inner()))
}
