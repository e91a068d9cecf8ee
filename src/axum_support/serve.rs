//! A guarded service as `axum::serve` takes it.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

use axum_core::body::Body;
use axum_core::response::Response;
use pin_project_lite::pin_project;
use tower_service::Service;

/// Makes a service with a [`FhirAuthLayer`](crate::FhirAuthLayer) outermost one that `axum::serve`
/// takes: a clone for each connection, with the body that axum serves.
///
/// `axum::serve` takes a `Router` as it is, and no other service: without this it complains that
/// `FhirAuth<Router>` is no `Service<IncomingStream<'_, _>>`.
///
/// ```
/// use axum::Router;
/// use tower::Layer;
/// use tower_fhir_auth::axum_support::into_make_service;
/// use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};
///
/// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
/// let auth = FhirAuthLayer::builder("https://api.example.org")
///     .issuer(TrustedIssuer::discover("https://idp.example.org"))
///     .authorizer(authenticated())
///     .build()?;
/// // Around the router and its fallback.
/// let app = auth.layer(Router::new());
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// axum::serve(listener, into_make_service(app)).await?;
/// # Ok(()) }
/// ```
pub fn into_make_service<S: Clone>(service: S) -> IntoMakeService<S> {
    IntoMakeService(service)
}

/// Makes an [`AxumService`] for each connection. Made by [`into_make_service`].
///
/// ```
/// use tower_fhir_auth::axum_support::{IntoMakeService, into_make_service};
///
/// let service: IntoMakeService<axum::Router> = into_make_service(axum::Router::new());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct IntoMakeService<S>(S);

/// A service whose responses have the body that axum serves.
///
/// ```
/// use tower::ServiceExt;
/// use tower_fhir_auth::axum_support::{AxumService, into_make_service};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // As `axum::serve` does for each connection.
/// let app: AxumService<axum::Router> = into_make_service(axum::Router::new()).oneshot(()).await?;
/// # let _ = app;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct AxumService<S>(S);

pin_project! {
    /// The response of an [`AxumService`].
    ///
    /// ```
    /// use tower::{Service, ServiceExt};
    /// use tower_fhir_auth::axum_support::{AxumServiceFuture, into_make_service};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut app = into_make_service(axum::Router::new()).oneshot(()).await?;
    /// let response: AxumServiceFuture<_> = app.call(http::Request::new(axum::body::Body::empty()));
    /// assert_eq!(response.await?.status(), 404);
    /// # Ok(()) }
    /// ```
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct AxumServiceFuture<F> {
        #[pin]
        inner: F,
    }
}

impl<S: Clone, T> Service<T> for IntoMakeService<S> {
    type Response = AxumService<S>;
    type Error = Infallible;
    type Future = Ready<Result<AxumService<S>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: T) -> Self::Future {
        ready(Ok(AxumService(self.0.clone())))
    }
}

impl<S, R, B> Service<R> for AxumService<S>
where
    S: Service<R, Response = http::Response<B>>,
    Body: From<B>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = AxumServiceFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        AxumServiceFuture { inner: self.0.call(request) }
    }
}

impl<F, B, E> Future for AxumServiceFuture<F>
where
    F: Future<Output = Result<http::Response<B>, E>>,
    Body: From<B>,
{
    type Output = Result<Response, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let response = self.project().inner.poll(context);
        response.map_ok(|response| response.map(Body::from))
    }
}
