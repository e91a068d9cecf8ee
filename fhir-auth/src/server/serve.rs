//! Serving HTTP/1 and HTTP/2 until told to stop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower_fhir_auth::authentication::{ClientCertificate, PeerAddress};

use super::app::App;
use super::peer::Peer;

/// Room for the largest token that is answered with more than a shrug, and for other headers.
const HEADERS: u32 = 256 * 1024;
const HEADERS_OF_HTTP_1: usize = 256 * 1024;

/// The most connections at once; others wait until one ends.
const MAX_CONNECTIONS: usize = 1024;

/// The time in which a handshake and the head of the first request, or of the next one, have to come.
const HEAD: Duration = Duration::from_secs(10);

/// The time after which HTTP/2 asks whether the client is there, and in which it has to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The most requests at once on one connection.
const MAX_STREAMS: u32 = 100;

/// The time that requests under way have to finish when the server is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Serves a port until told to stop. A connection has TLS where there is an acceptor by then.
pub(super) async fn until(
    mut stop: watch::Receiver<bool>,
    (listener, tls): (TcpListener, impl Fn() -> Option<TlsAcceptor>),
    app: App,
) {
    let builder = builder();
    let graceful = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = async {
            let permit = Arc::clone(&free).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, (stream, peer)) = tokio::select! {
            (permit, accepted) = accepted => match accepted {
                Ok(accepted) => (permit, accepted),
                Err(error) => {
                    // Out of file handles, or a client that went away: others are served on.
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            // Also when whoever could say so is gone.
            _ = stop.wait_for(|stop| *stop) => break,
        };
        // Each answer is one write, which must not wait for the one before to be acknowledged.
        let _ = stream.set_nodelay(true);
        let connection =
            Connection { builder: builder.clone(), app: app.clone(), peer, certificate: None };
        let (tls, watcher) = (tls(), graceful.watcher());
        tokio::spawn(async move {
            let _permit = permit;
            match tls {
                None => {
                    if let Ok(Ok(version)) = timeout(HEAD, Version::begun(&stream)).await {
                        connection.serve(stream, version, watcher).await;
                    }
                }
                // A handshake that fails, or takes for ever, is its client's business.
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(HEAD, tls.accept(stream)).await {
                        let session = stream.get_ref().1;
                        let version = Version::agreed(session.alpn_protocol());
                        let shown = session.peer_certificates().and_then(<[_]>::first);
                        let certificate = shown.map(ClientCertificate::from_der);
                        let connection = Connection { certificate, ..connection };
                        connection.serve(stream, version, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    // A client that keeps its request open does not keep the server alive.
    let _ = timeout(GRACE, graceful.shutdown()).await;
}

/// The version of HTTP that a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http1,
    Http2,
}

impl Version {
    fn agreed(protocol: Option<&[u8]>) -> Self {
        if protocol == Some(b"h2") { Self::Http2 } else { Self::Http1 }
    }

    /// Waits for a client to begin, with the preface of HTTP/2 (RFC 9113 section 3.4) or without. hyper would
    /// wait for it without an end.
    async fn begun(stream: &TcpStream) -> std::io::Result<Self> {
        const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let mut begun = [0; PREFACE.len()];
        loop {
            let length = stream.peek(&mut begun).await?;
            let begun = begun.get(..length).unwrap_or_default();
            if begun.is_empty() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if begun == PREFACE {
                return Ok(Self::Http2);
            }
            if !PREFACE.starts_with(begun) {
                return Ok(Self::Http1);
            }
            // More of it is on the way, or not: what is there already stays readable.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A connection that is to be served.
struct Connection {
    builder: Builder<TokioExecutor>,
    app: App,
    peer: SocketAddr,
    /// The certificate that the client has shown, verified.
    certificate: Option<ClientCertificate>,
}

impl Connection {
    async fn serve<I>(self, stream: I, version: Version, watcher: Watcher)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { builder, app, peer, certificate } = self;
        let builder = match version {
            Version::Http1 => builder.http1_only(),
            Version::Http2 => builder.http2_only(),
        };
        let service = service_fn(move |mut request: Request<Incoming>| {
            let extensions = request.extensions_mut();
            extensions.insert(Peer(peer));
            extensions.insert(PeerAddress::new(peer));
            if let Some(certificate) = certificate {
                extensions.insert(certificate);
            }
            let answer = app.answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        // How a connection ends is its client's business.
        let _ = watcher.watch(connection.into_owned()).await;
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let mut http1 = builder.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEADERS_OF_HTTP_1);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADERS)
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}
