//! A guarded service: the way of a request on one screen.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::body::ResponseBody;
use super::exempt::Exemptions;
use super::future::ResponseFuture;
use crate::authentication::authenticator::Stop;
use crate::authentication::{AuthenticationError, Authenticator, Principal};
use crate::authorization::{Access, Authorizer};
use crate::fhir::Interaction;
use crate::log;
use crate::metadata::protected_resource::ProtectedResource;
use crate::meter;
use crate::rejection::{Rejection, RejectionResponder, ServerIdentity};

/// A service that lets in verified and authorized requests alone. Made by
/// [`FhirAuthLayer`](crate::FhirAuthLayer).
///
/// The inner service is any `Service<Request<B>, Response = Response<ResBody>>` that is `Clone`,
/// which a request that has to wait for a key makes use of. Nothing is asked of `B`; of `ResBody`
/// only what a server asks anyway: `http_body::Body`, with data that can be made of `Bytes`.
#[derive(Clone, Debug)]
#[must_use]
pub struct FhirAuth<S> {
    inner: S,
    guard: Arc<Guard>,
}

/// Everything a decision needs, shared by all clones of a layer and of its services.
pub(crate) struct Guard {
    pub(crate) authenticator: Authenticator,
    pub(crate) authorizer: Box<dyn Authorizer>,
    pub(crate) exemptions: Exemptions,
    pub(crate) metadata: ProtectedResource,
    pub(crate) responder: Box<dyn RejectionResponder>,
    pub(crate) server: Arc<ServerIdentity>,
}

impl<S> FhirAuth<S> {
    pub(crate) fn new(inner: S, guard: Arc<Guard>) -> Self {
        Self { inner, guard }
    }
}

impl<S, B, ResBody> Service<Request<B>> for FhirAuth<S>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let guard = &self.guard;
        forget_what_came_in(&mut request);
        if let Some(document) = guard.metadata.answer(request.method(), request.uri()) {
            return ResponseFuture::answered(document);
        }
        if guard.exemptions.admit(&guard.server.base_url, &request) {
            return ResponseFuture::inner(self.inner.call(request));
        }
        match guard.authenticator.decide(request.headers(), request.uri()) {
            Ok(principal) => match guard.admit(principal, request) {
                Ok(request) => ResponseFuture::inner(self.inner.call(request)),
                Err(response) => ResponseFuture::answered(response),
            },
            Err(Stop::Refused(error)) => ResponseFuture::answered(guard.reject(error, request)),
            Err(Stop::Wait(wait)) => {
                ResponseFuture::waiting(wait, request, Arc::clone(guard), self.inner.clone())
            }
        }
    }
}

impl Guard {
    /// From a verified caller to the request as the inner service gets it, or a refusal.
    fn admit<B>(
        &self,
        principal: Principal,
        mut request: Request<B>,
    ) -> Result<Request<B>, Response<Bytes>> {
        let base_url = &self.server.base_url;
        let (method, uri) = (request.method(), request.uri());
        let interaction = Interaction::parse(base_url, method, uri, request.headers());
        match self.authorizer.authorize(&principal, &interaction) {
            Ok(grant) => {
                let access = Access::new(interaction, grant);
                request.extensions_mut().insert(access);
                request.extensions_mut().insert(principal);
                Ok(request)
            }
            Err(denial) => {
                let rejection = Rejection::of_authorization(&denial, &self.server);
                Err(self.refuse(rejection, request))
            }
        }
    }

    /// The decision on a request that has waited for a key, once and for all.
    pub(crate) fn decide_after_wait<B>(
        &self,
        request: Request<B>,
    ) -> Result<Request<B>, Response<Bytes>> {
        match self.authenticator.decide_after_wait(request.headers(), request.uri()) {
            Ok(principal) => self.admit(principal, request),
            Err(error) => Err(self.reject(error, request)),
        }
    }

    fn reject<B>(&self, error: AuthenticationError, request: Request<B>) -> Response<Bytes> {
        let rejection = Rejection::of_authentication(error, &self.server);
        self.refuse(rejection, request)
    }

    pub(crate) fn refuse<B>(&self, rejection: Rejection, request: Request<B>) -> Response<Bytes> {
        log::info!(
            target: "tower_fhir_auth::rejection",
            kind = rejection.kind().name(),
            check = rejection.check().map(|check| check.name()),
            method = %request.method(),
            path = request.uri().path(),
            reason = rejection.detail(),
            "request refused"
        );
        meter::refusal(rejection.kind().name(), rejection.check().map(|check| check.name()));
        let (parts, _) = request.into_parts();
        let mut response = self.responder.respond(&rejection, &parts);
        response.extensions_mut().insert(rejection);
        response
    }
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("authenticator", &self.authenticator)
            .field("exemptions", &self.exemptions)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// A `Principal` or `Access` that stands in a request before it was judged is nobody's word.
fn forget_what_came_in<B>(request: &mut Request<B>) {
    request.extensions_mut().remove::<Principal>();
    request.extensions_mut().remove::<Access>();
}
