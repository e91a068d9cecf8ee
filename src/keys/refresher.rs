//! The one task per issuer that loads its keys.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until, timeout};

use super::board::Board;
use super::freshness;
use super::source::{KeyError, KeySource, LoadedKeys};

/// Loads keys for ever: at once, then on schedule, sooner after a failure, and when a request
/// asked for a key that is unknown. Loads follow one another, so an older answer can never
/// replace a newer one. The task ends when the issuer's [`KeyRing`] is dropped.
///
/// [`KeyRing`]: super::ring::KeyRing
pub(crate) async fn run(board: Arc<Board>, source: Arc<dyn KeySource>) {
    let mut failures = 0_u32;
    let mut due = Instant::now();
    loop {
        tokio::select! {
            () = sleep_until(due) => {}
            () = board.nudge.notified() => {}
        }
        board.begin();
        let result = timeout(board.settings.timeout, source.load()).await;
        let result = result.unwrap_or(Err(KeyError::Timeout)).and_then(not_empty);
        let (result, pause) = match result {
            Ok(LoadedKeys { set, max_age }) => {
                failures = 0;
                let pause = freshness::after_success(&board.settings, max_age, board.poll_every);
                (Ok(set), pause)
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                (Err(error), freshness::after_failure(failures, board.poll_every))
            }
        };
        due = Instant::now() + pause;
        board.end(result, pause);
    }
}

/// A provider that publishes no usable key has made a mistake; the last good keys stay.
fn not_empty(keys: LoadedKeys) -> Result<LoadedKeys, KeyError> {
    match &keys.set {
        Some(set) if set.is_empty() => Err(KeyError::Empty { entries: set.left_out().len() }),
        Some(_) | None => Ok(keys),
    }
}
