//! Serving HTTP/1 and HTTP/2 until told to stop.
//!
//! `axum::serve` would do, but for one thing: it leaves HTTP/2 with room for 16 KiB of headers,
//! and tokens alone may be as large as that.

use std::convert::Infallible;
use std::time::Duration;

use axum::BoxError;
use axum::body::HttpBody;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::Service;

/// Room for the largest token that is answered with more than a shrug, and for other headers.
const HEADERS: u32 = 256 * 1024;

/// How long requests under way may take to finish when the server is told to stop.
const GRACE: Duration = Duration::from_secs(2);

pub(crate) async fn until<S, R>(stop: impl Future<Output = ()>, listener: TcpListener, app: S)
where
    S: Service<Request<Incoming>, Response = Response<R>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static,
    S::Future: 'static,
    R: HttpBody<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().max_header_list_size(HEADERS);
    let graceful = GracefulShutdown::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of file handles, or a client that went away: others are served on.
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut stop => break,
        };
        let service = TowerToHyperService::new(app.clone());
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let connection = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            // How a connection ends is its client's business.
            let _ = connection.await;
        });
    }
    drop(listener);
    // A client that keeps its request open does not keep the server alive.
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}
