//! The guarded service: how each request is handled.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::active_gate::ActiveGate;
use super::admitted_caller::AdmittedCaller;
use super::body::ResponseBody;
use super::future::ResponseFuture;
use super::gate::{Decision, Gate};
use crate::authentication::wait::Waited;
use crate::hot_swap::Current;

/// Guards an inner service: forwards a request to it, answers in its place, or makes the request wait for a signing key
/// or for the answer to an introspection. Created by [`FhirAuthLayer`](crate::FhirAuthLayer).
///
/// The inner service is any `Service<Request<B>, Response = Response<ResBody>>` that is `Clone`: when a request is
/// refused or has to wait, the instance that was polled ready is dropped, and a clone takes its place. `B` has no
/// bounds; `ResBody` needs only what a server needs anyway: `http_body::Body`, whose data can be made from `Bytes`.
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
    /// The configuration in force, which may be replaced at any time.
    active_gate: ActiveGate,
}

impl<S> FhirAuth<S> {
    pub(crate) fn new(inner: S, active_gate: ActiveGate) -> Self {
        Self { inner, active_gate }
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
        dispatch(self.active_gate.current(), &mut self.inner, request)
    }
}

/// Decides on a request, and forwards it to `inner`, which has been polled ready, if it is let in. This one
/// configuration decides, also after a wait in the [`ResponseFuture`], even if another one is put in force meanwhile.
pub(super) fn dispatch<S, B, ResBody>(
    gate: Current<Gate>,
    inner: &mut S,
    mut request: Request<B>,
) -> ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>> + Clone,
{
    // `decide` removes any `Principal` and `Access` that came with the request, and inserts the caller's own. Its `Err`
    // is no refusal: what the decision depends on has to come first.
    match gate.decide(&mut request, Waited::not_yet()) {
        Ok(Decision::Pass) => {
            let caller = AdmittedCaller::of(&request, &gate);
            // The inner service may take its time: it does not keep the old configuration in memory.
            drop(gate);
            match caller {
                // A path that takes no token, or an optional one that has not come.
                None => ResponseFuture::forwarded(inner.call(request)),
                Some(caller) => ResponseFuture::forwarded_for(caller, inner.call(request)),
            }
        }
        Ok(Decision::Answer(answer)) => {
            release_readiness(inner);
            ResponseFuture::answered(gate.answer(answer, request))
        }
        Err(wait) => {
            release_readiness(inner);
            // The clone that waits is polled ready after the wait. Taking the ready one instead would hold for all
            // that time what `poll_ready` reserved.
            ResponseFuture::waiting(wait, request, Arc::clone(&gate), inner.clone())
        }
    }
}

/// Replaces a service that is ready by a clone that is not: what `poll_ready` reserved, such as a permit, is free then.
pub(crate) fn release_readiness<S: Clone>(service: &mut S) {
    *service = service.clone();
}
