//! A provider over TLS whose certificate a certificate authority of its own has signed. The tests of
//! the examples use it too.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use axum::serve::Listener;
use base64::Engine;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;
use tower_fhir_auth::test_util::TestIssuer;

pub(crate) struct TlsProvider {
    /// The issuer whose keys it publishes.
    pub(crate) issuer: TestIssuer,
    /// Its name, and its origin.
    pub(crate) url: String,
    /// The certificate of its authority, as a PEM file has it.
    pub(crate) authority: String,
}

struct TlsListener {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = self.tcp.accept().await.unwrap();
            // A client that does not trust the certificate breaks off.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl TlsProvider {
    pub(crate) async fn start() -> Self {
        let issuer = TestIssuer::start().await.unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", tcp.local_addr().unwrap());
        let authority = authority();
        let tls = TlsAcceptor::from(Arc::new(certified(&authority)));
        let (document, keys) =
            (json!({"issuer": url, "jwks_uri": format!("{url}/jwks")}), issuer.jwks());
        let app = Router::new()
            .route("/jwks", get(axum::Json(keys)))
            .route("/.well-known/openid-configuration", get(axum::Json(document)));
        tokio::spawn(async { axum::serve(TlsListener { tcp, tls }, app).await.unwrap() });
        Self { issuer, url, authority: pem(authority.der()) }
    }
}

/// Writes a certificate as a PEM file has it.
fn pem(certificate: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap()
}

/// Shows a certificate for 127.0.0.1 that an authority has signed.
fn certified(authority: &CertifiedIssuer<'static, KeyPair>) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, authority).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key)
        .unwrap()
}
