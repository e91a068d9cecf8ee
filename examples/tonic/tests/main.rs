//! The layer before services of tonic, asked by a client of tonic over a connection: all kinds of calls, as a
//! layer of the server and of one service, with interceptors, requirements of methods and details of errors.

#![expect(clippy::unwrap_used, reason = "a failed step of a test is a failed test")]

mod greeter;

use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tonic::client::Grpc;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::service::{LayerExt, Routes};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;
use tower_fhir_auth::test_util::TestIssuer;
use tower_fhir_auth::{
    Denial, FhirAuthLayer, Grant, Principal, authenticated, authorize_fn, require_scope,
};

use greeter::{BOTH, CLIENT_STREAM, Codec, Greeter, SERVER_STREAM, UNARY};

const BASE: &str = "https://greeter.example.org/";

/// A server with a client, and an issuer that both know.
struct World {
    issuer: TestIssuer,
    layer: FhirAuthLayer,
    channel: Channel,
}

impl World {
    async fn start(serve: impl FnOnce(TcpIncoming, FhirAuthLayer)) -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        // A scope for each method; one that is not here is nobody's.
        let by_method = authorize_fn(|request| {
            let needed = match request.interaction().path() {
                UNARY => "greet",
                SERVER_STREAM | CLIENT_STREAM | BOTH => "greet.much",
                _ => return Err(Denial::new("there is no such method for anybody")),
            };
            match request.principal().has_scope(needed) {
                true => Ok(Grant::by(needed)),
                false => Err(Denial::new("another scope is needed").required_scopes([needed])),
            }
        });
        let layer = FhirAuthLayer::builder(BASE).issuer(issuer.trusted()).authorizer(by_method);
        let layer = layer.build().unwrap();
        layer.ready().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        serve(TcpIncoming::from(listener), layer.clone());
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        Self { issuer, layer, channel }
    }

    /// All services of the server are guarded.
    async fn guarded() -> Self {
        Self::start(|incoming, layer| {
            tokio::spawn(
                Server::builder().layer(layer).add_service(Greeter).serve_with_incoming(incoming),
            );
        })
        .await
    }

    fn bearer(&self, scope: &str) -> String {
        let token = self.issuer.token_for(&self.layer).claim("scope", scope);
        format!("Bearer {}", token.sign().unwrap())
    }

    async fn client(&self) -> Grpc<Channel> {
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        client
    }

    async fn unary(&self, bearer: Option<&str>) -> Result<String, Status> {
        let request = with(bearer, "hello".to_owned());
        let called = self.client().await.unary(request, path(UNARY), Codec::default()).await;
        called.map(Response::into_inner)
    }

    async fn server_stream(&self, bearer: Option<&str>) -> Result<Vec<String>, Status> {
        let request = with(bearer, "hello".to_owned());
        let mut client = self.client().await;
        let called =
            client.server_streaming(request, path(SERVER_STREAM), Codec::default()).await?;
        called.into_inner().collect::<Result<Vec<String>, _>>().await
    }

    async fn client_stream(&self, bearer: Option<&str>) -> Result<String, Status> {
        let mut client = self.client().await;
        let request = with(bearer, words());
        let called = client.client_streaming(request, path(CLIENT_STREAM), Codec::default()).await;
        called.map(Response::into_inner)
    }

    async fn both(&self, bearer: Option<&str>) -> Result<Vec<String>, Status> {
        let mut client = self.client().await;
        let request = with(bearer, words());
        let called = client.streaming(request, path(BOTH), Codec::default()).await?;
        called.into_inner().collect::<Result<Vec<String>, _>>().await
    }
}

fn path(method: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(method)
}

fn words() -> impl tokio_stream::Stream<Item = String> {
    tokio_stream::iter(["a", "b"].map(str::to_owned))
}

fn with<T>(bearer: Option<&str>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(bearer) = bearer {
        let bearer: MetadataValue<_> = bearer.parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
    }
    request
}

#[tokio::test]
async fn all_four_kinds_of_calls_are_served_to_a_caller_whom_the_service_knows() {
    let world = World::guarded().await;
    let bearer = world.bearer("greet greet.much");
    let bearer = Some(bearer.as_str());
    assert_eq!(world.unary(bearer).await.unwrap(), "hello alice");
    let greetings = ["hello alice 0", "hello alice 1", "hello alice 2"];
    assert_eq!(world.server_stream(bearer).await.unwrap(), greetings);
    assert_eq!(world.client_stream(bearer).await.unwrap(), "a,b alice");
    assert_eq!(world.both(bearer).await.unwrap(), ["a alice", "b alice"]);
}

#[tokio::test]
async fn all_four_kinds_of_calls_are_refused_with_a_status() {
    let world = World::guarded().await;
    let forged = format!("{}x", world.bearer("greet greet.much"));
    let other = world.bearer("something.else");
    for (bearer, code) in [
        (None, Code::Unauthenticated),
        (Some("Bearer "), Code::InvalidArgument),
        (Some(forged.as_str()), Code::Unauthenticated),
        (Some(other.as_str()), Code::PermissionDenied),
    ] {
        let refused = [
            world.unary(bearer).await.unwrap_err(),
            world.server_stream(bearer).await.unwrap_err(),
            world.client_stream(bearer).await.unwrap_err(),
            world.both(bearer).await.unwrap_err(),
        ];
        for status in refused {
            assert_eq!(status.code(), code, "{bearer:?}: {status:?}");
            assert!(!status.message().is_empty());
        }
    }
}

#[tokio::test]
async fn each_method_has_its_own_requirement() {
    let world = World::guarded().await;
    let bearer = world.bearer("greet");
    assert_eq!(world.unary(Some(&bearer)).await.unwrap(), "hello alice");
    let refused = world.both(Some(&bearer)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let unknown = path("/test.Greeter/Unknown");
    let mut client = world.client().await;
    let request = with(Some(&bearer), "hello".to_owned());
    let unknown: Result<Response<String>, _> =
        client.unary(request, unknown, Codec::default()).await;
    assert_eq!(unknown.unwrap_err().code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_refusal_has_details_that_a_program_can_read() {
    let world = World::guarded().await;
    let refused = world.both(Some(&world.bearer("greet"))).await.unwrap_err();
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(info.reason, "FORBIDDEN");
    assert_eq!(info.metadata.get("scope").map(String::as_str), Some("greet.much"));
    let nobody = world.unary(None).await.unwrap_err();
    assert_eq!(nobody.get_details_error_info().unwrap().reason, "MISSING_CREDENTIALS");
}

#[tokio::test]
async fn an_interceptor_sees_the_caller() {
    let greet_in_french = |mut request: Request<()>| {
        let caller = request.extensions().get::<Principal>();
        let caller = caller.ok_or_else(|| Status::internal("nobody"))?;
        match caller.subject() {
            Some("bob") => Err(Status::resource_exhausted("bob has had enough")),
            _ => {
                request.metadata_mut().insert("seen", MetadataValue::from_static("yes"));
                Ok(request)
            }
        }
    };
    let world = World::start(move |incoming, layer| {
        let service = InterceptedService::new(Greeter, greet_in_french);
        let server = Server::builder().layer(layer).add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
    })
    .await;
    assert_eq!(world.unary(Some(&world.bearer("greet"))).await.unwrap(), "hello alice");
    let bob = world.issuer.token_for(&world.layer).claim("sub", "bob").claim("scope", "greet");
    let bob = format!("Bearer {}", bob.sign().unwrap());
    assert_eq!(world.unary(Some(&bob)).await.unwrap_err().code(), Code::ResourceExhausted);
    assert_eq!(world.unary(None).await.unwrap_err().code(), Code::Unauthenticated);
}

#[tokio::test]
async fn one_service_of_a_server_is_guarded_and_the_other_is_not() {
    use tonic_health::pb::HealthCheckRequest;
    use tonic_health::pb::health_client::HealthClient;
    let (_reporter, health) = tonic_health::server::health_reporter();
    let world = World::start(move |incoming, layer| {
        let server = Server::builder().add_service(layer.named_layer(Greeter)).add_service(health);
        tokio::spawn(server.serve_with_incoming(incoming));
    })
    .await;
    assert_eq!(world.unary(None).await.unwrap_err().code(), Code::Unauthenticated);
    assert_eq!(world.unary(Some(&world.bearer("greet"))).await.unwrap(), "hello alice");
    let mut health = HealthClient::new(world.channel.clone());
    assert!(health.check(HealthCheckRequest::default()).await.is_ok());
}

#[tokio::test]
async fn a_requirement_narrows_one_service_within_a_guarded_server() {
    let issuer = TestIssuer::start().await.unwrap();
    let layer = FhirAuthLayer::builder(BASE).issuer(issuer.trusted()).authorizer(authenticated());
    let layer = layer.build().unwrap();
    layer.ready().await;
    let narrowed = layer.require(require_scope("greet")).named_layer(Greeter);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = Routes::new(narrowed);
    let server = Server::builder().layer(layer.clone()).add_routes(routes);
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
    let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
    let world = World { issuer, layer, channel };
    assert_eq!(world.unary(Some(&world.bearer("greet"))).await.unwrap(), "hello alice");
    let refused = world.unary(Some(&world.bearer("other"))).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}
