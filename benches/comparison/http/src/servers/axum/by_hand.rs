//! A middleware as one writes it without a layer: jsonwebtoken, and a look at the roles.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use kit::Trust;
use serde::Deserialize;

struct Checks {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
}

/// What handlers are told.
#[derive(Clone, Deserialize)]
#[expect(dead_code, reason = "for handlers, and the one here asks nothing")]
struct Claims {
    sub: String,
    oid: String,
    roles: Vec<String>,
    scp: String,
}

pub(super) fn guard(open: Router, trust: &Trust) -> Result<Router> {
    let mut keys = HashMap::new();
    let set: JwkSet = serde_json::from_value(trust.jwks.clone())?;
    for jwk in &set.keys {
        let kid = jwk.common.key_id.clone().context("a key without `kid`")?;
        keys.insert(kid, DecodingKey::from_jwk(jwk)?);
    }
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_issuer(&[&trust.issuer]);
    validation.set_audience(&[&trust.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud"]);
    Ok(open.layer(from_fn_with_state(Arc::new(Checks { keys, validation }), check)))
}

async fn check(
    State(checks): State<Arc<Checks>>,
    mut request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let claims = checks.claims(&request).ok_or(StatusCode::UNAUTHORIZED)?;
    if !claims.roles.iter().any(|role| role == "globalReader") {
        return Err(StatusCode::FORBIDDEN);
    }
    request.extensions_mut().insert(claims);
    Ok(next.run(request).await)
}

impl Checks {
    fn claims(&self, request: &Request) -> Option<Claims> {
        let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
        let token = header.strip_prefix("Bearer ")?;
        let key = self.keys.get(&decode_header(token).ok()?.kid?)?;
        Some(decode(token, key, &self.validation).ok()?.claims)
    }
}
