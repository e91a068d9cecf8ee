//! `axum-jwt-auth`: an extractor, put before the service by axum's adapter.

use std::sync::Arc;

use axum::body::Body;
use axum::middleware::from_extractor_with_state;
use axum_jwt_auth::{Claims, Decoder, RemoteJwksDecoder};
use http::{Request, Response};
use jsonwebtoken_10::{Algorithm, Validation};
use peer::{Error, Provider, inner};
use serde_json::Value;
use tower::{Layer, Service};

pub(crate) async fn service(
    provider: Provider,
) -> Result<impl Service<Request<Body>, Response = Response<Body>, Error: std::fmt::Debug>, Error> {
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[provider.audience]);
    validation.set_issuer(&[provider.issuer]);
    validation.validate_nbf = true;
    let decoder =
        RemoteJwksDecoder::builder().jwks_url(provider.jwks_uri).validation(validation).build()?;
    let decoder = Arc::new(decoder);
    decoder.initialize().await?;
    let layer = from_extractor_with_state::<Claims<Value>, Decoder<Value>>(decoder);
    Ok(layer.layer(inner::<Body, Body>()))
}
