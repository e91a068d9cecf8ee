//! A service with all four kinds of calls, without generated code: each greets the caller that the layer knows.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio_stream::{Iter, StreamExt};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService};
use tonic::{Extensions, Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::{Service, service_fn};
use tower_fhir_auth::Principal;

/// The codec of `google.protobuf.StringValue`.
pub(crate) type Codec = ProstCodec<String, String>;

pub(crate) const UNARY: &str = "/test.Greeter/Unary";
pub(crate) const SERVER_STREAM: &str = "/test.Greeter/ServerStream";
pub(crate) const CLIENT_STREAM: &str = "/test.Greeter/ClientStream";
pub(crate) const BOTH: &str = "/test.Greeter/Both";

#[derive(Clone)]
pub(crate) struct Greeter;

impl NamedService for Greeter {
    const NAME: &'static str = "test.Greeter";
}

impl Service<http::Request<Body>> for Greeter {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(Codec::default());
            let path = request.uri().path().to_owned();
            Ok(match path.as_str() {
                UNARY => grpc.unary(service_fn(unary), request).await,
                SERVER_STREAM => grpc.server_streaming(service_fn(server_stream), request).await,
                CLIENT_STREAM => grpc.client_streaming(service_fn(client_stream), request).await,
                BOTH => grpc.streaming(service_fn(both), request).await,
                _ => Status::unimplemented("").into_http(),
            })
        })
    }
}

fn name(extensions: &Extensions) -> Result<String, Status> {
    let caller = extensions.get::<Principal>().ok_or_else(|| Status::internal("nobody"))?;
    Ok(caller.subject().unwrap_or("?").to_owned())
}

async fn unary(request: Request<String>) -> Result<Response<String>, Status> {
    let name = name(request.extensions())?;
    Ok(Response::new(format!("{} {name}", request.into_inner())))
}

type Greetings = Iter<std::vec::IntoIter<Result<String, Status>>>;

async fn server_stream(request: Request<String>) -> Result<Response<Greetings>, Status> {
    let name = name(request.extensions())?;
    let word = request.into_inner();
    let greetings: Vec<_> = (0..3).map(|n| Ok(format!("{word} {name} {n}"))).collect();
    Ok(Response::new(tokio_stream::iter(greetings)))
}

async fn client_stream(request: Request<Streaming<String>>) -> Result<Response<String>, Status> {
    let name = name(request.extensions())?;
    let words = request.into_inner().collect::<Result<Vec<_>, _>>().await?;
    Ok(Response::new(format!("{} {name}", words.join(","))))
}

type Echoes = Pin<Box<dyn tokio_stream::Stream<Item = Result<String, Status>> + Send>>;

async fn both(request: Request<Streaming<String>>) -> Result<Response<Echoes>, Status> {
    let name = name(request.extensions())?;
    let echoes = request.into_inner().map(move |word| word.map(|word| format!("{word} {name}")));
    Ok(Response::new(Box::pin(echoes)))
}
