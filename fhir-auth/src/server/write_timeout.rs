//! Writing to a client, which has to take what is written.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The bytes that a client has to take within its time, or all that there are: one that takes a byte now and then
/// does not get on.
const ENOUGH: usize = 16 * 1024;

/// A connection that ends with an error when its client has stopped reading. hyper would wait forever.
pub(super) struct WriteTimeout<I> {
    inner: I,
    client_timeout: Duration,
    /// The end of the wait for the client, while there is one.
    wait: Option<Pin<Box<Sleep>>>,
    /// The bytes that it has taken meanwhile.
    taken: usize,
}

impl<I> WriteTimeout<I> {
    pub(super) fn new(inner: I, client_timeout: Duration) -> Self {
        Self { inner, client_timeout, wait: None, taken: 0 }
    }

    /// Notes what has come of writing: an error, once the client has had its time.
    fn noted(
        &mut self,
        written: Poll<Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<usize>> {
        let length = match written {
            Poll::Ready(Ok(length)) => length,
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Pending => return self.waits(context),
        };
        self.taken = self.taken.saturating_add(length);
        if self.taken >= ENOUGH {
            self.wait = None;
        }
        Poll::Ready(Ok(length))
    }

    fn waits(&mut self, context: &mut Context<'_>) -> Poll<Result<usize>> {
        if self.wait.is_none() {
            self.taken = 0;
        }
        let wait = self.wait.get_or_insert_with(|| Box::pin(sleep(self.client_timeout)));
        ready!(wait.as_mut().poll(context));
        tracing::debug!("a client has stopped reading");
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client has stopped reading")))
    }

    /// Notes the end of what there was to write.
    fn noted_end(
        &mut self,
        flushed: Poll<Result<()>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        if flushed.is_ready() {
            self.wait = None;
        }
        self.noted(flushed.map_ok(|()| 0), context).map_ok(drop)
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for WriteTimeout<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for WriteTimeout<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.noted(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(context, parts);
        self.noted(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    // Both servers flush when they have written all that there is.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(context);
        self.noted_end(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let ended = Pin::new(&mut self.inner).poll_shutdown(context);
        self.noted_end(ended, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stops_to_read_is_left_after_its_time() {
        let (here, _there) = duplex(64);
        let (mut here, begun) = (WriteTimeout::new(here, PATIENCE), Instant::now());
        let error = here.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed()), (ErrorKind::TimedOut, PATIENCE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_byte_now_and_then_does_not_get_on() {
        let (here, mut there) = duplex(64);
        let (mut here, begun) = (WriteTimeout::new(here, PATIENCE), Instant::now());
        let reads = tokio::spawn(async move {
            loop {
                sleep(Duration::from_secs(7)).await;
                let _ = there.read_u8().await;
            }
        });
        let error = here.write_all(&[0; 4096]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(begun.elapsed() < PATIENCE + Duration::from_secs(8), "{:?}", begun.elapsed());
        reads.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_that_gets_on_has_all_of_its_time_again() {
        let (here, mut there) = duplex(ENOUGH);
        let mut here = WriteTimeout::new(here, PATIENCE);
        let reads = tokio::spawn(async move {
            let mut room = vec![0; ENOUGH];
            for _ in 0..5 {
                sleep(Duration::from_secs(20)).await;
                there.read_exact(&mut room).await.unwrap();
            }
        });
        let begun = Instant::now();
        here.write_all(&vec![0; 5 * ENOUGH]).await.unwrap();
        here.flush().await.unwrap();
        reads.await.unwrap();
        assert!(begun.elapsed() > 3 * PATIENCE);
        // A pause of the server is none of the client.
        sleep(2 * PATIENCE).await;
    }
}
