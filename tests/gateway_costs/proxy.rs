//! A bare proxy, of the client and the server that the gateway has; and the same with the layer around it.

use std::pin::Pin;
use std::task::{Context, Poll};

use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower_fhir_auth::{FhirAuthLayer, ScopePolicy, TrustedIssuer};
use tower_layer::Layer;
use tower_service::Service;

use super::gateway::{BASE, PUBLIC};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Serves until it is ended; with the layer if an issuer is trusted.
pub(crate) async fn serve(upstream: &str, issuer: Option<&str>) {
    match issuer {
        None => until_the_end(Proxy::<Incoming>::before(upstream)).await,
        Some(issuer) => {
            let builder =
                FhirAuthLayer::builder(BASE).issuer(TrustedIssuer::discover(issuer.to_owned()));
            let builder = builder.authorizer(ScopePolicy::new());
            let layer = builder.public([PUBLIC]).build().unwrap();
            until_the_end(layer.layer(Proxy::before(upstream))).await;
        }
    }
}

async fn until_the_end<S, R>(service: S)
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = BoxError>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    R: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on {}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let connection = Builder::new(TokioExecutor::new());
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// Sends what is asked below `/r4` to the upstream server.
struct Proxy<B> {
    client: Client<HttpConnector, B>,
    upstream: Uri,
}

impl<B> Clone for Proxy<B> {
    fn clone(&self) -> Self {
        Self { client: self.client.clone(), upstream: self.upstream.clone() }
    }
}

impl<B> Proxy<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    fn before(upstream: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { client, upstream: upstream.parse().unwrap() }
    }
}

impl<B> Service<Request<B>> for Proxy<B>
where
    B: Body<Data: Send, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let below = parts.uri.path_and_query().unwrap().as_str().strip_prefix("/r4").unwrap();
        let address = format!("{}{below}", self.upstream.path());
        let mut uri = self.upstream.clone().into_parts();
        uri.path_and_query = Some(PathAndQuery::try_from(address).unwrap());
        parts.uri = Uri::from_parts(uri).unwrap();
        let answer = self.client.request(Request::from_parts(parts, body));
        Box::pin(async move { answer.await.map_err(Into::into) })
    }
}
