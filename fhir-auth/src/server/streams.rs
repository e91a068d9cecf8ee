//! The tasks of HTTP/2, of which each answers one request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::Executor;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::outgoing::Outgoing;

tokio::task_local! {
    /// The part of the answer of this task that the client has still to take.
    static OUTGOING: Outgoing;
}

/// Returns the part of the answer of this task that the client has still to take.
pub(super) fn outgoing() -> Option<Outgoing> {
    OUTGOING.try_with(Clone::clone).ok()
}

/// Runs the tasks, and ends each whose client takes nothing of its answer for too long: the stream is reset, and
/// the others of its connection go on.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    pub(super) client_timeout: Duration,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, answers: F) {
        let (outgoing, client_timeout) = (Outgoing::default(), self.client_timeout);
        tokio::spawn(Stream { answers, outgoing, client_timeout, wait: None });
    }
}

pin_project! {
    struct Stream<F> {
        #[pin]
        answers: F,
        outgoing: Outgoing,
        client_timeout: Duration,
        // The end of the wait for the client, while there is one.
        #[pin]
        wait: Option<Sleep>,
    }
}

impl<F: Future<Output = ()>> Future for Stream<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let answers = this.answers;
        if OUTGOING.sync_scope(this.outgoing.clone(), || answers.poll(context)).is_ready() {
            return Poll::Ready(());
        }
        // What there is to take only grows above.
        while let Some(since) = this.outgoing.waiting_since() {
            let end = since + *this.client_timeout;
            if end <= Instant::now() {
                tracing::debug!("a client takes nothing of its answer: the stream is reset");
                return Poll::Ready(());
            }
            if this.wait.as_ref().as_pin_ref().is_none_or(|wait| wait.deadline() != end) {
                this.wait.set(Some(sleep_until(end)));
            }
            if let Some(wait) = this.wait.as_mut().as_pin_mut() {
                ready!(wait.poll(context));
            }
        }
        this.wait.set(None);
        Poll::Pending
    }
}
