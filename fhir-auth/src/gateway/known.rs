//! Callers, told from strangers.

use std::task::{Context, Poll};

use http::Request;
use tower_fhir_auth::Principal;
use tower_service::Service;

use super::buffer::BufferLease;

/// A service that notes whose token was verified, before anything is read of the request.
#[derive(Clone, Debug)]
pub(super) struct NoteCaller<S>(pub(super) S);

impl<S: Service<Request<B>>, B> Service<Request<B>> for NoteCaller<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let known = request.extensions();
        if let (Some(lease), Some(principal)) =
            (known.get::<BufferLease>(), known.get::<Principal>())
        {
            lease.set_principal(principal);
        }
        self.0.call(request)
    }
}
