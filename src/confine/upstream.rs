//! Requests to the inner service whose answers are judged.

use bytes::{Buf, Bytes};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower_service::Service;

use super::headers;
use super::lines::ReadByLine;
use super::refusal::Refusal;
use super::request_body::RequestBody;
use crate::authorization::{BorrowedResource, ResourceRef};
use crate::fhir::ResourceReference;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The most requests to the service inside for one request of a client. Only a bundle takes that many: its
/// entries may ask for pages of their own.
const MAX_REQUESTS: usize = 4096;

/// The service inside, for one request of a client.
pub(super) struct Upstream<S> {
    service: S,
    is_ready: bool,
    request: Parts,
    max_body: usize,
    /// The requests that may still be sent.
    left: usize,
}

/// A change as it is sent.
pub(super) struct Change {
    pub(super) method: Method,
    pub(super) address: String,
    pub(super) body: String,
    /// The headers that the change needs.
    pub(super) headers: HeaderMap,
}

/// A whole answer.
pub(super) struct UpstreamAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// The reason for which there is no answer that could be judged.
pub(super) enum UpstreamError<E> {
    Service(E),
    Refusal(Refusal),
}

impl UpstreamAnswer {
    /// Returns what to tell a client of a refusal.
    pub(super) fn refusal(&self) -> Refusal {
        Refusal::from_upstream(self.status, &self.body).with_retry_after(&self.headers)
    }

    /// Returns the refusal of a change, as a confined client may see it.
    pub(super) fn refusal_of_change(&self) -> Refusal {
        Refusal::from_upstream_change(self.status, &self.body).with_retry_after(&self.headers)
    }
}

/// A resource that was looked up.
pub(super) struct FoundResource(Bytes);

impl FoundResource {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Returns the resource; `None` for what cannot be read.
    pub(super) fn resource(&self) -> Option<BorrowedResource<'_>> {
        BorrowedResource::parse(self.text()).ok()
    }
}

impl<S> Upstream<S> {
    /// Takes a service that is ready, and the head of the client's request.
    pub(super) fn new(service: S, request: &Parts, max_body: usize) -> Self {
        let mut request = request.clone();
        request.headers = headers::for_judged(&request.headers);
        Self { service, is_ready: true, request, max_body, left: MAX_REQUESTS }
    }

    /// Marks the requests from now on as those whose answers are read line by line.
    pub(super) fn mark_read_by_line(&mut self) {
        self.request.extensions.insert(ReadByLine);
    }

    /// Asks by `GET`.
    pub(super) async fn get<B, R>(
        &mut self,
        address: &str,
    ) -> Result<UpstreamAnswer, UpstreamError<S::Error>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
        R: Body<Error: Into<BoxError>>,
    {
        self.ask(Method::GET, address, RequestBody::default(), HeaderMap::new()).await
    }

    /// Searches by `POST`, with these parameters.
    pub(super) async fn post_search<B, R>(
        &mut self,
        address: &str,
        parameters: String,
    ) -> Result<UpstreamAnswer, UpstreamError<S::Error>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
        R: Body<Error: Into<BoxError>>,
    {
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, form)]);
        self.ask(Method::POST, address, RequestBody::bytes(parameters), headers).await
    }

    /// Sends a change.
    pub(super) async fn change<B, R>(
        &mut self,
        change: Change,
    ) -> Result<UpstreamAnswer, UpstreamError<S::Error>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
        R: Body<Error: Into<BoxError>>,
    {
        let Change { method, address, body, headers } = change;
        self.ask(method, &address, RequestBody::bytes(body), headers).await
    }

    async fn ask<B, R>(
        &mut self,
        method: Method,
        address: &str,
        body: RequestBody<B>,
        headers: HeaderMap,
    ) -> Result<UpstreamAnswer, UpstreamError<S::Error>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
        R: Body<Error: Into<BoxError>>,
    {
        let more = headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
        let response = self.send(method, address, body, more).await?;
        whole(response, self.max_body).await.map_err(UpstreamError::Refusal)
    }

    /// Sends a request with more headers, and returns its answer as it begins.
    pub(super) async fn send<B, R>(
        &mut self,
        method: Method,
        address: &str,
        body: RequestBody<B>,
        more: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
    ) -> Result<Response<R>, UpstreamError<S::Error>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
    {
        let too_many = || UpstreamError::Refusal(Refusal::too_many_requests(MAX_REQUESTS));
        self.left = self.left.checked_sub(1).ok_or_else(too_many)?;
        let mut parts = self.request.clone();
        parts.method = method;
        parts.uri = resolve(&parts.uri, address).ok_or_else(|| {
            UpstreamError::Refusal(Refusal::unreadable("its address is not valid"))
        })?;
        for (name, value) in more {
            parts.headers.insert(name, value);
        }
        if !std::mem::take(&mut self.is_ready) {
            let service = &mut self.service;
            std::future::poll_fn(|context| service.poll_ready(context))
                .await
                .map_err(UpstreamError::Service)?;
        }
        let request = Request::from_parts(parts, body);
        self.service.call(request).await.map_err(UpstreamError::Service)
    }

    /// Reads a whole answer.
    pub(super) async fn read<R>(&mut self, response: Response<R>) -> Result<UpstreamAnswer, Refusal>
    where
        R: Body<Error: Into<BoxError>>,
    {
        whole(response, self.max_body).await
    }

    /// Reads a resource that another one's visibility depends on. One that is gone, or cannot be read, shows
    /// nothing; a server that does not say whether it is there has not answered.
    pub(super) async fn look_up<B, R>(
        &mut self,
        base_path: &str,
        reference: &ResourceReference,
    ) -> Result<Option<FoundResource>, UpstreamError<S::Error>>
    where
        S: Service<Request<RequestBody<B>>, Response = Response<R>>,
        R: Body<Error: Into<BoxError>>,
    {
        let ResourceReference { resource_type, id, .. } = reference;
        // Who asks for look-ups bounds them; the answer to a change that was made depends on them.
        self.left = self.left.saturating_add(1);
        let answer = match self.get(&format!("{base_path}/{resource_type}/{id}")).await {
            Ok(answer) => answer,
            Err(UpstreamError::Refusal(unread)) if unread.is_unreadable() => return Ok(None),
            Err(fault) => return Err(fault),
        };
        match answer.status {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            other => {
                return Err(UpstreamError::Refusal(
                    Refusal::no_lookup(other).with_retry_after(&answer.headers),
                ));
            }
        }
        let found = FoundResource(answer.body);
        let is_asked =
            found.resource().is_some_and(|resource| reference.is(ResourceRef::from(&resource)));
        Ok(is_asked.then_some(found))
    }
}

/// Reads an answer, up to a limit.
async fn whole<R: Body<Error: Into<BoxError>>>(
    response: Response<R>,
    limit: usize,
) -> Result<UpstreamAnswer, Refusal> {
    let (parts, body) = response.into_parts();
    check_plain(&parts.headers)?;
    match in_one_piece(Limited::new(body, limit)).await {
        Ok(body) => {
            // A reader may skip a byte order mark (RFC 8259 section 8.1); `serde_json` does not.
            let text = body.strip_prefix("\u{feff}".as_bytes()).map(|text| body.slice_ref(text));
            let body = text.unwrap_or(body);
            Ok(UpstreamAnswer { status: parts.status, headers: parts.headers, body })
        }
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::too_large(limit)),
        Err(_) => Err(Refusal::unreadable("its body is incomplete")),
    }
}

/// Checks that a body is not compressed.
pub(super) fn check_plain(headers: &HeaderMap) -> Result<(), Refusal> {
    let identity = HeaderValue::from_static("identity");
    match headers.get_all(CONTENT_ENCODING).iter().any(|coding| *coding != identity) {
        true => Err(Refusal::unreadable("it is compressed, although that was not asked for")),
        false => Ok(()),
    }
}

/// Reads a body into one buffer. Its parts, kept until the end and then copied, would hold it twice.
async fn in_one_piece<B: Body>(body: B) -> Result<Bytes, B::Error> {
    let mut body = std::pin::pin!(body);
    let mut whole = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(mut data) = frame?.into_data() {
            while data.has_remaining() {
                let length = data.chunk().len();
                whole.extend_from_slice(data.chunk());
                data.advance(length);
            }
        }
    }
    Ok(whole.into())
}

/// Puts another path and query into the address of a request.
pub(super) fn resolve(uri: &Uri, address: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(address).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use http_body::Frame;
    use http_body_util::Full;

    use super::*;

    /// A body that breaks off at once.
    struct Broken;

    impl Body for Broken {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(Some(Err("broken off".into())))
        }
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_told_from_one_that_is_too_large() {
        let broken = whole(Response::new(Broken), 2).await.err();
        assert_eq!(broken, Some(Refusal::unreadable("its body is incomplete")));
        let three = Response::new(Full::new(Bytes::from_static(b"abc")));
        assert_eq!(whole(three, 2).await.err(), Some(Refusal::too_large(2)));
    }

    #[tokio::test]
    async fn an_answer_that_is_compressed_is_not_read() {
        for (coding, is_read) in [("identity", true), ("gzip", false)] {
            let answer = Response::builder().header(CONTENT_ENCODING, coding);
            let answer = answer.body(Full::new(Bytes::from_static(b"{}"))).unwrap();
            assert_eq!(whole(answer, 2).await.is_ok(), is_read, "{coding}");
        }
    }
}
