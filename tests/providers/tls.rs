//! Certificates of an authority of the test, clients that show one, and a server that asks for it.

use std::future::IntoFuture;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::connect_info::{ConnectInfo, Connected};
use axum::serve::IncomingStream;
use http::Request;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::server::{WantsServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::{ConfigBuilder, RootCertStore, ServerConfig};
use tower::util::MapRequestLayer;
use tower_fhir_auth::FhirAuthLayer;
use tower_fhir_auth::authentication::ClientCertificate;

use crate::certified::{self, Identity, pem};
use crate::server::{ready, whoami};
use crate::tls_listener::TlsListener;

/// An authority, and a folder with its files: `ca.pem`, `tls.pem` and `tls.key` of a server at loopback.
pub(crate) struct Authority {
    signing: certified::Authority,
    folder: TempDir,
    server: Identity,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let signing = certified::Authority::new();
        let server = signing.signs("server", &["localhost", "127.0.0.1"]);
        let authority = Self { signing, folder: tempfile::tempdir().unwrap(), server };
        let write = |name: &str, text: String| std::fs::write(authority.file(name), text).unwrap();
        write("ca.pem", authority.signing.pem());
        write("tls.pem", pem("CERTIFICATE", authority.server.certificate.der()));
        write("tls.key", pem("PRIVATE KEY", &authority.server.key.serialize_der()));
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
        self.signing.signs(name, &[])
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
        let listener = TlsListener::new(tcp, self.asking(), &self.server);
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
    fn asking(&self) -> ConfigBuilder<ServerConfig, WantsServerCert> {
        let provider = Arc::new(default_provider());
        let mut roots = RootCertStore::empty();
        roots.add(self.signing.0.der().clone()).unwrap();
        let asked =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(asked.allow_unauthenticated().build().unwrap())
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
