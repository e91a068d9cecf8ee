//! The layer under hyper itself, without a framework.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service as _;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use tower_fhir_auth::Principal;

use crate::kit::{bearer, by_scopes};

async fn hello(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let caller = request.extensions().get::<Principal>().cloned();
    let length = request.into_body().collect().await.unwrap().to_bytes().len();
    let name = caller.as_ref().and_then(Principal::subject).unwrap_or("nobody").to_owned();
    Ok(Response::new(Full::new(Bytes::from(format!("{name} sent {length}")))))
}

/// Serves connections with a hyper service, and returns the address.
async fn serve<S, B>(service: S) -> String
where
    S: hyper::service::Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: std::error::Error + Send + Sync,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

#[tokio::test]
async fn a_plain_hyper_server_is_guarded() {
    let server = by_scopes().await;
    let guarded = TowerToHyperService::new(server.layer.layer(service_fn(hello)));
    let address = serve(guarded).await;
    let client = reqwest::Client::new();
    let url = format!("{address}/r4/Patient");
    let refused = client.post(&url).body("12345").send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Bearer "));
    assert!(refused.text().await.unwrap().contains("OperationOutcome"));
    let token = bearer(&server, "user/Patient.c");
    let served = client.post(&url).header("authorization", token).body("12345").send().await;
    assert_eq!(served.unwrap().text().await.unwrap(), "alice sent 5");
}

#[tokio::test]
async fn a_service_of_hyper_is_guarded_by_way_of_a_function() {
    let server = by_scopes().await;
    let theirs = Arc::new(hyper::service::service_fn(hello));
    let ours = service_fn(move |request: Request<Incoming>| theirs.call(request));
    let address = serve(TowerToHyperService::new(server.layer.layer(ours))).await;
    let token = bearer(&server, "user/Patient.r");
    let client = reqwest::Client::new();
    let get = client.get(format!("{address}/r4/Patient/1"));
    assert_eq!(get.try_clone().unwrap().send().await.unwrap().status(), 401);
    let served = get.header("authorization", token).send().await.unwrap();
    assert_eq!(served.text().await.unwrap(), "alice sent 0");
}
