//! A guarded service: how a request is handled, on one screen.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::ResponseBody;
use super::future::ResponseFuture;
use super::gate::{Decision, Gate};
use super::gates::Gates;
use super::let_in::LetIn;
use crate::authentication::wait::Waited;
use crate::hot_swap::Current;

/// Guards an inner service: each request passes the gate, which lets it through, answers it, or makes
/// it wait for a key. Made by [`FhirAuthLayer`](crate::FhirAuthLayer).
///
/// The inner service is any `Service<Request<B>, Response = Response<ResBody>>` that is `Clone`:
/// one that was made ready for a request that is refused, or has to wait for a key, is dropped. `B`
/// is unbounded; `ResBody` needs only what a server needs anyway: `http_body::Body`, with data that
/// can be made of `Bytes`.
///
/// ```
/// use axum::Router;
/// use tower::Layer;
/// use tower_fhir_auth::{FhirAuth, FhirAuthLayer};
///
/// fn guarded(auth: &FhirAuthLayer, app: Router) -> FhirAuth<Router> {
///     auth.layer(app)
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct FhirAuth<S> {
    inner: S,
    gates: Gates,
}

impl<S> FhirAuth<S> {
    pub(crate) fn new(inner: S, gates: Gates) -> Self {
        Self { inner, gates }
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        guard(self.gates.current(), &mut self.inner, request)
    }
}

/// Lets a request pass the gate to a service that is ready. It is decided by this one configuration, also if
/// another one takes its place meanwhile.
#[inline]
pub(super) fn guard<S, B, ResBody>(
    gate: Current<Gate>,
    inner: &mut S,
    mut request: Request<B>,
) -> ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
{
    // Strips forged extensions from the request, and inserts the caller's.
    let decision = match gate.decide(&mut request, Waited::for_nothing()) {
        Ok(decision) => decision,
        Err(wait) => {
            // Not `mem::replace`: the service that was made ready must be dropped, not waited
            // with, or it would hold what `poll_ready` reserved.
            release_readiness(inner);
            return ResponseFuture::waiting(wait, request, Arc::clone(&gate), inner.clone());
        }
    };
    if let Decision::Answer(answer) = decision {
        let response = gate.answer(answer, request);
        release_readiness(inner);
        return ResponseFuture::answered(response);
    }
    let caller = LetIn::of(&request, &gate);
    drop(gate);
    match caller {
        None => ResponseFuture::inner(inner.call(request)),
        Some(caller) => ResponseFuture::naming(inner.call(request), caller),
    }
}

/// Replaces a service that was made ready with a fresh clone, so that what `poll_ready` reserved, such
/// as a permit, is free while the request is answered or waits.
pub(crate) fn release_readiness<S: Clone>(ready: &mut S) {
    *ready = ready.clone();
}
