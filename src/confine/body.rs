//! The body of an answer: that of the upstream server, bytes that take its place, or those of its lines that were
//! granted.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::lines::Lines;
use crate::middleware::PassedBody;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

pin_project! {
    /// The body of a confined service: the inner service's, untouched, what was judged of it, or the bytes of
    /// a refusal.
    ///
    /// ```
    /// use http::Response;
    /// use http_body_util::{BodyExt, Full};
    /// use tower_fhir_auth::confine::ConfinedBody;
    ///
    /// type Inner = Full<bytes::Bytes>;
    ///
    /// async fn read(response: Response<ConfinedBody<Inner>>) -> Result<usize, String> {
    ///     let body = response.into_body().collect().await;
    ///     Ok(body.map_err(|error| error.to_string())?.to_bytes().len())
    /// }
    /// ```
    #[derive(Debug)]
    pub struct ConfinedBody<R> {
        #[pin]
        kind: Kind<R>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = KindProjection]
    enum Kind<R> {
        Plain { #[pin] body: PassedBody<R> },
        Lines { #[pin] body: Lines<R> },
    }
}

impl<R> ConfinedBody<R> {
    pub(super) fn inner(body: R) -> Self {
        Self { kind: Kind::Plain { body: PassedBody::passed(body) } }
    }

    pub(super) fn lines(body: Lines<R>) -> Self {
        Self { kind: Kind::Lines { body } }
    }

    pub(super) fn bytes(bytes: Bytes) -> Self {
        Self { kind: Kind::Plain { body: PassedBody::bytes(bytes) } }
    }
}

impl<R> Default for ConfinedBody<R> {
    /// Makes an empty body, which outer layers need for answers of their own.
    fn default() -> Self {
        Self::bytes(Bytes::new())
    }
}

impl<R> Body for ConfinedBody<R>
where
    R: Body<Data: From<Bytes>, Error: Into<BoxError>>,
{
    type Data = R::Data;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<R::Data>, BoxError>>> {
        match self.project().kind.project() {
            KindProjection::Plain { body } => {
                body.poll_frame(context).map(|frame| frame.map(|frame| frame.map_err(Into::into)))
            }
            KindProjection::Lines { body } => body.poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Plain { body } => body.is_end_stream(),
            Kind::Lines { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Plain { body } => body.size_hint(),
            Kind::Lines { .. } => SizeHint::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[test]
    fn a_body_has_ended_where_the_one_in_it_has() {
        let of = |text: &'static str| {
            ConfinedBody::inner(Full::new(Bytes::from_static(text.as_bytes())))
        };
        assert!(!of("x").is_end_stream() && of("").is_end_stream());
        assert!(ConfinedBody::<Full<Bytes>>::default().is_end_stream());
        assert!(!ConfinedBody::<Full<Bytes>>::bytes(Bytes::from_static(b"x")).is_end_stream());
        // Of lines the last one may be to come when all parts have.
        let lines = Lines::of_types(Full::new(Bytes::from_static(b"{}")), Vec::new(), 9);
        assert!(!ConfinedBody::lines(lines).is_end_stream());
    }
}
