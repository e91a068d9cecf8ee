//! `axum-jose`: its cache of key sets is on, as in its manual; the algorithm is the token's.

use std::time::Duration;

use axum::body::Body;
use axum_jose::authorization::AuthorizationService;
use axum_jose::{AuthorizationLayer, RemoteJwkSet};
use peer::{Error, Inner, Provider, inner};
use tower::Layer;
use url::Url;

pub(crate) async fn service(
    provider: Provider,
) -> Result<AuthorizationService<Inner<Body, Body>>, Error> {
    let keys = RemoteJwkSet::builder(Url::parse(&provider.jwks_uri)?)
        .with_cache(Duration::from_secs(300))
        .build();
    let issuer = Url::parse(&provider.issuer)?;
    Ok(AuthorizationLayer::with_remote_jwk_set(keys, issuer, provider.audience).layer(inner()))
}
