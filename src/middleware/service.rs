//! A guarded service: the way of a request on one screen.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_service::Service;

use super::body::ResponseBody;
use super::future::ResponseFuture;
use super::gate::Gate;

/// A service that lets in only verified and authorized requests. Made by
/// [`FhirAuthLayer`](crate::FhirAuthLayer).
///
/// The inner service is any `Service<Request<B>, Response = Response<ResBody>>` that is `Clone`:
/// one that was made ready for a request that is refused, or has to wait for a key, is dropped. `B`
/// is unbounded; `ResBody` needs only what a server needs anyway: `http_body::Body`, with data that
/// can be made of `Bytes`.
#[derive(Clone, Debug)]
#[must_use]
pub struct FhirAuth<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S> FhirAuth<S> {
    pub(crate) fn new(inner: S, gate: Arc<Gate>) -> Self {
        Self { inner, gate }
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
        let decision = match self.gate.decide(&mut request) {
            Ok(decision) => decision,
            Err(wait) => {
                // The wait must not hold what `poll_ready` has reserved.
                give_back(&mut self.inner);
                let service = self.inner.clone();
                return ResponseFuture::waiting(wait, request, Arc::clone(&self.gate), service);
            }
        };
        match self.gate.carry_out(decision, request) {
            Ok(request) => ResponseFuture::inner(self.inner.call(request)),
            Err(response) => {
                give_back(&mut self.inner);
                ResponseFuture::answered(response)
            }
        }
    }
}

/// Drops a service that was made ready for a request that it will not get now, and releases
/// whatever `poll_ready` has reserved: an idle connection must not hold a permit, too.
pub(super) fn give_back<S: Clone>(ready: &mut S) {
    *ready = ready.clone();
}
