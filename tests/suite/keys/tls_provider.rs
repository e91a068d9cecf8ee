//! A provider over TLS whose certificate a certificate authority of its own has signed. The tests of
//! the examples use it too.

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tower_fhir_auth::test_util::TestIssuer;

use super::certified::Authority;
use super::tls_listener::TlsListener;

pub(crate) struct TlsProvider {
    /// The issuer whose keys it publishes.
    pub(crate) issuer: TestIssuer,
    /// Its name, and its origin.
    pub(crate) url: String,
    /// The certificate of its authority, as a PEM file has it.
    pub(crate) authority: String,
}

impl TlsProvider {
    pub(crate) async fn start() -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", tcp.local_addr().unwrap());
        let authority = Authority::new();
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth();
        let listener = TlsListener::new(tcp, config, &authority.signs("provider", &["127.0.0.1"]));
        let (document, keys) =
            (json!({"issuer": url, "jwks_uri": format!("{url}/jwks")}), issuer.jwks());
        let app = Router::new()
            .route("/jwks", get(axum::Json(keys)))
            .route("/.well-known/openid-configuration", get(axum::Json(document)));
        tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
        Self { issuer, url, authority: authority.pem() }
    }
}
