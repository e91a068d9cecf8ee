//! Certificates of an authority of the test, clients that show one, and a server that asks for it.

use std::future::IntoFuture;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::serve::{IncomingStream, Listener};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    IsCa, KeyPair,
};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tower::util::MapRequestLayer;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::authentication::ClientCertificate;

use crate::server::{ready, whoami};

/// An authority, and a folder with its files: `ca.pem`, `tls.pem` and `tls.key` of a server at loopback.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
    server: (Certificate, KeyPair),
}

/// A certificate of a client with its key.
pub(crate) struct Identity {
    pub(crate) certificate: Certificate,
    key: KeyPair,
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// One that has the name of its authority would look as if it had signed itself.
fn named(name: &str, hosts: Vec<String>) -> CertificateParams {
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = named("authority", vec![]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = named("server", names);
        let server = (params.signed_by(&key, &issuer).unwrap(), key);
        let authority = Self { issuer, folder: tempfile::tempdir().unwrap(), server };
        let write = |name: &str, text: String| std::fs::write(authority.file(name), text).unwrap();
        write("ca.pem", pem("CERTIFICATE", authority.issuer.der()));
        write("tls.pem", pem("CERTIFICATE", authority.server.0.der()));
        write("tls.key", pem("PRIVATE KEY", &authority.server.1.serialize_der()));
        authority
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap()
    }

    pub(crate) fn client(&self, name: &str) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = named(name, vec![]);
        Identity { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    /// A client that trusts the authority, and shows a certificate or none.
    pub(crate) fn http(&self, identity: Option<&Identity>) -> reqwest::Client {
        let root = reqwest::Certificate::from_pem(self.text("ca.pem").as_bytes()).unwrap();
        let builder = reqwest::Client::builder().tls_certs_only([root]);
        let Some(Identity { certificate, key }) = identity else { return builder.build().unwrap() };
        let text =
            pem("CERTIFICATE", certificate.der()) + &pem("PRIVATE KEY", &key.serialize_der());
        builder.identity(reqwest::Identity::from_pem(text.as_bytes()).unwrap()).build().unwrap()
    }

    /// Serves who the caller is, over TLS, at the address that is returned.
    pub(crate) async fn serve(&self, layer: FhirAuthLayer) -> String {
        ready(&layer).await;
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/r4/Patient/1", tcp.local_addr().unwrap().port());
        let listener = TlsListener { tcp, tls: TlsAcceptor::from(Arc::new(self.config())) };
        let shown = MapRequestLayer::new(|mut request: Request<axum::body::Body>| {
            let shown = request.extensions().get::<ConnectInfo<Shown>>();
            if let Some(der) = shown.and_then(|ConnectInfo(Shown(der))| der.clone()) {
                request.extensions_mut().insert(ClientCertificate::from_der(der));
            }
            request
        });
        let app = whoami().layer(layer).layer(shown);
        let app = app.into_make_service_with_connect_info::<Shown>();
        tokio::spawn(axum::serve(listener, app).into_future());
        url
    }

    /// Certificates are asked for, and whoever has none is served all the same.
    fn config(&self) -> ServerConfig {
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let asked =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let key = PrivateKeyDer::try_from(self.server.1.serialize_der()).unwrap();
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(asked.allow_unauthenticated().build().unwrap())
            .with_single_cert(vec![self.server.0.der().clone()], key)
            .unwrap()
    }
}

/// The certificate that a client has shown.
#[derive(Clone, Debug)]
struct Shown(Option<Vec<u8>>);

impl Connected<IncomingStream<'_, TlsListener>> for Shown {
    fn connect_info(stream: IncomingStream<'_, TlsListener>) -> Self {
        let (_, session) = stream.io().get_ref();
        let first = session.peer_certificates().and_then(|chain| chain.first());
        Self(first.map(|certificate| certificate.to_vec()))
    }
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
