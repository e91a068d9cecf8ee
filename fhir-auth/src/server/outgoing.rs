//! The part of an answer that a client of HTTP/2 has still to take. Its window may be closed for as long as it
//! likes (RFC 9113 section 5.2), while the connection itself gets on.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use super::app::{AppBody, BoxError};
use super::idle::InUse;

/// The bytes that are given to the connection at once: what it waits with may be as much.
const PART: usize = 16 * 1024;

/// The parts of an answer that are on their way.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    parts: usize,
    /// The time at which the client took one for the last time, or the first was there.
    last: Option<Instant>,
    /// Wakes the body, which ends after the last of its parts.
    waker: Option<Waker>,
}

impl Outgoing {
    /// Returns the time since which the client has taken nothing, while there is something to take.
    pub(super) fn waiting_since(&self) -> Option<Instant> {
        let state = self.state();
        state.last.filter(|_| state.parts > 0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn part(&self, data: Bytes) -> Bytes {
        let mut state = self.state();
        if state.parts == 0 {
            state.last = Some(Instant::now());
        }
        state.parts += 1;
        drop(state);
        Bytes::from_owner(Part { data, outgoing: self.clone() })
    }

    /// Waits until every part has been taken.
    fn poll_taken(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.parts == 0 {
            return Poll::Ready(());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

/// A part of an answer, which the connection drops when it is written.
struct Part {
    data: Bytes,
    outgoing: Outgoing,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let mut state = self.outgoing.state();
        state.parts = state.parts.saturating_sub(1);
        state.last = Some(Instant::now());
        let waker = if state.parts == 0 { state.waker.take() } else { None };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

pin_project! {
    /// The body of an answer, in parts whose way is followed where somebody asks for it.
    pub(super) struct OutgoingBody {
        #[pin]
        inner: AppBody,
        outgoing: Option<Outgoing>,
        // Of a frame that is larger than a part.
        rest: Bytes,
        is_over: bool,
        // Given back with the body.
        in_use: InUse,
    }
}

impl OutgoingBody {
    pub(super) fn new(inner: AppBody, outgoing: Option<Outgoing>, in_use: InUse) -> Self {
        Self { inner, outgoing, rest: Bytes::new(), is_over: false, in_use }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let Some(outgoing) = this.outgoing else { return this.inner.poll_frame(context) };
        if this.rest.is_empty() && !*this.is_over {
            match ready!(this.inner.poll_frame(context)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => *this.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => *this.is_over = true,
            }
        }
        if *this.is_over {
            // Before that nobody could end the stream any more: the server takes it for answered.
            ready!(outgoing.poll_taken(context));
            return Poll::Ready(None);
        }
        let part = this.rest.split_to(this.rest.len().min(PART));
        Poll::Ready(Some(Ok(Frame::data(outgoing.part(part)))))
    }

    fn is_end_stream(&self) -> bool {
        let is_taken = |one: &Outgoing| self.rest.is_empty() && one.waiting_since().is_none();
        self.inner.is_end_stream() && self.outgoing.as_ref().is_none_or(is_taken)
    }

    fn size_hint(&self) -> SizeHint {
        // Asked for before the first part.
        if self.rest.is_empty() { self.inner.size_hint() } else { SizeHint::new() }
    }
}
