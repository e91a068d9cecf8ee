//! The bodies of a client's exchange, as far as they are held: that of its request while it is looked into, and
//! that of its answer until the client has it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::buffer::BufferLease;
use super::gateway_error::GatewayError;
use crate::server::BoxError;

pin_project! {
    /// The body of a client's request: held, unless it is sent on as it comes.
    pub(super) struct ClientBody<B> {
        #[pin]
        inner: B,
        lease: BufferLease,
        client_timeout: Duration,
        // The end of the wait for the next part, while there is one.
        #[pin]
        wait: Option<Sleep>,
    }
}

impl<B> ClientBody<B> {
    /// `client_timeout` is the longest gap between two frames of an authenticated caller's body, and the longest total
    /// time for anybody else's.
    pub(super) fn new(inner: B, lease: BufferLease, client_timeout: Duration) -> Self {
        Self { inner, lease, client_timeout, wait: None }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for ClientBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        let Poll::Ready(frame) = this.inner.poll_frame(context) else {
            this.lease.set_awaits_client(true);
            if this.wait.is_none() {
                this.wait.set(Some(sleep(*this.client_timeout)));
            }
            if let Some(wait) = this.wait.as_pin_mut() {
                ready!(wait.poll(context));
            }
            this.lease.record_failure(GatewayError::Unsent);
            return Poll::Ready(Some(Err("the client stopped sending its request".into())));
        };
        if this.wait.is_some() {
            this.lease.set_awaits_client(false);
            // A stranger has the time for all of it.
            if this.lease.has_caller() {
                this.wait.set(None);
            }
        }
        let frame = frame.map(|frame| frame.map_err(Into::into));
        let length = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        if let Err(full) = this.lease.hold_of_client(length.map_or(0, Bytes::len)) {
            this.lease.record_failure(full);
            return Poll::Ready(Some(Err("too many bytes of other requests are buffered".into())));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

pin_project! {
    /// The body of an answer: what is held of the request is given back with the last part of it.
    pub(super) struct LeasedBody<B> {
        #[pin]
        inner: B,
        lease: BufferLease,
    }
}

impl<B> LeasedBody<B> {
    pub(super) fn new(inner: B, lease: BufferLease) -> Self {
        Self { inner, lease }
    }
}

/// A part of an answer. The connection keeps it, and not its body, until the client has taken it.
struct Part(Bytes, #[expect(dead_code, reason = "it is given back with the part")] BufferLease);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<B: Body<Data = Bytes>> Body for LeasedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context));
        if !this.lease.holds_something() {
            return Poll::Ready(frame);
        }
        let kept = |data| Bytes::from_owner(Part(data, this.lease.clone()));
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(kept))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::super::buffer::BufferPool;
    use super::*;

    /// A body of which a byte comes every 20 seconds.
    struct Slow {
        left: usize,
        next: Pin<Box<Sleep>>,
    }

    const PAUSE: Duration = Duration::from_secs(20);

    impl Body for Slow {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            ready!(self.next.as_mut().poll(context));
            self.left -= 1;
            self.next = Box::pin(sleep(PAUSE));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_gets_on_with_each_part_and_a_stranger_has_one_time_for_all_of_them() {
        let all = BufferPool::new();
        all.make_room(1000, 1000);
        for (is_of_caller, failure) in [(true, None), (false, Some(GatewayError::Unsent))] {
            let lease = match is_of_caller {
                true => BufferLease::of_a_caller(&all, "amara"),
                false => BufferLease::of_a_request(&all),
            };
            let slow = Slow { left: 5, next: Box::pin(sleep(PAUSE)) };
            let body = ClientBody::new(slow, lease.clone(), Duration::from_secs(30));
            assert_eq!(body.collect().await.is_ok(), is_of_caller);
            assert_eq!(lease.failure(), failure);
        }
    }
}
