//! A layer for `metadata` alone, where an upstream server confines answers by itself.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::body::ConfinedBody;
use super::metadata::{self, Rewriting};
use super::request_body::RequestBody;
use super::service::ConfineFuture;
use super::settings::ConfineSettings;
use super::statement_cache::StatementCache;
use crate::middleware::{ActiveGate, FhirAuthLayer, InnerService};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Writes the CapabilityStatement of the service inside with the address and the security of this server, and
/// without operations that nobody is granted. All else passes untouched.
///
/// [`ConfineLayer`](super::ConfineLayer) does so by itself: this is for services that confine answers themselves.
///
/// ```
/// use tower_fhir_auth::FhirAuthLayer;
/// use tower_fhir_auth::confine::{ConfineSettings, MetadataLayer};
///
/// fn inside(auth: &FhirAuthLayer) -> MetadataLayer {
///     let settings = ConfineSettings::default().upstream_base("http://127.0.0.1:8081/fhir");
///     MetadataLayer::new(auth, settings)
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct MetadataLayer {
    active_gate: ActiveGate,
    settings: Arc<ConfineSettings>,
    statements: Arc<StatementCache>,
}

impl MetadataLayer {
    /// Creates it for the inside of a layer. Of the settings [`max_body`](ConfineSettings::max_body) and
    /// [`upstream_base`](ConfineSettings::upstream_base) count.
    pub fn new(auth: &FhirAuthLayer, settings: ConfineSettings) -> Self {
        let (active_gate, statements) = (auth.active_gate().clone(), Arc::default());
        Self { active_gate, settings: Arc::new(settings), statements }
    }
}

impl<S: InnerService> Layer<S> for MetadataLayer {
    type Service = Metadata<S>;

    fn layer(&self, inner: S) -> Metadata<S> {
        Metadata { inner, layer: self.clone() }
    }
}

/// A service whose CapabilityStatement is written anew. Made by [`MetadataLayer`].
///
/// ```
/// use tower::Layer;
/// use tower_fhir_auth::confine::{Metadata, MetadataLayer};
///
/// fn around(layer: &MetadataLayer, proxy: axum::Router) -> Metadata<axum::Router> {
///     layer.layer(proxy)
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Metadata<S> {
    inner: S,
    layer: MetadataLayer,
}

impl<S, B, R> Service<Request<B>> for Metadata<S>
where
    S: Service<Request<RequestBody<B>>, Response = Response<R>, Future: Send, Error: Send>
        + Clone
        + Send
        + 'static,
    B: Body + Send + 'static,
    R: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ConfinedBody<R>>;
    type Error = S::Error;
    type Future = ConfineFuture<S::Future, R, S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let layer_parts = Arc::clone(&self.layer.active_gate.current().layer_parts);
        if !metadata::is_asked(&layer_parts, &request) {
            return ConfineFuture::through(self.inner.call(request.map(RequestBody::passed)));
        }
        // The service that was made ready answers; a clone takes its place.
        let fresh = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, fresh);
        let (parts, _) = request.into_parts();
        let MetadataLayer { settings, statements, .. } = self.layer.clone();
        let rewriting = Rewriting { layer_parts, settings, statements, is_confined: false };
        let answer = metadata::answer(ready, rewriting, parts);
        let future = async move { answer.await.map(|answer| answer.map(ConfinedBody::bytes)) };
        ConfineFuture::judged(Box::pin(future))
    }
}
