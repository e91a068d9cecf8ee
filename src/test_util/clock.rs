//! A clock that only moves when it is told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::time::{Clock, UnixTime};

/// A clock that shows one moment until it is moved. Clones share it.
///
/// ```
/// use tower_fhir_auth::test_util::TestClock;
/// use tower_fhir_auth::authentication::{Clock, UnixTime};
///
/// let clock = TestClock::at(1_800_000_000);
/// clock.advance(60);
/// assert_eq!(clock.now(), UnixTime::from_secs(1_800_000_060));
/// ```
#[derive(Clone, Debug)]
pub struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// Makes a clock at a number of seconds since 1970.
    #[must_use]
    pub fn at(seconds: i64) -> Self {
        Self(Arc::new(AtomicI64::new(seconds)))
    }

    /// Moves the clock, forwards or backwards.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(self.0.load(Ordering::SeqCst))
    }
}
