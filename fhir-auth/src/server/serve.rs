//! Serving HTTP/1 and HTTP/2 until told to stop.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tower_fhir_auth::authentication::{ClientCertificate, PeerAddress};

use super::app::App;
use super::idle::Use;
use super::outgoing::OutgoingBody;
use super::peer::Peer;
use super::streams::{Streams, outgoing};
use super::write_timeout::WriteTimeout;

/// Room for tokens larger than the layer accepts, so that they are refused with a reason, and for other headers.
const HEADERS: u32 = 256 * 1024;
const HEADERS_OF_HTTP_1: usize = 256 * 1024;

/// The most connections at once; others wait until one ends.
const MAX_CONNECTIONS: u16 = 1024;

/// The time in which a handshake and the head of the first request, or of the next one, have to come.
const HEAD: Duration = Duration::from_secs(10);

/// The time after which HTTP/2 asks whether the client is there, and in which it has to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The most requests at once on one connection.
const MAX_STREAMS: u32 = 100;

/// The most bytes of one answer that wait in a connection of HTTP/2 for the client to take them.
const WAITING: usize = 64 * 1024;

/// The time for which a connection of HTTP/2 is kept that nobody uses: to answer pings is no use of it.
const IDLE: Duration = Duration::from_secs(60);

/// The time that requests under way have to finish when the server is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// The rules for a connection that begins now.
pub(super) struct Terms {
    /// Accepts it; without it, it is plain.
    pub(super) tls: Option<TlsAcceptor>,
    /// The longest time for which a client may take nothing of an answer.
    pub(super) client_timeout: Duration,
}

/// Serves a port until told to stop.
pub(super) async fn until(
    mut stop: watch::Receiver<bool>,
    (listener, terms): (TcpListener, impl Fn() -> Terms),
    app: App,
) {
    let free = Arc::new(Semaphore::new(usize::from(MAX_CONNECTIONS)));
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
        let Terms { tls, client_timeout } = terms();
        let (app, stop) = (app.clone(), stop.clone());
        let connection = Connection { app, client_timeout, stop, peer, certificate: None };
        tokio::spawn(async move {
            let _permit = permit;
            connection.begin(stream, tls).await;
        });
    }
    drop(listener);
    // A client that keeps its request open does not keep the server alive.
    let _ = timeout(GRACE, free.acquire_many(MAX_CONNECTIONS.into())).await;
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
    app: App,
    client_timeout: Duration,
    stop: watch::Receiver<bool>,
    peer: SocketAddr,
    /// The certificate that the client has shown, verified.
    certificate: Option<ClientCertificate>,
}

impl Connection {
    async fn begin(self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        match tls {
            None => {
                if let Ok(Ok(version)) = timeout(HEAD, Version::begun(&stream)).await {
                    self.serve(stream, version).await;
                }
            }
            // A handshake that fails, or takes for ever, is its client's business.
            Some(tls) => {
                if let Ok(Ok(stream)) = timeout(HEAD, tls.accept(stream)).await {
                    let session = stream.get_ref().1;
                    let version = Version::agreed(session.alpn_protocol());
                    let shown = session.peer_certificates().and_then(<[_]>::first);
                    let certificate = shown.map(ClientCertificate::from_der);
                    Self { certificate, ..self }.serve(stream, version).await;
                }
            }
        }
    }

    async fn serve<I>(self, stream: I, version: Version)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { app, client_timeout, mut stop, peer, certificate } = self;
        let builder = builder(client_timeout);
        let builder = match version {
            Version::Http1 => builder.http1_only(),
            Version::Http2 => builder.http2_only(),
        };
        let used = Use::begin();
        let (counted, shown) = (used.clone(), Peer::new(peer));
        let service = service_fn(move |mut request: Request<Incoming>| {
            let extensions = request.extensions_mut();
            extensions.insert(shown.clone());
            extensions.insert(PeerAddress::new(peer));
            if let Some(certificate) = certificate {
                extensions.insert(certificate);
            }
            let (answer, in_use) = (app.answer(request), counted.by_request());
            async move {
                let response = answer.await;
                let of_client = outgoing();
                Ok::<_, Infallible>(response.map(|body| OutgoingBody::new(body, of_client, in_use)))
            }
        });
        let stream = TokioIo::new(WriteTimeout::new(stream, client_timeout));
        let mut connection = pin!(builder.serve_connection(stream, service));
        tokio::select! {
            // How a connection ends is its client's business.
            _ = connection.as_mut() => return,
            _ = stop.wait_for(|stop| *stop) => {}
            () = used.has_ended_for(IDLE) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

fn builder(client_timeout: Duration) -> Builder<Streams> {
    let mut builder = Builder::new(Streams { client_timeout });
    let mut http1 = builder.http1();
    http1.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEADERS_OF_HTTP_1);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(HEADERS)
        .max_concurrent_streams(MAX_STREAMS)
        .max_send_buf_size(WAITING)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}
