//! A guarded axum server on loopback, and clients that write the bytes of HTTP themselves.

use std::net::SocketAddr;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::Layer;
use tower_fhir_auth::axum_support::into_make_service;
use tower_fhir_auth::{Principal, ScopePolicy};

use crate::kit::{Answer, name_of};
use crate::support::Server;

pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    token: String,
    /// Keeps the issuer's keys served.
    _server: Server,
}

/// Names the caller in a header, and reads the body, as a handler does.
pub(crate) async fn named(
    principal: Option<Principal>,
    request: Request<axum::body::Body>,
) -> Response {
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await;
    let mut response =
        if body.is_ok() { "inner".into_response() } else { "no body".into_response() };
    if let Some(principal) = &principal {
        let name = HeaderValue::from_str(&name_of(principal)).unwrap();
        response.headers_mut().insert("x-principal", name);
    }
    response
}

impl Wire {
    /// HTTP/1.1 and HTTP/2, on one socket.
    pub(crate) async fn start() -> Self {
        let server = Server::authorizing(ScopePolicy::new()).await;
        let inner = axum::Router::new().fallback(named);
        let app = into_make_service(server.layer.layer(inner));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        let token = server.token().claim("scope", "system/*.cruds").sign().unwrap();
        Self { address, token, _server: server }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Sends bytes with the token in place of `TOKEN`, and reads the last response of the
    /// connection.
    pub(crate) async fn last(&self, bytes: &[u8]) -> Answer {
        self.all(bytes).await.pop().unwrap_or_default()
    }

    /// The same, and reads all responses.
    pub(crate) async fn all(&self, bytes: &[u8]) -> Vec<Answer> {
        let mut rest = self.exchange(bytes).await;
        let mut all = Vec::new();
        while let Some((answer, behind)) = parse(&rest) {
            all.push(answer);
            rest = behind;
        }
        all
    }

    async fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let text = replaced(bytes, b"TOKEN", self.token.as_bytes());
        // A server that has had enough closes while the client still writes.
        let _ = stream.write_all(&text).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(5), read).await;
        answer
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut rest = bytes;
    while let Some(place) = rest.windows(from.len()).position(|window| window == from) {
        result.extend_from_slice(&rest[..place]);
        result.extend_from_slice(to);
        rest = &rest[place + from.len()..];
    }
    result.extend_from_slice(rest);
    result
}

/// Reads one response, and returns what is behind it.
fn parse(bytes: &[u8]) -> Option<(Answer, Vec<u8>)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.lines();
    let status: u16 = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        headers.append(HeaderName::try_from(name).ok()?, HeaderValue::from_str(value).ok()?);
    }
    let length = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    let length: usize = length.unwrap_or(0);
    let body = bytes.get(end..end + length).unwrap_or_default();
    let answer = Answer::read(status, &headers, &String::from_utf8_lossy(body));
    Some((answer, bytes.get(end + length..).unwrap_or_default().to_vec()))
}
