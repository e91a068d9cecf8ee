//! The upstream server, as the service inside of the layer.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCESS_CONTROL_REQUEST_METHOD;
use http::request::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Either, Empty, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_fhir_auth::Access;
use tower_fhir_auth::config::UpstreamConfig;
use tower_fhir_auth::confine::ReadByLine;
use tower_fhir_auth::fhir::BaseUrl;
use tower_service::Service;

use super::base::Bases;
use super::buffer::{BufferLease, BufferPool};
use super::exchange::{AnswerBody, Progress, SentBody};
use super::gateway_error::GatewayError;
use super::headers::is_of_binary;
use super::meter;
use super::request::{Rules, SentKind};
use super::response::{self, BodyKind};
use super::rewrite::Rewriter;
use crate::server::BoxError;

/// The most bytes that a connection reads ahead, and of the head of an answer. The usual 400 KiB, twice, of each
/// request would be more than all of what is judged.
const READ_AT_ONCE: usize = 64 * 1024;

/// The longest time for which a connection is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(30);

/// The longest body that is rewritten at once, and not as it streams by.
const SHORT: u64 = 32 * 1024;

/// The longest wait for a connection; it counts within the time for an answer, too.
const CONNECT: Duration = Duration::from_secs(5);

type Connections = Client<HttpsConnector<HttpConnector>, UnsyncBoxBody<Bytes, BoxError>>;

/// The body of an answer: that of the upstream server, or none.
pub(super) type UpstreamBody = Either<AnswerBody<Incoming>, Empty<Bytes>>;

/// The upstream server.
#[derive(Clone)]
pub(super) struct Upstream(Arc<Inner>);

struct Inner {
    connections: Connections,
    rules: Rules,
    bases: Bases,
    timeout: Duration,
}

impl Upstream {
    /// `None` if the address cannot be one of a server.
    pub(super) fn new(public: &BaseUrl, url: &BaseUrl, config: &UpstreamConfig) -> Option<Self> {
        let rules = Rules::new(public.clone(), url, config)?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new().try_with_platform_verifier().ok()?;
        let connector = connector.https_or_http().enable_all_versions().wrap_connector(http);
        let connections = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(READ_AT_ONCE)
            .build(connector);
        let (bases, timeout) = (Bases::new(public, url), config.timeout);
        Some(Self(Arc::new(Inner { connections, rules, bases, timeout })))
    }
}

impl Inner {
    /// Makes the body that goes on. What is short goes with its length, for servers that take no other.
    async fn body<B>(
        &self,
        asked: &Uri,
        head: &mut Parts,
        body: B,
        progress: &Progress,
        lease: &BufferLease,
    ) -> Result<UnsyncBoxBody<Bytes, BoxError>, GatewayError>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        if body.is_end_stream() {
            return Ok(Empty::new().map_err(|never| match never {}).boxed_unsync());
        }
        let kind = SentKind::of(head);
        let rewriter = (kind == SentKind::Json).then(|| Rewriter::of_request(self.bases.clone()));
        let is_short = body.size_hint().upper().is_some_and(|length| length <= SHORT);
        let body = SentBody::new(body, rewriter, progress.clone(), lease.clone());
        if kind == SentKind::AsItIs || (kind == SentKind::Json && !is_short) {
            return Ok(body.boxed_unsync());
        }
        let whole = Limited::new(body, Access::MAX_SEARCH_BODY).collect();
        let whole = progress.within(self.timeout, whole).await.ok_or_else(|| lease.late())?;
        let whole = whole.map_err(|error| match error.is::<LengthLimitError>() {
            true => GatewayError::LongForm,
            false => GatewayError::OutOfReach,
        });
        let mut whole = whole?.to_bytes();
        if kind == SentKind::Form
            && let Ok(form) = std::str::from_utf8(&whole)
            && let Some(form) = self.rules.translated(asked, form)
        {
            whole = form.into();
        }
        Ok(Full::new(whole).map_err(|never| match never {}).boxed_unsync())
    }

    async fn ask<B>(&self, request: Request<B>) -> Result<Response<UpstreamBody>, GatewayError>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let (mut parts, body) = request.into_parts();
        if parts.method == Method::OPTIONS
            && parts.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
        {
            // Nobody has judged it, and what the upstream server says of other origins does not count.
            let mut answer = Response::new(Either::Right(Empty::new()));
            *answer.status_mut() = StatusCode::NO_CONTENT;
            return Ok(answer);
        }
        let (mut head, ()) = self.rules.head(&mut parts)?.into_parts();
        let lease = parts.extensions.get::<BufferLease>().cloned();
        // Fails closed: a `BufferPool` without a configuration has no room to hold anything.
        let lease = lease.unwrap_or_else(|| BufferLease::of_a_request(&BufferPool::new()));
        lease.release_turn();
        let progress = Progress::begin();
        let body = self.body(&parts.uri, &mut head, body, &progress, &lease).await?;
        let answer = self.connections.request(Request::from_parts(head, body));
        let answer = progress.within(self.timeout, answer).await.ok_or_else(|| lease.late())?;
        let answer = answer.map_err(|error| {
            tracing::warn!(error = cause(&error), "no answer of the upstream server");
            GatewayError::OutOfReach
        })?;
        let (mut answer, body) = answer.into_parts();
        let is_binary = is_of_binary(parts.uri.path());
        let kind = response::head(&mut answer, &parts.method, is_binary, &self.bases)?;
        let rewriter =
            (kind == BodyKind::Rewritten).then(|| Rewriter::of_answer(self.bases.clone()));
        let is_by_line = parts.extensions.get::<ReadByLine>().is_some();
        let body = AnswerBody::new(body, rewriter, self.timeout, lease).by_line(is_by_line);
        Ok(Response::from_parts(answer, Either::Left(body)))
    }
}

/// Returns the last cause of an error: the outer ones say that there is one.
fn cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}

impl<B> Service<Request<B>> for Upstream
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<UpstreamBody>;
    type Error = GatewayError;
    type Future =
        Pin<Box<dyn Future<Output = Result<Response<UpstreamBody>, GatewayError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), GatewayError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.ask(request).await.inspect_err(|fault| meter::failed(*fault)) })
    }
}
