//! Refusals, and the connection that the request came on.

use std::time::Duration;

use http::{Method, Request, Version};
use http_body_util::Empty;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt, service_fn};
use tower_fhir_auth::axum_support::into_make_service;
use tower_fhir_auth::require_scope;

use crate::support::{Server, send};

/// A client that speaks HTTP/1.1 by hand, and the token that is let in.
struct Client {
    stream: TcpStream,
    token: String,
    /// Keeps the issuer's keys served.
    _server: Server,
}

impl Client {
    async fn connect() -> Self {
        let server = Server::authorizing(require_scope("x")).await;
        let inner = axum::Router::new().fallback(|body: String| async move { body });
        let app = into_make_service(server.layer.layer(inner));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let token = server.token().claim("scope", "x").sign().unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        Self { stream, token, _server: server }
    }

    async fn write(&mut self, text: &str) -> std::io::Result<()> {
        let text = text.replace('\n', "\r\n").replace("TOKEN", &self.token);
        self.stream.write_all(text.as_bytes()).await
    }

    /// Reads one response: its status, the value of `connection`, and its body. Nothing where the
    /// server has closed the connection.
    async fn read(&mut self) -> Option<(u16, Option<String>, String)> {
        let all = async {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(self.stream.read_u8().await.ok()?);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let header = |name: &str| {
                let line = head.lines().find_map(|line| line.strip_prefix(name))?;
                line.strip_prefix(": ").map(str::to_owned)
            };
            let length = header("content-length").map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            self.stream.read_exact(&mut body).await.ok()?;
            let status = head.split(' ').nth(1).unwrap().parse().unwrap();
            Some((status, header("connection"), String::from_utf8(body).unwrap()))
        };
        tokio::time::timeout(Duration::from_secs(10), all).await.unwrap()
    }
}

const GET: &str = "GET /r4/Patient/1 HTTP/1.1\nhost: a\n\n";

#[tokio::test]
async fn a_refusal_before_the_body_says_that_the_connection_ends() {
    for (case, head, body) in [
        ("a length", "POST /r4/Patient HTTP/1.1\nhost: a\ncontent-length: 5\n\n", "12345"),
        (
            "chunks",
            "POST /r4/Patient HTTP/1.1\nhost: a\ntransfer-encoding: chunked\n\n",
            "5\n12345\n0\n\n",
        ),
        (
            "an expectation",
            "PUT /r4/Patient/1 HTTP/1.1\nhost: a\nexpect: 100-continue\ncontent-length: 5\n\n",
            "",
        ),
        (
            "a document of the layer's own",
            "GET /.well-known/oauth-protected-resource/r4 HTTP/1.1\nhost: a\ncontent-length: 5\n\n",
            "12345",
        ),
    ] {
        let mut client = Client::connect().await;
        client.write(head).await.unwrap();
        let (status, connection, _) = client.read().await.unwrap();
        assert!(status == 401 || case.starts_with("a document"), "{case}: {status}");
        assert_eq!(connection.as_deref(), Some("close"), "{case}");
        // Whoever does not listen sends on, and gets no answer that could be taken for another's.
        let _ = client.write(&format!("{body}{GET}")).await;
        assert_eq!(client.read().await, None, "{case}");
    }
}

#[tokio::test]
async fn a_refusal_of_a_request_without_a_body_keeps_the_connection() {
    let mut client = Client::connect().await;
    for (head, status) in [
        (GET, 401),
        ("POST /r4/Patient HTTP/1.1\nhost: a\ncontent-length: 0\n\n", 401),
        ("POST /r4/Patient HTTP/1.1\nhost: a\n\n", 401),
        ("DELETE /r4/Patient/1 HTTP/1.1\nhost: a\nauthorization: Bearer x y\n\n", 400),
        // What is let in is the inner service's to answer.
        (
            "POST /r4/Patient HTTP/1.1\nhost: a\nauthorization: Bearer TOKEN\n\
             content-length: 5\n\n12345",
            200,
        ),
        (GET, 401),
    ] {
        client.write(head).await.unwrap();
        let (found, connection, body) = client.read().await.unwrap();
        assert_eq!((found, connection), (status, None), "{head}");
        assert!(status != 200 || body == "12345", "{body}");
    }
}

#[tokio::test]
async fn only_http_1_has_connections_to_speak_of() {
    let server = Server::start().await;
    for (version, connection) in [
        (Version::HTTP_10, "close"),
        (Version::HTTP_11, "close"),
        (Version::HTTP_2, ""),
        (Version::HTTP_3, ""),
    ] {
        let request = Request::builder().method(Method::POST).uri("/r4/Patient").version(version);
        let reply = send(&server.layer, request.header("content-length", "5")).await;
        assert_eq!(reply.status, 401);
        assert_eq!(reply.header("connection"), connection, "{version:?}");
    }
    // The same for a requirement within the layer, whose inner service has not seen the body.
    let inner = service_fn(|_: Request<Empty<&[u8]>>| async {
        Ok::<_, std::convert::Infallible>(http::Response::new(Empty::<bytes::Bytes>::new()))
    });
    let service = server.layer.layer(server.layer.require(require_scope("x")).layer(inner));
    let token = server.token().sign().unwrap();
    let request = Request::post("/r4/Patient")
        .header("authorization", format!("Bearer {token}"))
        .header("transfer-encoding", "chunked");
    let reply = service.oneshot(request.body(Empty::new()).unwrap()).await.unwrap();
    assert_eq!(reply.status(), 403);
    assert_eq!(reply.headers().get("connection").unwrap(), "close");
}
