//! Connections over TLS, as `axum::serve` takes them.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ConfigBuilder, ServerConfig, server::WantsServerCert};
use tokio_rustls::server::TlsStream;

use super::certified::Identity;

pub(crate) struct TlsListener {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl TlsListener {
    /// Shows a certificate to whoever comes.
    pub(crate) fn new(
        tcp: TcpListener,
        config: ConfigBuilder<ServerConfig, WantsServerCert>,
        shown: &Identity,
    ) -> Self {
        let key = PrivateKeyDer::try_from(shown.key.serialize_der()).unwrap();
        let config = config.with_single_cert(vec![shown.certificate.der().clone()], key).unwrap();
        Self { tcp, tls: TlsAcceptor::from(Arc::new(config)) }
    }
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
