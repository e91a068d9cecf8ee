//! A body that passes untouched, or bytes that take its place.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

/// The body of a response: the inner service's, untouched, or the bytes of a refusal.
pub type ResponseBody<B> = PassedBody<B>;

pin_project! {
    /// A body that passes untouched, or bytes that take its place.
    ///
    /// ```
    /// use http::Response;
    /// use http_body_util::{BodyExt, Full};
    /// use std::convert::Infallible;
    /// use tower_fhir_auth::middleware::PassedBody;
    ///
    /// type Inner = Full<bytes::Bytes>;
    ///
    /// async fn read(response: Response<PassedBody<Inner>>) -> Result<usize, Infallible> {
    ///     Ok(response.into_body().collect().await?.to_bytes().len())
    /// }
    /// ```
    #[derive(Debug)]
    pub struct PassedBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<B> {
        Passed { #[pin] body: B },
        Bytes { bytes: Option<Bytes> },
    }
}

impl<B> PassedBody<B> {
    /// Returns the body that passes, else the bytes in its place.
    #[cfg(feature = "axum")]
    pub(crate) fn into_inner(self) -> Result<B, Bytes> {
        match self.kind {
            Kind::Passed { body } => Ok(body),
            Kind::Bytes { bytes } => Err(bytes.unwrap_or_default()),
        }
    }

    pub(crate) fn passed(body: B) -> Self {
        Self { kind: Kind::Passed { body } }
    }

    pub(crate) fn bytes(bytes: impl Into<Bytes>) -> Self {
        // Without bytes the stream ends with the headers, as "trailers-only" of gRPC has to.
        let bytes = Some(bytes.into()).filter(|bytes| !bytes.is_empty());
        Self { kind: Kind::Bytes { bytes } }
    }
}

impl<B> Default for PassedBody<B> {
    /// Makes an empty body, which outer layers need for answers of their own.
    fn default() -> Self {
        Self::bytes(Bytes::new())
    }
}

impl<B> Body for PassedBody<B>
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
            KindProjection::Passed { body } => body.poll_frame(context),
            KindProjection::Bytes { bytes } => {
                let data = bytes.take().map(B::Data::from);
                Poll::Ready(data.map(Frame::data).map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Passed { body } => body.is_end_stream(),
            Kind::Bytes { bytes } => bytes.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Passed { body } => body.size_hint(),
            Kind::Bytes { bytes } => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[test]
    fn the_end_of_a_body_is_told_of_one_that_passes_and_of_bytes_in_its_place() {
        let passed = |text: &'static str| PassedBody::passed(Full::new(Bytes::from(text)));
        let in_its_place = |text: &'static str| PassedBody::bytes(text);
        for (body, is_at_end) in [
            (passed(""), true),
            (passed("x"), false),
            (in_its_place(""), true),
            (in_its_place("x"), false),
        ] {
            assert_eq!(body.is_end_stream(), is_at_end, "{body:?}");
        }
    }
}
