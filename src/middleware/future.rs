//! The future of a guarded service.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::body::ResponseBody;

/// The decision on a request whose key has to be waited for: let in, or refused.
pub(crate) type Admission<B> =
    Pin<Box<dyn Future<Output = Result<Request<B>, Response<Bytes>>> + Send>>;

pin_project! {
    /// The future of [`FhirAuth`](crate::FhirAuth): the inner service's, or a refusal.
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
        // The one path with a box: a key is on its way. `service` is the one that was ready.
        Waiting { admission: Admission<B>, service: S },
        Refused { response: Option<Response<Bytes>> },
    }
}

impl<S: Service<Request<B>>, B> ResponseFuture<S, B> {
    pub(crate) fn inner(future: S::Future) -> Self {
        Self { state: State::Inner { future } }
    }

    pub(crate) fn waiting(admission: Admission<B>, service: S) -> Self {
        Self { state: State::Waiting { admission, service } }
    }

    pub(crate) fn refused(response: Response<Bytes>) -> Self {
        let response = Some(response);
        Self { state: State::Refused { response } }
    }
}

impl<S, B, ResBody> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let mut state = self.as_mut().project().state;
            match state.as_mut().project() {
                StateProjection::Inner { future } => {
                    let response = ready!(future.poll(context))?;
                    return Poll::Ready(Ok(response.map(ResponseBody::inner)));
                }
                StateProjection::Waiting { admission, service } => {
                    let next = match ready!(admission.as_mut().poll(context)) {
                        Ok(request) => State::Inner { future: service.call(request) },
                        Err(response) => State::Refused { response: Some(response) },
                    };
                    state.set(next);
                }
                StateProjection::Refused { response } => {
                    // A future that is polled after its end has nothing more to say.
                    return match response.take() {
                        Some(response) => Poll::Ready(Ok(response.map(ResponseBody::refusal))),
                        None => Poll::Pending,
                    };
                }
            }
        }
    }
}

impl<S: Service<Request<B>>, B> std::fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
