//! Serving HTTP/1 and HTTP/2 until told to stop.
//!
//! `axum::serve` would do, but for one thing: it leaves HTTP/2 with room for 16 KiB of headers,
//! and tokens alone may be as large as that.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http;
use axum::response::Response;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};
use tower_fhir_auth::authentication::PeerAddress;

/// Room for tokens larger than the layer accepts, so that they are refused with a reason, and for other headers.
const MAX_HEADER_BYTES: u32 = 256 * 1024;

/// The most connections at once; others wait until one ends.
const MAX_CONNECTIONS: usize = 512;

/// The time in which the head of the first request, or of the next one, has to come.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The time after which HTTP/2 asks whether the client is there, and in which it has to answer.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The longest that a connection lasts.
const MAX_AGE: Duration = Duration::from_secs(600);

/// The most requests at once on one connection.
const MAX_STREAMS: u32 = 100;

/// The time that requests under way may take to finish when the server is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// All that is served, with axum's bodies. One type, so that hyper's connections are compiled once.
pub(crate) type HttpService = BoxCloneSyncService<Request, Response, Infallible>;

pub(crate) async fn until(stop: impl Future<Output = ()>, listener: TcpListener, app: HttpService) {
    let builder = bounded();
    let graceful = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut stop = std::pin::pin!(stop);
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
            () = &mut stop => break,
        };
        let (builder, watcher, app) = (builder.clone(), graceful.watcher(), app.clone());
        tokio::spawn(async move {
            connection(builder, watcher, stream, peer, app).await;
            drop(permit);
        });
    }
    drop(listener);
    // A client that keeps its request open does not keep the server alive.
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

/// Serves one client for as long as it goes on.
async fn connection(
    builder: Builder<TokioExecutor>,
    watcher: Watcher,
    stream: TcpStream,
    peer: SocketAddr,
    app: HttpService,
) {
    let builder = match tokio::time::timeout(HEAD_TIMEOUT, speaks_http2(&stream)).await {
        Ok(Ok(true)) => builder.http2_only(),
        Ok(Ok(false)) => builder.http1_only(),
        Ok(Err(_)) | Err(_) => return,
    };
    let service = TowerToHyperService::new(service_fn(move |request: http::Request<Incoming>| {
        let mut request = request.map(Body::new);
        // For `[mtls] proxies`: no header can say it.
        request.extensions_mut().insert(PeerAddress::new(peer));
        app.clone().oneshot(request)
    }));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // How a connection ends is its client's business.
    let _ = tokio::time::timeout(MAX_AGE, watcher.watch(connection.into_owned())).await;
}

/// Makes the settings that bound what a client can hold.
fn bounded() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEADER_BYTES)
        .max_concurrent_streams(MAX_STREAMS)
        .keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE);
    builder
}

/// Reports whether a client begins with the preface of HTTP/2 (RFC 9113 section 3.4). hyper would wait for
/// it without an end.
async fn speaks_http2(stream: &TcpStream) -> io::Result<bool> {
    const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut begun = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut begun).await?;
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let begun = begun.get(..length).unwrap_or_default();
        if !PREFACE.starts_with(begun) {
            return Ok(false);
        }
        if length == PREFACE.len() {
            return Ok(true);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
