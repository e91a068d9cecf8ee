//! The bodies of an exchange with the upstream server, and the time that they may take.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use super::buffer::BufferLease;
use super::gateway_error::GatewayError;
use super::rewrite::Rewriter;
use crate::server::BoxError;

/// The time at which a request last made progress.
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
        rewriter: Option<Rewriter>,
        progress: Progress,
        lease: BufferLease,
        is_over: bool,
    }
}

impl<B> SentBody<B> {
    pub(super) fn new(
        inner: B,
        rewriter: Option<Rewriter>,
        progress: Progress,
        lease: BufferLease,
    ) -> Self {
        Self { inner, rewriter, progress, lease, is_over: false }
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
        while !*this.is_over {
            let inner = this.inner.as_mut();
            let frame = ready!(this.lease.while_sending(|| inner.poll_frame(context)));
            this.progress.goes_on();
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    let data = match this.rewriter {
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
                    *this.is_over = true;
                    let rest = this.rewriter.as_mut().map(Rewriter::finish).unwrap_or_default();
                    if !rest.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(rest))));
                    }
                }
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

pin_project! {
    /// The body of an answer, as it comes from the upstream server.
    pub(super) struct AnswerBody<B> {
        #[pin]
        inner: B,
        rewriter: Option<Rewriter>,
        limit: Duration,
        // The end of the wait for the next part, while there is one.
        #[pin]
        wait: Option<Sleep>,
        lease: BufferLease,
        // The length of the line that has begun, where somebody reads it line by line.
        line: Option<usize>,
        turn: Option<JudgingTurn>,
        is_over: bool,
    }
}

/// Holds the data of a frame, or the lines of it.
fn hold(
    data: Option<&Bytes>,
    lease: &BufferLease,
    line: &mut Option<usize>,
) -> Result<(), GatewayError> {
    let data = data.map(AsRef::as_ref).unwrap_or_default();
    let Some(begun) = line else { return lease.hold(data.len()) };
    let (mut longest, mut length) = (0, *begun);
    for piece in data.split_inclusive(|byte| *byte == b'\n') {
        length = length.saturating_add(piece.len());
        longest = longest.max(length);
        if piece.ends_with(b"\n") {
            length = 0;
        }
    }
    *begun = length;
    lease.hold_line(longest)
}

/// The wait for the turn to judge a body that has been read; false if it has not come in time.
type JudgingTurn = Pin<Box<dyn Future<Output = bool> + Send>>;

impl<B> AnswerBody<B> {
    pub(super) fn new(
        inner: B,
        rewriter: Option<Rewriter>,
        limit: Duration,
        lease: BufferLease,
    ) -> Self {
        let (wait, line, turn) = (None, None, None);
        Self { inner, rewriter, limit, wait, lease, line, turn, is_over: false }
    }

    /// Is read line by line, so that each of its lines is held while it streams by.
    pub(super) fn by_line(self, is_so: bool) -> Self {
        Self { line: is_so.then_some(0), ..self }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for AnswerBody<B> {
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
                    this.lease.record_failure(GatewayError::TooLate);
                    return Poll::Ready(Some(Err(
                        "the upstream server stopped sending its answer".into(),
                    )));
                }
            };
            this.wait.set(None);
            let data = match frame {
                Some(Ok(frame)) => {
                    if let Err(full) = hold(frame.data_ref(), this.lease, this.line) {
                        *this.is_over = true;
                        this.lease.record_failure(full);
                        return Poll::Ready(Some(Err(
                            "too many bytes of answers are buffered".into()
                        )));
                    }
                    match (frame.into_data(), this.rewriter.as_mut()) {
                        (Ok(data), Some(rewriter)) if this.inner.is_end_stream() => {
                            rewriter.whole(data)
                        }
                        (Ok(data), Some(rewriter)) => rewriter.push(&data),
                        (Ok(data), None) => data,
                        // Trailers are of the connection to the upstream server.
                        (Err(_), _) => continue,
                    }
                }
                Some(Err(error)) => {
                    *this.is_over = true;
                    this.lease.record_failure(GatewayError::OutOfReach);
                    return Poll::Ready(Some(Err(error.into())));
                }
                None => {
                    *this.is_over = true;
                    this.rewriter.as_mut().map(Rewriter::finish).unwrap_or_default()
                }
            };
            if *this.is_over {
                *this.turn =
                    this.lease.turn(*this.limit).map(|turn| -> JudgingTurn { Box::pin(turn) });
            }
            if !data.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
        }
        if let Some(turn) = this.turn {
            let is_in_time = ready!(turn.as_mut().poll(context));
            *this.turn = None;
            if !is_in_time {
                this.lease.record_failure(GatewayError::Busy);
                return Poll::Ready(Some(Err("too many other answers are being inspected".into())));
            }
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.turn.is_none()
            && (self.is_over || (self.rewriter.is_none() && self.inner.is_end_stream()))
    }

    fn size_hint(&self) -> SizeHint {
        if self.rewriter.is_some() { SizeHint::new() } else { self.inner.size_hint() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::base::Bases;
    use super::super::buffer::BufferPool;
    use super::*;
    use http::HeaderMap;
    use http_body_util::{BodyExt, Full};

    #[tokio::test]
    async fn trailers_of_a_client_are_not_sent() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-fhir-patient", http::HeaderValue::from_static("2"));
        let body = Full::new(Bytes::from_static(b"{}"));
        let body = body.with_trailers(std::future::ready(Some(Ok(trailers))));
        let lease = BufferLease::of_a_request(&BufferPool::new());
        let sent = SentBody::new(body, None, Progress::begin(), lease).collect().await.unwrap();
        assert_eq!(sent.trailers(), None);
        assert_eq!(sent.to_bytes(), "{}");
    }

    /// A body that comes in these parts.
    struct Parts(Vec<&'static str>);

    impl Body for Parts {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            let next = (!self.0.is_empty()).then(|| self.0.remove(0));
            Poll::Ready(next.map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }
    }

    #[tokio::test]
    async fn an_address_is_rewritten_also_where_the_part_before_it_has_none() {
        let public = "https://fhir.example.org/r4";
        let bases = Bases::new(&public.parse().unwrap(), &"http://localhost/fhir".parse().unwrap());
        let lease = BufferLease::of_a_request(&BufferPool::new());
        lease.stop_holding();
        let parts =
            Parts(vec![r#"{"id":"1","reference":"#, r#""http://localhost/fhir/Patient/1"}"#]);
        let rewriter = Some(Rewriter::of_answer(bases));
        let body = AnswerBody::new(parts, rewriter, Duration::from_secs(30), lease);
        let text = body.collect().await.unwrap().to_bytes();
        assert_eq!(text, r#"{"id":"1","reference":"https://fhir.example.org/r4/Patient/1"}"#);
    }

    #[tokio::test]
    async fn a_line_of_a_file_that_streams_by_is_held_and_what_is_short_is_not_added_up() {
        let all = BufferPool::new();
        all.make_room(1 << 20, 1 << 20);
        let read = |line: usize, number: usize| {
            let lease = BufferLease::of_a_caller(&all, "amara");
            lease.stop_holding();
            let mut text = vec![b' '; line];
            text.push(b'\n');
            let body = Full::new(Bytes::from(text.repeat(number)));
            let limit = Duration::from_secs(30);
            let body = AnswerBody::new(body, None, limit, lease.clone()).by_line(true);
            (lease, body.collect())
        };
        let (_, body) = read(1000, 5000);
        assert!(body.await.is_ok());
        let (other, body) = read(700_000, 1);
        assert!(body.await.is_ok());
        let (lease, body) = read(700_000, 1);
        assert!(body.await.is_err());
        assert_eq!(lease.failure(), Some(GatewayError::Busy));
        drop((lease, other));
    }

    #[tokio::test(start_paused = true)]
    async fn sixteen_mib_are_judged_at_a_time_and_who_waits_too_long_is_told_to_come_again() {
        let all = BufferPool::new();
        all.make_room(1 << 30, 1 << 30);
        let limit = Duration::from_secs(30);
        let read = |length: usize| {
            let lease = BufferLease::of_a_caller(&all, "amara");
            let body = Full::new(Bytes::from(vec![b' '; length]));
            (lease.clone(), AnswerBody::new(body, None, limit, lease).collect())
        };
        let (judged, body) = read(12 << 20);
        assert!(body.await.is_ok());
        let (beside, body) = read(2 << 20);
        assert!(body.await.is_ok(), "there is room beside it");
        let (late, body) = read(4 << 20);
        let begun = Instant::now();
        assert!(body.await.is_err());
        assert_eq!((late.failure(), begun.elapsed()), (Some(GatewayError::Busy), limit));
        let (next, body) = read(4 << 20);
        let goes = async {
            sleep(Duration::from_secs(10)).await;
            judged.stop_holding();
        };
        let (body, ()) = tokio::join!(body, goes);
        assert!(body.is_ok() && next.failure().is_none(), "its turn has come");
        drop(beside);
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_the_server_again_holds_up_nobody_meanwhile() {
        let all = BufferPool::new();
        all.make_room(1 << 30, 1 << 30);
        let limit = Duration::from_secs(30);
        let read = |lease: &BufferLease, length: usize| {
            let body = Full::new(Bytes::from(vec![b' '; length]));
            AnswerBody::new(body, None, limit, lease.clone()).collect()
        };
        let (batch, other) =
            (BufferLease::of_a_caller(&all, "batch"), BufferLease::of_a_caller(&all, "other"));
        assert!(read(&batch, 15 << 20).await.is_ok());
        batch.release_turn();
        let begun = Instant::now();
        assert!(read(&other, 4 << 20).await.is_ok());
        assert_eq!(begun.elapsed(), Duration::ZERO);
        // The turn for its next answer is as large as what it holds by then.
        assert!(read(&batch, 1).await.is_err());
        assert_eq!((batch.failure(), begun.elapsed()), (Some(GatewayError::Busy), limit));
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
