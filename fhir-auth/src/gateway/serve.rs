//! Serving HTTP/1 and HTTP/2 until told to stop.

use std::convert::Infallible;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::app::App;
use super::peer::Peer;

/// Room for the largest token that is answered with more than a shrug, and for other headers.
const HEADERS: u32 = 256 * 1024;
const HEADERS_OF_HTTP_1: usize = 256 * 1024;

/// The longest time that a client may take for the head of a request, and the longest silence of one with
/// HTTP/2.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time that requests under way have to finish when the server is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Serves a port until told to stop, with TLS where there is an acceptor.
pub(super) async fn until(
    mut stop: watch::Receiver<bool>,
    (listener, tls): (TcpListener, Option<TlsAcceptor>),
    app: App,
) {
    let builder = builder();
    let graceful = GracefulShutdown::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
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
            Connection { builder: builder.clone(), app: app.clone(), peer: Peer(peer) };
        let (tls, watcher) = (tls.clone(), graceful.watcher());
        tokio::spawn(async move {
            match tls {
                None if is_silent(&stream).await => {}
                None => connection.serve(stream, watcher).await,
                // A handshake that fails, or takes for ever, is its client's business.
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept(stream)).await
                    {
                        connection.serve(stream, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    // A client that keeps its request open does not keep the server alive.
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

/// Waits for a client to begin; `true` for one that says nothing at all.
async fn is_silent(stream: &TcpStream) -> bool {
    !matches!(tokio::time::timeout(PATIENCE, stream.readable()).await, Ok(Ok(())))
}

/// A connection that is to be served.
struct Connection {
    builder: Builder<TokioExecutor>,
    app: App,
    peer: Peer,
}

impl Connection {
    async fn serve<I>(self, stream: I, watcher: Watcher)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { builder, app, peer } = self;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
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
    http1.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEADERS_OF_HTTP_1);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new()).max_header_list_size(HEADERS).keep_alive_interval(PATIENCE);
    builder
}
