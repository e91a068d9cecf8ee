//! A guarded server on loopback, and plain requests to it.

use std::future::IntoFuture;
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use tokio::net::TcpListener;
use tower_fhir_auth::{FhirAuthLayer, Principal};

pub(crate) const BASE: &str = "https://fhir.example.org/r4";

/// A port for a server whose clients prove which address they mean: it has to know its own.
pub(crate) struct Port {
    listener: TcpListener,
    pub(crate) base: String,
}

impl Port {
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/r4", listener.local_addr().unwrap());
        Self { listener, base }
    }

    /// Answers who the caller is at `Patient/1`, whose address it returns.
    pub(crate) async fn serve(self, layer: FhirAuthLayer) -> String {
        ready(&layer).await;
        let app = whoami().layer(layer);
        tokio::spawn(axum::serve(self.listener, app).into_future());
        format!("{}/Patient/1", self.base)
    }
}

pub(crate) fn whoami() -> Router {
    let name = |caller: &Principal| caller.subject().or(caller.client_id()).map(str::to_owned);
    let answer = move |caller: Principal| async move { name(&caller).unwrap_or_default() };
    Router::new().route("/r4/Patient/1", any(answer))
}

/// Waits for the keys of each issuer that has some.
pub(crate) async fn ready(layer: &FhirAuthLayer) {
    let loaded = tokio::time::timeout(Duration::from_secs(10), layer.ready()).await;
    assert!(loaded.is_ok(), "no keys: {:?}", layer.health());
}

pub(crate) async fn serve(layer: FhirAuthLayer) -> String {
    Port::open().await.serve(layer).await
}

pub(crate) async fn read(url: &str, token: &str) -> (u16, String) {
    let response = reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Any character that is changed makes a token that is not the provider's.
pub(crate) fn forged(token: &str) -> String {
    let (input, signature) = token.rsplit_once('.').unwrap();
    let swapped = if signature.starts_with('A') { "B" } else { "A" };
    format!("{input}.{swapped}{}", signature.get(1..).unwrap())
}
