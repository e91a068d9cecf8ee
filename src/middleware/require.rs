//! Further requirements on single routes, inside the layer that authenticates.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Extensions, Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use super::active_gate::ActiveGate;
use super::audit;
use super::body::ResponseBody;
use super::future::ResponseFuture;
use super::inner::InnerService;
use super::layer_parts::{Head, LayerParts, LetInWithoutAccess, strip_untrusted};
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
///
/// ```
/// use axum::{Router, routing::get};
/// use tower_fhir_auth::middleware::RequireAuthLayer;
/// use tower_fhir_auth::{FhirAuthLayer, require_role};
///
/// fn app(auth: FhirAuthLayer) -> Router {
///     let admins: RequireAuthLayer = auth.require(require_role("admin"));
///     Router::new().route("/admin", get(|| async { "hello" }).layer(admins)).layer(auth)
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireAuthLayer {
    active_gate: ActiveGate,
    authorizer: Arc<dyn Authorizer>,
}

/// The service of [`RequireAuthLayer`].
///
/// ```
/// use axum::Router;
/// use tower::Layer;
/// use tower_fhir_auth::middleware::RequireAuth;
/// use tower_fhir_auth::{FhirAuthLayer, require_role};
///
/// fn admins(auth: &FhirAuthLayer, app: Router) -> RequireAuth<Router> {
///     auth.require(require_role("admin")).layer(app)
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RequireAuth<S> {
    inner: S,
    requirement: RequireAuthLayer,
}

impl RequireAuthLayer {
    pub(crate) fn new(active_gate: ActiveGate, authorizer: impl Authorizer) -> Self {
        Self { active_gate, authorizer: Arc::new(authorizer) }
    }

    fn decide<B>(&self, mut request: Request<B>) -> Result<Request<B>, Response<Bytes>> {
        if is_preflight(request.method(), request.headers()) {
            strip_untrusted(request.extensions_mut());
            return Ok(request);
        }
        let Some(policy) = self.let_in_by(request.extensions()) else {
            return Err(self.unguarded(request));
        };
        let Some(layer_parts) = LayerParts::of_policy(&policy) else {
            return Err(self.unguarded(request));
        };
        let verified = request.extensions().get::<Principal>();
        if as_optional(request.extensions()).is_some() && verified.is_none() {
            let rejection = layer_parts.ask_for_token(Head::of(&request));
            return Err(layer_parts.reject(rejection, request));
        }
        // 500 and not 401: whom the layer has let in is not asked for a token again.
        let Some(narrowed) = self.narrowed(&request, &policy) else {
            return Err(self.unguarded(request));
        };
        match narrowed {
            Ok(access) => {
                request.extensions_mut().insert(access);
                Ok(request)
            }
            Err(denial) => {
                let mut rejection = Rejection::of_authorization(&denial, &layer_parts.server)
                    .of_scheme(Scheme::of(request.headers()));
                let extensions = request.extensions();
                if let Some(caller) = extensions.get::<Principal>() {
                    rejection = rejection.of_caller(caller);
                    let interaction = || {
                        let granted = extensions.get::<Access>().map(Access::interaction);
                        granted.or_else(|| as_optional(extensions)).cloned()
                    };
                    audit::refused(request.headers(), &rejection, interaction);
                }
                Err(layer_parts.reject(rejection, request))
            }
        }
    }

    /// Refuses a request that the layer has not let in.
    fn unguarded<B>(&self, mut request: Request<B>) -> Response<Bytes> {
        // A responder sees the extensions: a caller that came with the request proves nothing there either.
        strip_untrusted(request.extensions_mut());
        let layer_parts = Arc::clone(&self.active_gate.current().layer_parts);
        layer_parts.reject(Rejection::unguarded(&layer_parts.server), request)
    }

    /// Returns the policy by which this very layer has let a request in, whose configuration another one may have
    /// replaced since.
    fn let_in_by(&self, extensions: &Extensions) -> Option<Arc<Policy>> {
        let access = extensions.get::<Access>().map(Access::policy);
        let policy = access.or_else(|| Some(&extensions.get::<LetInWithoutAccess>()?.policy))?;
        let is_ours = |layer_parts: &LayerParts| layer_parts.layer == self.active_gate.layer();
        LayerParts::of_policy(policy).is_some_and(is_ours).then(|| Arc::clone(policy))
    }

    /// Asks the authorizer, beside what the layer has granted; `None` where it has let nobody in.
    fn narrowed<B>(&self, request: &Request<B>, policy: &Policy) -> Option<Result<Access, Denial>> {
        let verified = request.extensions().get::<Principal>()?;
        if let Some(access) = request.extensions().get::<Access>() {
            return Some(access.narrowed(&self.authorizer));
        }
        let asked = as_optional(request.extensions())?.clone();
        let (authorizer, step_up) = (Arc::clone(&self.authorizer), Arc::clone(&policy.step_up));
        let layer = Arc::clone(&policy.layer);
        let further = Policy::new(authorizer, policy.handlers.clone(), step_up, layer);
        Some(Access::authorize(&Arc::new(further), verified, asked))
    }
}

/// Returns the interaction of a request that a layer let in where a token is optional.
fn as_optional(extensions: &Extensions) -> Option<&Interaction> {
    extensions.get::<LetInWithoutAccess>()?.optional.as_ref()
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
        match self.requirement.decide(request) {
            Ok(request) => ResponseFuture::forwarded(self.inner.call(request)),
            Err(response) => {
                release_readiness(&mut self.inner);
                ResponseFuture::answered(response)
            }
        }
    }
}
