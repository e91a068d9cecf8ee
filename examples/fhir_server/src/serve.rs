//! Serving HTTP/1.1 until told to stop, with bounds on what a client can hold.
//!
//! `axum::serve` would do, but for these bounds: it has no limit of connections, and no time for a request's head.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tower::util::BoxCloneSyncService;
use tower::{ServiceExt, service_fn};
use tower_fhir_auth::authentication::PeerAddress;

/// Room for tokens larger than the layer accepts, so that they are refused with a reason, and for other headers.
const MAX_HEAD_BYTES: usize = 256 * 1024;

/// The most connections at once; others wait until one ends.
const MAX_CONNECTIONS: u16 = 512;

/// The time in which the head of the first request, or of the next one, has to come.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The time after which a connection takes no further request, and the time that the last one may take.
const MAX_AGE: Duration = Duration::from_secs(600);
const LAST_REQUEST: Duration = Duration::from_secs(60);

/// The time that requests under way may take to finish when the server is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// All that is served, with axum's bodies. One type, so that hyper's connections are compiled once.
pub(crate) type HttpService = BoxCloneSyncService<Request, Response, Infallible>;

pub(crate) async fn until(stop: impl Future<Output = ()>, listener: TcpListener, app: HttpService) {
    let mut builder = Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD_BYTES);
    let free = Arc::new(Semaphore::new(MAX_CONNECTIONS.into()));
    let (stopping, stopped) = watch::channel(());
    let mut stop = pin!(stop);
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
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let (builder, stopped, app) = (builder.clone(), stopped.clone(), app.clone());
        tokio::spawn(async move {
            connection(&builder, stopped, stream, peer, app).await;
            drop(permit);
        });
    }
    drop((listener, stopping));
    // All permits are back when all connections have ended. A client that keeps its request open does not keep the
    // server alive.
    let _ = timeout(GRACE, free.acquire_many(MAX_CONNECTIONS.into())).await;
}

/// Serves one client for as long as it goes on.
async fn connection(
    builder: &Builder,
    mut stopped: watch::Receiver<()>,
    stream: TcpStream,
    peer: SocketAddr,
    app: HttpService,
) {
    let service = TowerToHyperService::new(service_fn(move |request: http::Request<Incoming>| {
        let mut request = request.map(Body::new);
        // For `[mtls] proxies`: no header can say it.
        request.extensions_mut().insert(PeerAddress::new(peer));
        app.clone().oneshot(request)
    }));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // How a connection ends is its client's business.
        _ = connection.as_mut() => return,
        _ = stopped.changed() => {}
        () = sleep(MAX_AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(LAST_REQUEST, connection).await;
}
