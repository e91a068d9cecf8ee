//! The time that is measured.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The CPU time of this thread: what neighbours on the machine take is not in it.
pub(crate) fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(now).unwrap_or_default()
}
