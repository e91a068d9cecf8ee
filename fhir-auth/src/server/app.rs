//! The handler of requests.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type AppBody = UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type Answer = Pin<Box<dyn Future<Output = Response<AppBody>> + Send>>;

/// The handler of a port's requests.
#[derive(Clone)]
pub(crate) struct App(Arc<dyn Fn(Request<Incoming>) -> Answer + Send + Sync>);

impl App {
    /// Answers each request by a function.
    pub(crate) fn from_fn(
        answer: impl Fn(Request<Incoming>) -> Answer + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(answer))
    }

    pub(crate) fn answer(&self, request: Request<Incoming>) -> Answer {
        (self.0)(request)
    }
}

pub(crate) fn whole(bytes: Bytes) -> AppBody {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}
