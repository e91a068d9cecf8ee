//! An application to be guarded, and requests to it.

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::routing::{get, post};
use http::{HeaderMap, Request, StatusCode};
use tower::ServiceExt;
use tower_fhir_auth::{Principal, ScopePolicy};

use crate::support::Server;

/// An issuer, and a layer that grants by scopes.
pub(crate) async fn by_scopes() -> Server {
    Server::authorizing(ScopePolicy::new()).await
}

/// A header with a token of alice that holds this scope.
pub(crate) fn bearer(server: &Server, scope: &str) -> String {
    bearer_of(server, "alice", scope)
}

pub(crate) fn bearer_of(server: &Server, subject: &str, scope: &str) -> String {
    let token = server.token().claim("sub", subject).claim("scope", scope);
    format!("Bearer {}", token.sign().unwrap())
}

/// An application that nothing guards yet.
pub(crate) fn application() -> Router {
    Router::new()
        .route("/r4/Patient/{id}", get(name))
        .route("/r4/Patient", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/r4/Observation/{id}", get(|| async { "result ".repeat(200) }))
        .route("/r4/Device/{id}", get(breaks))
        .route("/r4/metadata", get(|| async { "a statement" }))
}

async fn name(caller: Principal) -> String {
    caller.subject().unwrap_or("?").to_owned()
}

async fn breaks() -> StatusCode {
    panic!("a handler that breaks")
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The status, and the beginning of the body.
    pub(crate) fn brief(&self) -> (u16, String) {
        (self.status, self.text())
    }
}

/// Sends a request, with its credentials where there are any.
pub(crate) async fn ask(app: &Router, path: &str, bearer: Option<&str>) -> Answer {
    send(app, Request::get(path), bearer).await
}

pub(crate) async fn send(
    app: &Router,
    request: http::request::Builder,
    bearer: Option<&str>,
) -> Answer {
    send_with(app, request, bearer, Body::empty()).await
}

pub(crate) async fn send_with(
    app: &Router,
    request: http::request::Builder,
    bearer: Option<&str>,
    body: Body,
) -> Answer {
    let request = match bearer {
        Some(bearer) => request.header("authorization", bearer),
        None => request,
    };
    let response = app.clone().oneshot(request.body(body).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap().to_vec();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}
