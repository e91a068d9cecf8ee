//! `helios-auth` as a contender. It checks the value of `Authorization` and the scopes, and leaves
//! the request to a server of its family, so a thin adapter stands in for a layer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use helios_auth::{
    AuthConfig, AuthError, AuthProvider, FhirOperation, JwksBearerAuthProvider, JwksCache,
    SmartScopePolicy,
};
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use peer::{Error, Inner, Order, Provider, answer_the_runner, inner};
use tower::Service;

fn main() -> Result<(), Error> {
    let Order { contender, provider, .. } = Order::from_args()?;
    match contender.as_str() {
        "helios-auth" => answer_the_runner(guarded(provider)),
        _ => Err(format!("no such contender: {contender}").into()),
    }
}

async fn guarded(provider: Provider) -> Result<Guarded, Error> {
    let config = AuthConfig {
        enabled: true,
        jwks_url: Some(provider.jwks_uri),
        expected_issuer: Some(provider.issuer),
        expected_audience: Some(provider.audience),
        allowed_algorithms: vec!["RS256".to_owned()],
        ..AuthConfig::default()
    };
    let jwks_url = config.jwks_url.as_deref().unwrap_or_default();
    let keys = Arc::new(JwksCache::new(jwks_url, config.jwks_min_refresh_interval));
    keys.initial_fetch().await?;
    let helios = Arc::new(JwksBearerAuthProvider::new(keys, &config));
    Ok(Guarded { helios, inner: inner() })
}

/// The adapter.
struct Guarded {
    helios: Arc<JwksBearerAuthProvider>,
    inner: Inner<String, String>,
}

impl Service<Request<String>> for Guarded {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<String>, Infallible>>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<String>>::poll_ready(&mut self.inner, context)
    }

    fn call(&mut self, mut request: Request<String>) -> Self::Future {
        let helios = Arc::clone(&self.helios);
        let mut inner = self.inner;
        Box::pin(async move {
            match admit(&helios, &mut request).await {
                Ok(()) => inner.call(request).await,
                Err(error) => {
                    let mut response = Response::new(String::new());
                    *response.status_mut() = match error {
                        AuthError::Forbidden { .. } => StatusCode::FORBIDDEN,
                        _ => StatusCode::UNAUTHORIZED,
                    };
                    Ok(response)
                }
            }
        })
    }
}

async fn admit(
    helios: &JwksBearerAuthProvider,
    request: &mut Request<String>,
) -> Result<(), AuthError> {
    let authorization = request.headers().get(AUTHORIZATION);
    let authorization = authorization.and_then(|value| value.to_str().ok());
    let principal = helios.authenticate(authorization.ok_or(AuthError::MissingToken)?).await?;
    SmartScopePolicy::check(&principal, "Patient", FhirOperation::Read)?;
    request.extensions_mut().insert(principal);
    Ok(())
}
