//! The rivals that agree on one set of dependencies: one module for each, which sets it up as its
//! own manual does, with issuer, audience, RS256 and `nbf` wherever it lets one ask for them.

mod aliri_tower;
mod axum_jose;
mod axum_jwt_auth;
mod axum_oidc_layer;
mod backend;
mod huskarl_axum;
mod jwt_authorizer;
mod oauth_resource_server;
mod tower_oauth2_resource_server;

use peer::{Error, Order, answer_the_runner};

fn main() -> Result<(), Error> {
    let Order { contender, backend, provider } = Order::from_args()?;
    backend::install(&backend)?;
    match contender.as_str() {
        "aliri_tower" => answer_the_runner(aliri_tower::service(provider)),
        "axum-jose" => answer_the_runner(axum_jose::service(provider)),
        "axum-jwt-auth" => answer_the_runner(axum_jwt_auth::service(provider)),
        "axum-oidc-layer" => answer_the_runner(axum_oidc_layer::service(provider)),
        "huskarl-axum" => answer_the_runner(huskarl_axum::service(provider)),
        "jwt-authorizer" => answer_the_runner(jwt_authorizer::service(provider)),
        "oauth-resource-server" => answer_the_runner(oauth_resource_server::service(provider)),
        "tower-oauth2-resource-server" => {
            answer_the_runner(tower_oauth2_resource_server::service(provider))
        }
        _ => Err(format!("no such contender: {contender}").into()),
    }
}
