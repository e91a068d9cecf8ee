//! The bodies of an exchange with the server behind, and the time that they may take.

use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::rewrite::Rewriter;
use super::unanswered::Unanswered;

pub(super) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What has gone wrong with the body of an answer, in the extensions of its request: an answer that had to be
/// judged as a whole is then another one.
#[derive(Clone, Debug, Default)]
pub(super) struct Trouble(Arc<OnceLock<Unanswered>>);

impl Trouble {
    fn met(&self, what: Unanswered) {
        // The first one is what has happened.
        let _ = self.0.set(what);
    }

    pub(super) fn found(&self) -> Option<Unanswered> {
        self.0.get().copied()
    }
}

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
    }
}

impl<B> SentBody<B> {
    pub(super) fn new(inner: B, progress: Progress) -> Self {
        Self { inner, progress }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for SentBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context));
        this.progress.goes_on();
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
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
        trouble: Trouble,
        is_over: bool,
    }
}

impl AnswerBody {
    pub(super) fn new(
        inner: Incoming,
        rewriter: Option<Rewriter>,
        limit: Duration,
        trouble: Trouble,
    ) -> Self {
        Self { inner, rewriter, limit, wait: None, trouble, is_over: false }
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
                    this.trouble.met(Unanswered::TooLate);
                    return Poll::Ready(Some(Err(
                        "the server behind has stopped in its answer".into()
                    )));
                }
            };
            this.wait.set(None);
            let data = match frame {
                Some(Ok(frame)) => match (frame.into_data(), this.rewriter.as_mut()) {
                    (Ok(data), Some(rewriter)) => rewriter.push(&data),
                    (Ok(data), None) => data,
                    // Trailers are of the connection to the server behind.
                    (Err(_), _) => continue,
                },
                Some(Err(error)) => {
                    *this.is_over = true;
                    this.trouble.met(Unanswered::OutOfReach);
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
