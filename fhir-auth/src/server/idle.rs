//! Connections that nobody uses.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// The requests under way on a connection.
#[derive(Clone, Debug)]
pub(super) struct Use(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    requests: usize,
    /// The time at which the last one ended, or the connection began.
    last: Instant,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct InUse(Use);

impl Use {
    pub(super) fn begin() -> Self {
        Self(Arc::new(Mutex::new(State { requests: 0, last: Instant::now() })))
    }

    /// Notes a request, which is under way until the guard is dropped.
    pub(super) fn by_request(&self) -> InUse {
        self.state().requests += 1;
        InUse(self.clone())
    }

    /// Waits until nobody has used the connection for so long.
    pub(super) async fn has_ended_for(&self, time: Duration) {
        loop {
            let (requests, last) = {
                let state = self.state();
                (state.requests, state.last)
            };
            let end = if requests == 0 { last + time } else { Instant::now() + time };
            if end <= Instant::now() {
                return;
            }
            sleep_until(end).await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.requests = state.requests.saturating_sub(1);
        state.last = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_from_the_end_of_its_last_request_on() {
        let (used, limit, begun) = (Use::begin(), Duration::from_secs(60), Instant::now());
        let request = used.by_request();
        let ends = async {
            sleep(Duration::from_secs(200)).await;
            drop(request);
        };
        tokio::join!(ends, used.has_ended_for(limit));
        let idle = begun.elapsed() - Duration::from_secs(200);
        assert!(idle >= limit && idle <= 2 * limit, "{idle:?}");
    }
}
