//! A guarded service that answers at once: nothing in it waits.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Empty;
use tower_fhir_auth::{Access, FhirAuthLayer, Principal, Rejection};
use tower_layer::Layer;
use tower_service::Service;

/// What a client got, and what the inner service saw.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub rejection: Option<Rejection>,
    pub principal: Option<Principal>,
    pub access: Option<Access>,
    /// True if the inner service was called.
    pub let_in: bool,
}

/// Mark of the inner service.
#[derive(Clone)]
struct WasCalled;

/// Hands what the layer put into the request back in the response.
#[derive(Clone, Copy, Debug)]
struct Echo;

impl Service<Request<()>> for Echo {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<()>) -> Self::Future {
        let mut response = Response::new(Empty::new());
        *response.extensions_mut() = request.into_parts().0.extensions;
        response.extensions_mut().insert(WasCalled);
        ready(Ok(response))
    }
}

/// Runs what should not have to wait.
pub fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a decision waits, although all keys are there"),
    }
}

/// Sends a request through a layer.
pub fn send(layer: &FhirAuthLayer, request: Request<()>) -> Reply {
    let mut service = layer.layer(Echo);
    let mut response = at_once(service.call(request)).unwrap();
    let extensions = response.extensions_mut();
    let (rejection, principal, access) =
        (extensions.remove(), extensions.remove(), extensions.remove());
    let let_in = extensions.remove::<WasCalled>().is_some();
    let (parts, body) = response.into_parts();
    let mut body = pin!(body);
    let frame = body.as_mut().poll_frame(&mut Context::from_waker(Waker::noop()));
    let body = match frame {
        Poll::Ready(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        Poll::Ready(_) | Poll::Pending => Bytes::new(),
    };
    let (status, headers) = (parts.status, parts.headers);
    Reply { status, headers, body, rejection, principal, access, let_in }
}
