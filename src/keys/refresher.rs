//! The one task per issuer that loads its keys.

use std::sync::Arc;

use tokio::time::{Instant, sleep_until, timeout};

use super::freshness;
use super::ring::Shared;
use super::source::{KeyError, KeySource, LoadedKeys};

/// Loads keys for ever: at once, then on schedule, sooner after a failure, and when a request
/// asked for a key that is unknown. Loads follow one another, so an older answer can never
/// replace a newer one. The task ends when the issuer's [`KeyRing`] is dropped.
///
/// [`KeyRing`]: super::ring::KeyRing
pub(crate) async fn run(shared: Arc<Shared>, source: Arc<dyn KeySource>) {
    let mut failures = 0_u32;
    let mut due = Instant::now();
    loop {
        tokio::select! {
            () = sleep_until(due) => {}
            () = shared.nudge.notified() => {}
        }
        shared.begin();
        let result = timeout(shared.settings.timeout, source.load()).await;
        let result = result.unwrap_or(Err(KeyError::Timeout)).and_then(not_empty);
        let (result, pause) = match result {
            Ok(LoadedKeys { set, max_age }) => {
                failures = 0;
                let pause = freshness::after_success(&shared.settings, max_age, shared.poll_every);
                (Ok(set), pause)
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                (Err(error), freshness::after_failure(failures, shared.poll_every))
            }
        };
        due = Instant::now() + pause;
        shared.end(result, pause);
    }
}

/// A provider that publishes no usable key has made a mistake; the last good keys stay.
fn not_empty(keys: LoadedKeys) -> Result<LoadedKeys, KeyError> {
    match &keys.set {
        Some(set) if set.is_empty() => Err(KeyError::Empty { entries: set.left_out().len() }),
        Some(_) | None => Ok(keys),
    }
}
