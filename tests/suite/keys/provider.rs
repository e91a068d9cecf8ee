//! A provider on a socket of its own, with any name and any manners, that publishes the keys of a
//! [`TestIssuer`].

use std::net::ToSocketAddrs;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, Response, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use tower_fhir_auth::keys::KeySettings;
use tower_fhir_auth::test_util::TestIssuer;
use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};

use crate::support::{BASE, Reply, send};

pub(super) const JWKS: &str = "/jwks";
pub(super) const DISCOVERY: &str = "/.well-known/openid-configuration";

/// The names of this machine that are not loopback by name or number, though they lead there.
pub(super) fn other_names() -> Vec<String> {
    let mut names = vec!["0.0.0.0".to_owned()];
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim().to_ascii_lowercase();
    if host != "localhost" && (host.as_str(), 0).to_socket_addrs().is_ok() {
        names.push(host);
    }
    names
}

/// The answer to a request for a path with this `Accept`: status, content type, body.
pub(super) type Answered = (u16, Option<&'static str>, String);

pub(super) struct Provider {
    pub(super) issuer: TestIssuer,
    /// The origin at which it is asked, and its name.
    pub(super) url: String,
    asked: Arc<Mutex<Vec<(String, String)>>>,
}

impl Provider {
    /// Starts a provider that answers as it should.
    pub(super) async fn start(host: &str) -> Self {
        Self::answering(host, |_, _, good| good).await
    }

    /// Starts a provider whose answers `change` makes of path, `Accept` and the right answer.
    pub(super) async fn answering(
        host: &str,
        change: impl Fn(&str, &str, Answered) -> Answered + Send + Sync + 'static,
    ) -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let url = format!("http://{host}:{}", listener.local_addr().unwrap().port());
        let asked = Arc::default();
        let (name, keys, log) = (url.clone(), issuer.jwks(), Arc::clone(&asked));
        let change = Arc::new(change);
        let app = Router::new().fallback(move |request: Request<Body>| {
            let path = request.uri().path();
            let accept = request.headers().get(ACCEPT).map(|value| value.to_str().unwrap());
            let accept = accept.unwrap_or_default();
            let log: &Mutex<Vec<_>> = &log;
            log.lock().unwrap().push((path.to_owned(), accept.to_owned()));
            let document = json!({"issuer": name, "jwks_uri": format!("{name}{JWKS}")});
            let good = match path {
                DISCOVERY => (200, Some("application/json"), document.to_string()),
                JWKS => (200, Some("application/json"), keys.to_string()),
                _ => (404, None, String::new()),
            };
            let (status, content_type, body) = change(path, accept, good);
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = StatusCode::from_u16(status).unwrap();
            if let Some(content_type) = content_type {
                response.headers_mut().insert(CONTENT_TYPE, content_type.parse().unwrap());
            }
            std::future::ready(response)
        });
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { issuer, url, asked }
    }

    /// Returns the path of each request.
    pub(super) fn paths(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(path, _)| path.clone()).collect()
    }

    /// Returns the `Accept` of each request for a path.
    pub(super) fn accepts_of(&self, path: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(|(one, _)| one == path).map(|(_, accept)| accept.clone()).collect()
    }

    /// Sends a good token of this provider to a layer.
    pub(super) async fn token_to(&self, layer: &FhirAuthLayer) -> Reply {
        let token = self.issuer.token().claim("iss", self.url.as_str()).claim("aud", BASE);
        let bearer = format!("Bearer {}", token.sign().unwrap());
        send(layer, Request::get("/r4/Patient/1").header("authorization", bearer)).await
    }
}

/// Makes a layer that trusts one issuer, and waits for its first load.
pub(super) async fn loaded(trusted: TrustedIssuer, settings: KeySettings) -> FhirAuthLayer {
    let builder = FhirAuthLayer::builder(BASE).issuer(trusted.key_settings(settings));
    let layer = builder.authorizer(authenticated()).build().unwrap();
    first_load(&layer).await;
    layer
}

/// Waits for the first load, whatever its outcome.
pub(super) async fn first_load(layer: &FhirAuthLayer) {
    loop {
        let health = layer.health().remove(0);
        if health.last_success.is_some() || health.last_error.is_some() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Returns the error of the last load, as health tells it.
pub(super) fn last_error(layer: &FhirAuthLayer) -> String {
    layer.health().remove(0).last_error.map(|error| error.to_string()).unwrap_or_default()
}
