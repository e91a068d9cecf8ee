//! The body of a request to the service inside: the client's, or one that was read.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a request as it goes on: the client's, untouched, or bytes that take its place.
    #[derive(Debug)]
    pub struct RequestBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<B> {
        Client { #[pin] body: B },
        Bytes { bytes: Option<Bytes> },
    }
}

impl<B> RequestBody<B> {
    pub(super) fn of_client(body: B) -> Self {
        Self { kind: Kind::Client { body } }
    }

    pub(super) fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = Some(bytes.into()).filter(|bytes| !bytes.is_empty());
        Self { kind: Kind::Bytes { bytes } }
    }

    pub(super) fn empty() -> Self {
        Self::bytes(Bytes::new())
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body,
    B::Data: From<Bytes>,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Client { body } => body.poll_frame(context),
            KindProjection::Bytes { bytes } => {
                let data = bytes.take().map(B::Data::from);
                Poll::Ready(data.map(Frame::data).map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Client { body } => body.is_end_stream(),
            Kind::Bytes { bytes } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Client { body } => body.size_hint(),
            Kind::Bytes { bytes } => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
        }
    }
}
