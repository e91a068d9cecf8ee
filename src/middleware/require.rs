//! Further requirements on single routes, inside the layer that authenticates.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::audit;
use super::body::ResponseBody;
use super::future::ResponseFuture;
use super::gate::{Gate, Head, strip_untrusted};
use super::inner::InnerService;
use super::paths::is_preflight;
use super::service::release_readiness;
use crate::authentication::Principal;
use crate::authentication::bearer::Scheme;
use crate::authorization::{Access, Authorizer, Denial, Policy};
use crate::fhir::Interaction;
use crate::rejection::Rejection;

/// Asks a further authorizer about a request that an outer [`FhirAuthLayer`] let in. Made by
/// [`FhirAuthLayer::require`].
/// It can only narrow: a request that this very layer has not let in is refused with 500, because
/// the route is not inside the layer that should guard it. On a path where a token is
/// [optional](crate::FhirAuthLayerBuilder::optional) the authorizer here is the only one: without a
/// token the request is refused with 401. CORS preflights, which never have a [`Principal`], go to
/// the inner service.
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
        if self.asked_as_optional(&request).is_some() && verified.is_none() {
            let rejection = self.gate.ask_for_token(Head::of(&request));
            return Err(self.gate.reject(rejection, request));
        }
        let Some(narrowed) = self.narrowed(&request) else {
            strip_untrusted(request.extensions_mut());
            return Err(self.gate.reject(Rejection::unguarded(server), request));
        };
        match narrowed {
            Ok(access) => {
                request.extensions_mut().insert(access);
                Ok(request)
            }
            Err(denial) => {
                let mut rejection = Rejection::of_authorization(&denial, server)
                    .of_scheme(Scheme::of(request.headers()));
                let extensions = request.extensions();
                if let Some(caller) = extensions.get::<Principal>() {
                    rejection = rejection.of_caller(caller);
                    audit::refused(request.headers(), &rejection, || {
                        let granted = extensions.get::<Access>().map(Access::interaction);
                        let asked = granted.or_else(|| self.asked_as_optional(&request));
                        asked.cloned()
                    });
                }
                Err(self.gate.reject(rejection, request))
            }
        }
    }

    /// Asks the authorizer, beside what the layer has granted; `None` where it has let nobody in.
    fn narrowed<B>(&self, request: &Request<B>) -> Option<Result<Access, Denial>> {
        let verified = request.extensions().get::<Principal>()?;
        let policy = &self.gate.policy;
        if let Some(access) = request.extensions().get::<Access>() {
            let is_ours = access.was_given_by(policy) || self.asked_as_optional(request).is_some();
            return is_ours.then(|| access.narrowed(&self.authorizer));
        }
        let asked = self.asked_as_optional(request)?.clone();
        let (authorizer, step_up) = (Arc::clone(&self.authorizer), Arc::clone(&policy.step_up));
        let further = Policy::new(authorizer, policy.handlers.clone(), step_up);
        Some(Access::authorize(&Arc::new(further), verified, asked))
    }

    fn asked_as_optional<'r, B>(&self, request: &'r Request<B>) -> Option<&'r Interaction> {
        self.gate.let_in_as_optional(request.extensions())
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
            Ok(request) => ResponseFuture::inner(self.inner.call(request), None),
            Err(response) => {
                release_readiness(&mut self.inner);
                ResponseFuture::answered(response)
            }
        }
    }
}
