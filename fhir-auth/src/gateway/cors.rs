//! CORS: browsers ask before they send a token, and hide answers from scripts of origins that are not named.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::header::{
    ACCEPT, ACCESS_CONTROL_REQUEST_METHOD, AUTHORIZATION, CACHE_CONTROL, CONTENT_LOCATION,
    CONTENT_TYPE, ETAG, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION, RANGE,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{HeaderName, Method, Request, Response};
use hyper::body::Incoming;
use tower_fhir_auth::config::CorsOrigins;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_layer::Layer;
use tower_service::Service;

use crate::server::{App, AppBody};

/// The time for which a browser may remember what it has been allowed.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Headers that clients of FHIR send, beside those that have constants.
const SENT: [&str; 9] = [
    "dpop",
    "if-none-exist",
    "prefer",
    "traceparent",
    "tracestate",
    "x-correlation-id",
    "x-provenance",
    "x-request-id",
    "x-requested-with",
];

/// Puts CORS around an answerer, refusals included, where origins are named.
pub(super) fn around(app: App, origins: &CorsOrigins) -> App {
    let origin = match origins {
        CorsOrigins::Any => AllowOrigin::any(),
        CorsOrigins::Only(origins) => AllowOrigin::list(origins.iter().cloned()),
        CorsOrigins::None | _ => return app,
    };
    let layer = layer(origin);
    App::from_fn(move |request| {
        // The layer takes every OPTIONS for a preflight; any other one needs a token.
        let is_options = request.method() == Method::OPTIONS;
        if is_options && !request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return app.answer(request);
        }
        let answer = layer.layer(app.clone()).call(request);
        Box::pin(async move {
            match answer.await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        })
    })
}

/// Makes the layer. No cookie ever authenticates anybody here, so that no origin is trusted with credentials;
/// `*` would not stand for `Authorization` (Fetch standard section 4.9).
fn layer(origin: AllowOrigin) -> CorsLayer {
    let named = [
        ACCEPT,
        AUTHORIZATION,
        CACHE_CONTROL,
        CONTENT_TYPE,
        IF_MATCH,
        IF_MODIFIED_SINCE,
        IF_NONE_MATCH,
        RANGE,
    ];
    let sent: Vec<HeaderName> =
        named.into_iter().chain(SENT.map(HeaderName::from_static)).collect();
    let exposed = [
        CONTENT_LOCATION,
        ETAG,
        LAST_MODIFIED,
        LOCATION,
        RETRY_AFTER,
        WWW_AUTHENTICATE,
        HeaderName::from_static("dpop-nonce"),
        HeaderName::from_static("x-progress"),
    ];
    let methods =
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    CorsLayer::new()
        .allow_origin(origin)
        .allow_headers(sent)
        .allow_methods(methods)
        .expose_headers(exposed)
        .max_age(MAX_AGE)
}

impl Service<Request<Incoming>> for App {
    type Response = Response<AppBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<AppBody>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Self::Future {
        let answer = self.answer(request);
        Box::pin(async move { Ok(answer.await) })
    }
}
