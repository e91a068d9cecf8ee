//! A bare proxy, of the client and the server that the gateway has.

use std::convert::Infallible;

use http::{Request, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpListener;

/// Serves until it is ended.
pub(crate) async fn serve(upstream: &str) {
    let upstream: Uri = upstream.parse().unwrap();
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build::<_, Incoming>(connector);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("listening on {}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let (client, upstream) = (client.clone(), upstream.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (mut parts, body) = request.into_parts();
                let mut address = upstream.clone().into_parts();
                address.path_and_query = parts.uri.path_and_query().cloned();
                parts.uri = Uri::from_parts(address).unwrap();
                let answer = client.request(Request::from_parts(parts, body));
                async move { Ok::<_, Infallible>(answer.await.unwrap()) }
            });
            let _ = Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}
