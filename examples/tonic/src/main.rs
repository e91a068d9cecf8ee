//! A tonic service behind the layer, with a scope for each method, and a client for it.
//!
//! ```text
//! ISSUER=https://your.issuer cargo run --example tonic
//! TOKEN=… cargo run --example tonic -- call http://127.0.0.1:50051
//! ```
//!
//! The service is the health check of gRPC, which comes with tonic ready made. Refusals are what
//! gRPC clients expect: a status in the headers, and nothing in the way of an error page.

use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Server, server::TcpIncoming};
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower_fhir_auth::{Denial, FhirAuthLayer, Grant, TrustedIssuer, authorize_fn};

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("call"), Some(url)) => call(url).await,
        _ => serve().await,
    }
}

async fn serve() -> Result<(), Error> {
    let issuer = std::env::var("ISSUER").map_err(|_| "set ISSUER to your OpenID provider")?;
    let listen = std::env::var("LISTEN").unwrap_or_else(|_| "127.0.0.1:50051".to_owned());
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    let url = format!("http://{}", listener.local_addr()?);

    // Which scope a method takes. One that is not here is nobody's.
    let by_method = authorize_fn(|request| {
        let caller = request.principal();
        let needed = match request.interaction().path() {
            "/grpc.health.v1.Health/Check" => "health.check",
            "/grpc.health.v1.Health/Watch" => "health.watch",
            _ => return Err(Denial::new("there is no such method for anybody")),
        };
        match caller.has_scope(needed) {
            true => Ok(Grant::by(needed)),
            false => Err(Denial::new("the method takes another scope").required_scopes([needed])),
        }
    });
    let auth = FhirAuthLayer::builder(&url)
        .issuer(TrustedIssuer::discover(issuer))
        .authorizer(by_method)
        .build()?;

    let (_reporter, health) = tonic_health::server::health_reporter();
    println!("listening on {url}");
    let incoming = TcpIncoming::from(listener);
    // Clients that are gone, or hold very many calls, are not held for.
    let server = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .max_concurrent_streams(100);
    Ok({ server }.layer(auth).add_service(health).serve_with_incoming(incoming).await?)
}

/// Calls both methods with the token in `TOKEN`, or with none, and prints what comes of it.
async fn call(url: String) -> Result<(), Error> {
    let bearer = match std::env::var("TOKEN") {
        Ok(token) => Some(format!("Bearer {token}").parse::<MetadataValue<_>>()?),
        Err(_) => None,
    };
    let channel = Channel::from_shared(url)?.timeout(Duration::from_secs(5)).connect().await?;
    let mut client = HealthClient::with_interceptor(channel, move |mut request: Request<()>| {
        if let Some(bearer) = &bearer {
            request.metadata_mut().insert("authorization", bearer.clone());
        }
        Ok::<_, Status>(request)
    });
    let checked = client.check(HealthCheckRequest::default()).await;
    println!("Check: {}", told(checked.map(|answer| format!("{:?}", answer.get_ref().status()))));
    let watched = client.watch(HealthCheckRequest::default()).await;
    println!("Watch: {}", told(watched.map(|_| "watching".to_owned())));
    Ok(())
}

fn told(answer: Result<String, Status>) -> String {
    answer.unwrap_or_else(|status| format!("{:?}: {}", status.code(), status.message()))
}
