//! CORS, outside the layer that authenticates: browsers ask before they send a token.

use std::convert::Infallible;
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_REQUEST_METHOD, CONTENT_LOCATION, ETAG, LAST_MODIFIED, LOCATION, RETRY_AFTER,
    WWW_AUTHENTICATE,
};
use axum::http::{self, HeaderName, Method};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::cors::{AllowHeaders, AllowMethods, Any, CorsLayer};

use crate::serve::HttpService;

/// Answers preflights, without a look at their bodies, and lets scripts of any origin read answers.
/// No cookie ever authenticates anybody here, so that no origin has to be kept out.
pub(crate) fn around<S, R>(app: S) -> HttpService
where
    S: Service<Request, Response = http::Response<R>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
    R: HttpBody<Data = Bytes, Error: Into<BoxError>> + Default + Send + 'static,
{
    let cors = CorsLayer::new()
        .allow_origin(Any)
        // `*` stands for neither `Authorization` nor `DPoP` (Fetch standard section 4.8).
        .allow_headers(AllowHeaders::mirror_request())
        .allow_methods(AllowMethods::mirror_request())
        .expose_headers([
            CONTENT_LOCATION,
            ETAG,
            LAST_MODIFIED,
            LOCATION,
            RETRY_AFTER,
            WWW_AUTHENTICATE,
            HeaderName::from_static("dpop-nonce"),
        ])
        .max_age(Duration::from_secs(600));
    HttpService::new(service_fn(move |request: Request| {
        let (app, cors) = (app.clone(), cors.clone());
        async move {
            // The layer takes every OPTIONS for a preflight; any other one needs a token.
            let is_options = request.method() == Method::OPTIONS;
            if is_options && !request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
                return Ok(app.oneshot(request).await?.map(Body::new));
            }
            Ok(cors.layer(app).oneshot(request).await?.map(Body::new))
        }
    }))
}
