//! The future of a guarded service.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::admitted_caller::AdmittedCaller;
use super::body::ResponseBody;
use super::gate::{Decision, Gate};
use crate::authentication::wait::{Wait, Waited};

pin_project! {
    /// The future of [`FhirAuth`](crate::FhirAuth): the inner service's, or a refusal.
    ///
    /// ```
    /// use axum::{Router, body::Body};
    /// use http::Request;
    /// use tower::Service;
    /// use tower_fhir_auth::FhirAuth;
    /// use tower_fhir_auth::middleware::ResponseFuture;
    ///
    /// fn ask(app: &mut FhirAuth<Router>, request: Request<Body>) -> ResponseFuture<Router, Body> {
    ///     app.call(request)
    /// }
    /// ```
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        Inner { #[pin] future: S::Future },
        // The same, and the response will name the caller.
        Naming { #[pin] future: S::Future, caller: Option<Box<AdmittedCaller>> },
        // The one path with a box: a key is on its way, or the answer to an introspection.
        Waiting { wait: Pin<Box<dyn Future<Output = Waited> + Send>>, held: Option<Box<Held<S, B>>> },
        // The request was let in after a wait, and its service is not ready yet.
        Readying { admitted: Option<Box<Admitted<S, B>>> },
        // By the layer itself: a refusal, or a document of its own.
        Answered { response: Option<Response<Bytes>> },
    }
}

/// A request that was let in, the service for it, and what its response says of the caller.
type Admitted<S, B> = (S, Request<B>, Option<Box<AdmittedCaller>>);

/// A request that waits, and all that it needs afterwards.
struct Held<S, B> {
    request: Request<B>,
    gate: Arc<Gate>,
    /// A clone, made ready after the wait: the service that was ready goes to the next request, so
    /// a flood of unknown keys cannot hold the inner service's concurrency permits.
    service: S,
}

impl<S: Service<Request<B>>, B> ResponseFuture<S, B> {
    /// Makes the future of a request that passes.
    pub(super) fn forwarded(future: S::Future) -> Self {
        Self { state: State::Inner { future } }
    }

    /// Makes that of a request whose response will have the caller in its extensions.
    pub(super) fn forwarded_for(caller: Box<AdmittedCaller>, future: S::Future) -> Self {
        Self { state: State::Naming { future, caller: Some(caller) } }
    }

    pub(crate) fn waiting(wait: Wait, request: Request<B>, gate: Arc<Gate>, service: S) -> Self {
        let wait = Box::pin(gate.layer_parts.meter.waiting(wait.finished(Waited::default())));
        let held = Some(Box::new(Held { request, gate, service }));
        Self { state: State::Waiting { wait, held } }
    }

    pub(crate) fn answered(response: Response<Bytes>) -> Self {
        Self { state: State::Answered { response: Some(response) } }
    }
}

/// Decides on a request after a wait. It may have to wait for something else.
fn decided_again<S: Service<Request<B>>, B>(
    mut held: Box<Held<S, B>>,
    waited: Waited,
) -> State<S, B> {
    let decision = match held.gate.decide(&mut held.request, &waited) {
        Ok(decision) => decision,
        Err(wait) => {
            let wait = Box::pin(held.gate.layer_parts.meter.waiting(wait.finished(waited)));
            return State::Waiting { wait, held: Some(held) };
        }
    };
    let Held { request, gate, service } = *held;
    if let Decision::Answer(answer) = decision {
        return State::Answered { response: Some(gate.answer(answer, request)) };
    }
    let caller = AdmittedCaller::of(&request, &gate);
    State::Readying { admitted: Some(Box::new((service, request, caller))) }
}

impl<S, B, ResBody> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut state = self.as_mut().project().state;
            let next = match state.as_mut().project() {
                StateProjection::Inner { future } => {
                    let response = ready!(future.poll(context))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::passed)));
                }
                StateProjection::Naming { future, caller } => {
                    let mut response = ready!(future.poll(context))?;
                    if let Some(caller) = caller.take() {
                        caller.put_into(response.extensions_mut());
                    }
                    return Poll::Ready(Ok(response.map(ResponseBody::passed)));
                }
                StateProjection::Waiting { wait, held } => {
                    let waited = ready!(wait.as_mut().poll(context));
                    let Some(held) = held.take() else { return Poll::Pending };
                    decided_again(held, waited)
                }
                StateProjection::Readying { admitted } => {
                    if let Some(waiting) = admitted {
                        ready!(waiting.0.poll_ready(context))?;
                    }
                    let Some(admitted) = admitted.take() else { return Poll::Pending };
                    let (mut service, request, caller) = *admitted;
                    let future = service.call(request);
                    match caller {
                        None => State::Inner { future },
                        caller => State::Naming { future, caller },
                    }
                }
                StateProjection::Answered { response } => {
                    // Polled after completion: stay pending rather than panic.
                    return match response.take() {
                        Some(response) => Poll::Ready(Ok(response.map(ResponseBody::bytes))),
                        None => Poll::Pending,
                    };
                }
            };
            state.set(next);
        }
    }
}

impl<S: Service<Request<B>>, B> std::fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
