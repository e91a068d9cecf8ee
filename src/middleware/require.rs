//! Further requirements on single routes, inside the layer that authenticates.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::body::ResponseBody;
use super::future::ResponseFuture;
use super::gate::{Gate, strip_untrusted};
use super::inner::InnerService;
use super::paths::is_preflight;
use super::service::give_back;
use crate::authentication::Principal;
use crate::authorization::{Access, Authorizer};
use crate::rejection::Rejection;

/// Asks a further authorizer about a request that an outer [`FhirAuthLayer`] let in. Made by
/// [`FhirAuthLayer::require`].
/// It can only narrow: a request without a [`Principal`] that this very layer has verified is
/// refused with 500, because the route is not inside the layer that should guard it. CORS
/// preflights, which never have one, go to the inner service.
///
/// [`FhirAuthLayer`]: crate::FhirAuthLayer
/// [`FhirAuthLayer::require`]: crate::FhirAuthLayer::require
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireAuthLayer {
    gate: Arc<Gate>,
    authorizer: Arc<dyn Authorizer>,
}

/// The service of [`RequireAuthLayer`].
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireAuth<S> {
    inner: S,
    requirement: RequireAuthLayer,
}

impl RequireAuthLayer {
    pub(crate) fn new(gate: Arc<Gate>, authorizer: impl Authorizer) -> Self {
        Self { gate, authorizer: Arc::new(authorizer) }
    }

    fn admit<B>(&self, mut request: Request<B>) -> Result<Request<B>, Response<Bytes>> {
        if is_preflight(request.method(), request.headers()) {
            strip_untrusted(request.extensions_mut());
            return Ok(request);
        }
        let server = &self.gate.server;
        let verified = request.extensions().get::<Principal>();
        let access = request.extensions().get::<Access>();
        let of_this_layer = |access: &&Access| access.was_given_by(&self.gate.policy);
        let Some((_, access)) = verified.zip(access.filter(of_this_layer)) else {
            strip_untrusted(request.extensions_mut());
            return Err(self.gate.reject(Rejection::unguarded(server), request));
        };
        match access.narrowed(&self.authorizer) {
            Ok(access) => {
                request.extensions_mut().insert(access);
                Ok(request)
            }
            Err(denial) => {
                let rejection = Rejection::of_authorization(&denial, server);
                Err(self.gate.reject(rejection, request))
            }
        }
    }
}

impl<S: InnerService> Layer<S> for RequireAuthLayer {
    type Service = RequireAuth<S>;

    fn layer(&self, inner: S) -> RequireAuth<S> {
        RequireAuth { inner, requirement: self.clone() }
    }
}

impl<S, B, ResBody> Service<Request<B>> for RequireAuth<S>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.requirement.admit(request) {
            Ok(request) => ResponseFuture::inner(self.inner.call(request)),
            Err(response) => {
                give_back(&mut self.inner);
                ResponseFuture::answered(response)
            }
        }
    }
}
