//! The bodies of an exchange with the server behind, and the time that they may take.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::account::Account;
use super::rewrite::Rewriter;
use super::unanswered::Unanswered;
use crate::server::BoxError;

/// The last time at which a request has got on.
#[derive(Clone, Debug)]
pub(super) struct Progress(Arc<Mutex<Instant>>);

impl Progress {
    pub(super) fn begin() -> Self {
        Self(Arc::new(Mutex::new(Instant::now())))
    }

    fn goes_on(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for an answer, for no longer than `limit` since the request got on: a client may take its time
    /// to send a large one.
    pub(super) async fn within<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = T>,
    ) -> Option<T> {
        let mut answer = std::pin::pin!(answer);
        loop {
            let end = self.last() + limit;
            tokio::select! {
                biased;
                answer = &mut answer => return Some(answer),
                () = sleep_until(end) => if self.last() + limit <= Instant::now() {
                    return None;
                },
            }
        }
    }
}

pin_project! {
    /// The body of a request, as it is sent.
    pub(super) struct SentBody<B> {
        #[pin]
        inner: B,
        progress: Progress,
        rewriter: Option<Rewriter>,
    }
}

impl<B> SentBody<B> {
    pub(super) fn new(inner: B, progress: Progress, rewriter: Option<Rewriter>) -> Self {
        Self { inner, progress, rewriter }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for SentBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        loop {
            let frame = ready!(this.inner.as_mut().poll_frame(context));
            this.progress.goes_on();
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    let data = match this.rewriter.as_mut() {
                        Some(rewriter) => rewriter.push(&data),
                        None => data,
                    };
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                // A trailer may be read as a header, and none of them was looked at.
                Some(Ok(Err(_))) => {}
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                None => {
                    let rest = this.rewriter.take().map(|mut rewriter| rewriter.finish());
                    let rest = rest.filter(|rest| !rest.is_empty());
                    return Poll::Ready(rest.map(Frame::data).map(Ok));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rewriter.is_none() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.rewriter.is_some() { SizeHint::new() } else { self.inner.size_hint() }
    }
}

pin_project! {
    /// The body of an answer, as it comes from the server behind.
    pub(super) struct AnswerBody {
        #[pin]
        inner: Incoming,
        rewriter: Option<Rewriter>,
        limit: Duration,
        // The end of the wait for the next part, while there is one.
        #[pin]
        wait: Option<Sleep>,
        account: Account,
        is_over: bool,
    }
}

impl AnswerBody {
    pub(super) fn new(
        inner: Incoming,
        rewriter: Option<Rewriter>,
        limit: Duration,
        account: Account,
    ) -> Self {
        Self { inner, rewriter, limit, wait: None, account, is_over: false }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        while !*this.is_over {
            let frame = match this.inner.as_mut().poll_frame(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    if this.wait.is_none() {
                        this.wait.set(Some(sleep(*this.limit)));
                    }
                    if let Some(wait) = this.wait.as_mut().as_pin_mut() {
                        ready!(wait.poll(context));
                    }
                    *this.is_over = true;
                    this.account.met(Unanswered::TooLate);
                    return Poll::Ready(Some(Err(
                        "the server behind has stopped in its answer".into()
                    )));
                }
            };
            this.wait.set(None);
            let data = match frame {
                Some(Ok(frame)) if !this.account.holds(frame.data_ref().map_or(0, Bytes::len)) => {
                    *this.is_over = true;
                    this.account.met(Unanswered::Busy);
                    return Poll::Ready(Some(Err("too much is held of other answers".into())));
                }
                Some(Ok(frame)) => match (frame.into_data(), this.rewriter.as_mut()) {
                    (Ok(data), Some(rewriter)) => rewriter.push(&data),
                    (Ok(data), None) => data,
                    // Trailers are of the connection to the server behind.
                    (Err(_), _) => continue,
                },
                Some(Err(error)) => {
                    *this.is_over = true;
                    this.account.met(Unanswered::OutOfReach);
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => {
                    *this.is_over = true;
                    this.rewriter.as_mut().map(Rewriter::finish).unwrap_or_default()
                }
            };
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || (self.rewriter.is_none() && self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        if self.rewriter.is_some() { SizeHint::new() } else { self.inner.size_hint() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderMap;
    use http_body_util::{BodyExt, Full};

    #[tokio::test]
    async fn trailers_of_a_client_are_not_sent() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-fhir-patient", http::HeaderValue::from_static("2"));
        let body = Full::new(Bytes::from_static(b"{}"));
        let body = body.with_trailers(std::future::ready(Some(Ok(trailers))));
        let sent = SentBody::new(body, Progress::begin(), None).collect().await.unwrap();
        assert_eq!(sent.trailers(), None);
        assert_eq!(sent.to_bytes(), "{}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_may_take_its_time_as_long_as_it_gets_on() {
        let (progress, limit) = (Progress::begin(), Duration::from_secs(30));
        let slow = async {
            for _ in 0..5 {
                sleep(Duration::from_secs(20)).await;
                progress.goes_on();
            }
        };
        assert_eq!(progress.within(limit, slow).await, Some(()));
        let begun = Instant::now();
        let stops = progress.within(limit, std::future::pending::<()>()).await;
        assert_eq!((stops, begun.elapsed().as_secs()), (None, 30));
    }
}
