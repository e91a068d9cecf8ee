//! The bodies of a client's exchange, as far as they are held: that of its request while it is looked into, and
//! that of its answer until the client has it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::account::Account;
use crate::server::BoxError;

pin_project! {
    /// The body of a client's request: held, unless it is sent on as it comes.
    pub(super) struct ClientBody<B> {
        #[pin]
        inner: B,
        account: Account,
    }
}

impl<B> ClientBody<B> {
    pub(super) fn new(inner: B, account: Account) -> Self {
        Self { inner, account }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for ClientBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context));
        let frame = frame.map(|frame| frame.map_err(Into::into));
        let length = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
        if let Err(full) = this.account.holds_of_client(length.map_or(0, Bytes::len)) {
            this.account.met(full);
            return Poll::Ready(Some(Err("too much is held of other requests".into())));
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
    pub(super) struct Answered<B> {
        #[pin]
        inner: B,
        account: Account,
    }
}

impl<B> Answered<B> {
    pub(super) fn new(inner: B, account: Account) -> Self {
        Self { inner, account }
    }
}

/// A part of an answer. The connection keeps it, and not its body, until the client has taken it.
struct Part(Bytes, #[expect(dead_code, reason = "it is given back with the part")] Account);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<B: Body<Data = Bytes>> Body for Answered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(context));
        if !this.account.holds_something() {
            return Poll::Ready(frame);
        }
        let kept = |data| Bytes::from_owner(Part(data, this.account.clone()));
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(kept))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
