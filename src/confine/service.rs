//! A confined service: a request passes through, or its answer is judged.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::ConfinedBody;
use super::capability::Capabilities;
use super::confined::Confined;
use super::handling::Handling;
use super::headers;
use super::judge::Judge;
use super::metadata::{self, Rewriting};
use super::passthrough::{self, LocalizedParameters};
use super::request_body::RequestBody;
use super::settings::ConfineSettings;
use crate::authorization::Access;
use crate::middleware::{ActiveGate, LayerParts, release_readiness};
use crate::rejection::Rejection;

/// Holds the answers of an inner service to what was granted. Made by [`ConfineLayer`](super::ConfineLayer).
///
/// ```
/// use tower::Layer;
/// use tower_fhir_auth::confine::{Confine, ConfineLayer};
///
/// fn around(layer: &ConfineLayer, proxy: axum::Router) -> Confine<axum::Router> {
///     layer.layer(proxy)
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Confine<S> {
    inner: S,
    active_gate: ActiveGate,
}

/// The treatment of a request that an outer layer has let in.
enum RequestPlan {
    /// It passes without a look, but for the addresses in it where the upstream server has another base.
    Through(Option<Box<LocalizedParameters>>),
    /// The form in its body has such addresses, too.
    Form(RequestConfig, Option<Box<LocalizedParameters>>),
    /// It is for the server's own statement.
    Metadata(Rewriting),
    Judged(RequestConfig, Arc<Capabilities>, Handling, Box<Access>),
}

/// The configuration by which the request was let in, for as long as it takes.
type RequestConfig = (Arc<LayerParts>, Arc<ConfineSettings>);

/// No outer layer has let a request in.
struct Unguarded;

impl<S> Confine<S> {
    pub(super) fn new(inner: S, active_gate: ActiveGate) -> Self {
        Self { inner, active_gate }
    }

    /// Plans how to deal with a request, and whether it changes something; an error if no outer layer has let it
    /// in, or if it was another request by then. Most requests pass, and for them nothing is cloned.
    fn plan<B>(&self, request: &Request<B>) -> Result<(RequestPlan, bool), Unguarded> {
        let access = request.extensions().get::<Access>();
        let layer_parts = match access {
            Some(access) if access.interaction().is_of(request.method(), request.uri()) => {
                LayerParts::of(access)
            }
            Some(_) => None,
            None => LayerParts::of_public(request),
        };
        let is_ours = |layer_parts: &&LayerParts| layer_parts.layer == self.active_gate.layer();
        let layer_parts = layer_parts.filter(is_ours).ok_or(Unguarded)?;
        let Confined { settings, capabilities, statements, .. } =
            Confined::of(layer_parts).ok_or(Unguarded)?;
        let keep = || Some((LayerParts::keep(request)?, Arc::clone(settings)));
        let kept = || keep().ok_or(Unguarded);
        let localized = || LocalizedParameters::of(request, layer_parts, settings);
        let changes = access.is_some_and(Access::changes);
        if metadata::is_asked(layer_parts, request) {
            let (layer_parts, settings) = kept()?;
            let statements = Arc::clone(statements);
            let rewriting = Rewriting { layer_parts, settings, statements, is_confined: true };
            return Ok((RequestPlan::Metadata(rewriting), changes));
        }
        let step = match access.map(|access| (Handling::of(access, request.headers()), access)) {
            Some((Handling::Through, access))
                if passthrough::must_localize_form(access, settings) =>
            {
                RequestPlan::Form(kept()?, localized())
            }
            None | Some((Handling::Through, _)) => RequestPlan::Through(localized()),
            Some((handling, access)) => {
                let access = Box::new(access.clone());
                RequestPlan::Judged(kept()?, Arc::clone(capabilities), handling, access)
            }
        };
        Ok((step, changes))
    }
}

impl<S: Clone> Confine<S> {
    /// Takes the service that was made ready; a clone takes its place.
    fn ready(&mut self) -> S {
        let fresh = self.inner.clone();
        std::mem::replace(&mut self.inner, fresh)
    }

    /// Refuses a request that no outer layer has let in.
    fn unguarded<B, F, R, E>(&mut self, request: Request<B>) -> ConfineFuture<F, R, E> {
        release_readiness(&mut self.inner);
        let layer_parts = Arc::clone(&self.active_gate.current().layer_parts);
        let response = layer_parts.reject(Rejection::unguarded(&layer_parts.server), request);
        ConfineFuture { state: State::Refused { response: Some(response) } }
    }

    /// Answers for the server's own statement, which nobody needs a token for.
    fn metadata<B, R>(
        &mut self,
        rewriting: Rewriting,
        request: Request<B>,
    ) -> ConfineFuture<S::Future, R, S::Error>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>, Future: Send, Error: Send>
            + Send
            + 'static,
        B: Body + Send + 'static,
        R: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let (parts, _) = request.into_parts();
        let answer = metadata::answer(self.ready(), rewriting, parts);
        let future = async move { answer.await.map(|answer| answer.map(ConfinedBody::bytes)) };
        ConfineFuture::judged(Box::pin(future))
    }
}

impl<S, B, R> Service<Request<B>> for Confine<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>, Future: Send, Error: Send>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    R: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    type Response = Response<ConfinedBody<R>>;
    type Error = S::Error;
    type Future = ConfineFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let are_ordinary = headers::are_ordinary(request.headers());
        if !are_ordinary {
            headers::strip_overrides(request.headers_mut());
        }
        let Ok((step, changes)) = self.plan(&request) else { return self.unguarded(request) };
        if !are_ordinary {
            // Only for a change was it checked that a Provenance may be created.
            if !changes {
                headers::strip_provenance(request.headers_mut());
            }
            headers::strip_async(request.headers_mut());
        }
        match step {
            RequestPlan::Metadata(rewriting) => self.metadata(rewriting, request),
            RequestPlan::Judged((layer_parts, settings), capabilities, handling, access) => {
                let ready = self.ready();
                let judged = async move {
                    let (known, asked) = ((settings, capabilities), (handling, *access));
                    Judge::new(ready, layer_parts, known, asked, request.into_parts())
                        .answer()
                        .await
                };
                ConfineFuture::judged(Box::pin(judged))
            }
            RequestPlan::Form((layer_parts, settings), localized) => {
                if let Some(localized) = localized {
                    localized.write(&mut request);
                }
                let answer = passthrough::search(self.ready(), layer_parts, settings, request);
                ConfineFuture::judged(Box::pin(answer))
            }
            RequestPlan::Through(localized) => {
                if let Some(localized) = localized {
                    localized.write(&mut request);
                }
                ConfineFuture::through(self.inner.call(request.map(RequestBody::passed)))
            }
        }
    }
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

type Boxed<R, E> = Pin<Box<dyn Future<Output = Result<Response<ConfinedBody<R>>, E>> + Send>>;

pin_project! {
    /// The future of a [`Confine`]: the inner service's, or that of an answer which is judged.
    ///
    /// ```
    /// use tower::{Layer, Service};
    /// use tower_fhir_auth::confine::ConfineLayer;
    ///
    /// async fn ask(layer: &ConfineLayer, proxy: axum::Router) -> http::StatusCode {
    ///     let mut service = layer.layer(proxy);
    ///     // A `ConfineFuture`.
    ///     let answer = service.call(http::Request::new(axum::body::Body::empty()));
    ///     answer.await.map_or(http::StatusCode::BAD_GATEWAY, |answer| answer.status())
    /// }
    /// ```
    pub struct ConfineFuture<F, R, E> {
        #[pin]
        state: State<F, R, E>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, R, E> {
        Through { #[pin] future: F },
        Judged { future: Boxed<R, E> },
        Refused { response: Option<Response<Bytes>> },
    }
}

impl<F, R, E> ConfineFuture<F, R, E> {
    pub(super) fn through(future: F) -> Self {
        Self { state: State::Through { future } }
    }

    pub(super) fn judged(future: Boxed<R, E>) -> Self {
        Self { state: State::Judged { future } }
    }
}

impl<F, R, E> Future for ConfineFuture<F, R, E>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ConfinedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Through { future } => {
                Poll::Ready(Ok(ready!(future.poll(context))?.map(ConfinedBody::inner)))
            }
            StateProjection::Judged { future } => future.as_mut().poll(context),
            StateProjection::Refused { response } => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(ConfinedBody::bytes))),
                // Polled after completion: stay pending rather than panic.
                None => Poll::Pending,
            },
        }
    }
}

impl<F, R, E> std::fmt::Debug for ConfineFuture<F, R, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConfineFuture").finish_non_exhaustive()
    }
}
