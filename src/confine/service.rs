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
use super::confined::Confined;
use super::headers;
use super::judge::Judge;
use super::metadata::{self, Rewriting};
use super::passed;
use super::request_body::RequestBody;
use super::way::Way;
use crate::authorization::Access;
use crate::middleware::{Gates, Interior, release_readiness};
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
    gates: Gates,
}

/// The configuration by which the outer layer has let a request in, and what it has granted, if it was asked.
struct LetIn {
    interior: Arc<Interior>,
    confined: Arc<Confined>,
    access: Option<Access>,
}

/// No outer layer has let a request in.
struct Unguarded;

impl<S> Confine<S> {
    pub(super) fn new(inner: S, gates: Gates) -> Self {
        Self { inner, gates }
    }

    /// Returns how the outer layer has let a request in; an error if no layer has, or if it was another request
    /// by then.
    fn let_in<B>(&self, request: &Request<B>) -> Result<LetIn, Unguarded> {
        let access = request.extensions().get::<Access>();
        let interior = match access {
            Some(access) if access.interaction().is_of(request.method(), request.uri()) => {
                Interior::of(access)
            }
            Some(_) => None,
            None => Interior::of_public(request),
        };
        let is_ours = |interior: &Arc<Interior>| interior.layer == self.gates.layer();
        let interior = interior.filter(is_ours).ok_or(Unguarded)?;
        let confined = Confined::of(&interior).ok_or(Unguarded)?;
        Ok(LetIn { interior, confined, access: access.cloned() })
    }
}

impl<S: Clone> Confine<S> {
    /// Takes the service that was made ready; a clone takes its place.
    fn ready(&mut self) -> S {
        let fresh = self.inner.clone();
        std::mem::replace(&mut self.inner, fresh)
    }

    /// Answers for the server's own statement, which nobody needs a token for.
    fn metadata<B, R>(
        &mut self,
        interior: Arc<Interior>,
        confined: &Confined,
        request: Request<B>,
    ) -> ConfineFuture<S::Future, R, S::Error>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>, Future: Send, Error: Send>
            + Send
            + 'static,
        B: Body + Send + 'static,
        R: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let (settings, statements) =
            (Arc::clone(&confined.settings), Arc::clone(&confined.statements));
        let rewriting = Rewriting { interior, settings, statements, is_confined: true };
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
        headers::strip_overrides(request.headers_mut());
        let Ok(LetIn { interior, confined, access }) = self.let_in(&request) else {
            release_readiness(&mut self.inner);
            let interior = Arc::clone(&self.gates.current().interior);
            let response = interior.reject(Rejection::unguarded(&interior.server), request);
            return ConfineFuture { state: State::Refused { response: Some(response) } };
        };
        if metadata::is_asked(&interior, &request) {
            return self.metadata(interior, &confined, request);
        }
        let settings = Arc::clone(&confined.settings);
        let way = access.as_ref().map_or(Way::Through, |access| Way::of(access, request.headers()));
        let has_form = access.as_ref().is_some_and(|access| passed::has_form(access, &settings));
        if !access.as_ref().is_some_and(Access::changes) {
            headers::strip_provenance(request.headers_mut());
        }
        headers::strip_async(request.headers_mut());
        let Some(access) = access.filter(|_| way != Way::Through) else {
            passed::localize(&mut request, &interior, &settings);
            if has_form {
                let answer = passed::search(self.ready(), interior, settings, request);
                return ConfineFuture::judged(Box::pin(answer));
            }
            let future = self.inner.call(request.map(RequestBody::passed));
            return ConfineFuture::through(future);
        };
        let ready = self.ready();
        let judged = async move {
            let known = (settings, Arc::clone(&confined.capabilities));
            Judge::new(ready, interior, known, (way, access), request.into_parts()).answer().await
        };
        ConfineFuture { state: State::Judged { future: Box::pin(judged) } }
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
