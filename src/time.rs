//! Points in time, and the clock they are read from.

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second that RFC 3339 can express: `9999-12-31T23:59:59Z`.
const LAST_SECOND: i64 = 253_402_300_799;

/// A point in time, in milliseconds since `1970-01-01T00:00:00Z`, leap seconds not counted.
///
/// `Display` writes RFC 3339 in UTC, to the second, for example `2026-01-01T00:00:00Z`: all before 1970 as its first
/// second, and all after 9999 as its last.
///
/// ```
/// use std::time::Duration;
/// use tower_fhir_auth::authentication::UnixTime;
///
/// let issued = UnixTime::from_secs(1_700_000_000);
/// let expires = issued.saturating_add(Duration::from_secs(300));
/// assert_eq!(expires.as_secs(), 1_700_000_300);
/// assert!(issued < expires);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime {
    millis: i64,
}

impl UnixTime {
    /// Returns the point `seconds` after 1970, limited to the years that RFC 3339 can express.
    #[must_use]
    pub fn from_secs(seconds: i64) -> Self {
        Self { millis: seconds.clamp(-LAST_SECOND, LAST_SECOND) * 1000 }
    }

    /// Reads a `NumericDate` (RFC 7519 section 2). Returns `None` when it is not finite, or lies
    /// outside the years that RFC 3339 can express, as milliseconds mistaken for seconds do.
    #[must_use]
    pub fn from_numeric_date(seconds: f64) -> Option<Self> {
        #[expect(
            clippy::as_conversions,
            clippy::cast_precision_loss,
            reason = "12 digits are exact in an f64"
        )]
        let limit = LAST_SECOND as f64;
        if !(-limit..=limit).contains(&seconds) {
            return None;
        }
        #[expect(
            clippy::as_conversions,
            clippy::cast_possible_truncation,
            reason = "the range was checked above; what is below a millisecond is dropped"
        )]
        let millis = (seconds * 1000.0).floor() as i64;
        Some(Self { millis })
    }

    /// Returns whole seconds since 1970, rounded down.
    #[must_use]
    pub fn as_secs(self) -> i64 {
        self.millis.div_euclid(1000)
    }

    /// Moves this point later, up to the end of time.
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self { millis: self.millis.saturating_add(span) }
    }

    /// Returns the next point that can be told from this one.
    #[must_use]
    pub(crate) fn next(self) -> Self {
        Self { millis: self.millis.saturating_add(1) }
    }

    /// Returns how long this point is after an earlier one; nothing where it is not.
    #[must_use]
    pub(crate) fn since(self, earlier: Self) -> Duration {
        let millis = self.millis.saturating_sub(earlier.millis);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// Moves this point earlier, down to the beginning of time.
    #[must_use]
    pub fn saturating_sub(self, span: Duration) -> Self {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self { millis: self.millis.saturating_sub(span) }
    }
}

impl From<SystemTime> for UnixTime {
    fn from(time: SystemTime) -> Self {
        let signed = |span: Duration| {
            let millis = span.as_secs().saturating_mul(1000);
            i64::try_from(millis).unwrap_or(i64::MAX).saturating_add(span.subsec_millis().into())
        };
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => signed(since),
            Err(before) => -signed(before.duration()),
        };
        Self { millis }
    }
}

impl From<UnixTime> for SystemTime {
    fn from(time: UnixTime) -> Self {
        let span = Duration::from_millis(time.millis.unsigned_abs());
        let moved = if time.millis < 0 {
            UNIX_EPOCH.checked_sub(span)
        } else {
            UNIX_EPOCH.checked_add(span)
        };
        moved.unwrap_or(UNIX_EPOCH)
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Times before 1970 carry no meaning in a token beyond "long ago".
        let seconds = u64::try_from(self.as_secs().min(LAST_SECOND)).unwrap_or(0);
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        humantime::format_rfc3339_seconds(time).fmt(f)
    }
}

/// The source of "now" when times in a token are validated.
///
/// The default is [`SystemClock`]. Another one makes tests of expiry deterministic; the `test-util`
/// feature brings one that only moves when it is told to.
///
/// ```
/// use tower_fhir_auth::authentication::{Clock, UnixTime};
///
/// /// Stands still.
/// #[derive(Debug)]
/// struct Noon;
///
/// impl Clock for Noon {
///     fn now(&self) -> UnixTime {
///         UnixTime::from_secs(1_700_000_000)
///     }
/// }
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Returns the present moment.
    fn now(&self) -> UnixTime;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> UnixTime {
        (**self).now()
    }
}

/// The operating system's wall clock.
///
/// ```
/// use tower_fhir_auth::authentication::{Clock, SystemClock, UnixTime};
///
/// assert!(SystemClock.now() > UnixTime::from_secs(1_700_000_000));
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "written as a value; it will never have fields")]
pub struct SystemClock;

impl SystemClock {
    /// Returns one clock for all who have no other: what is shared is shared by those of one clock.
    pub(crate) fn shared() -> Arc<dyn Clock> {
        static CLOCK: LazyLock<Arc<dyn Clock>> = LazyLock::new(|| Arc::new(SystemClock));
        Arc::clone(&CLOCK)
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        SystemTime::now().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_dates_keep_fractions_and_refuse_what_no_calendar_has() {
        let half = UnixTime::from_numeric_date(1.5).unwrap();
        assert!(half > UnixTime::from_secs(1) && half < UnixTime::from_secs(2));
        for bad in [f64::NAN, f64::INFINITY, 1e300, -1e300, 1.8e12] {
            assert_eq!(UnixTime::from_numeric_date(bad), None, "{bad}");
        }
    }

    #[test]
    fn display_is_rfc_3339_in_utc_and_total() {
        assert_eq!(UnixTime::from_secs(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(UnixTime::from_secs(-5).to_string(), "1970-01-01T00:00:00Z");
        let last = UnixTime::from_secs(i64::MAX);
        assert_eq!(last.to_string(), "9999-12-31T23:59:59Z");
        assert_eq!(last.saturating_add(Duration::MAX).to_string(), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn a_time_of_the_system_is_the_same_moment_before_1970_as_after() {
        let span = Duration::from_millis(1500);
        for (system, millis) in [
            (UNIX_EPOCH - span, -1500),
            (UNIX_EPOCH - Duration::from_millis(1), -1),
            (UNIX_EPOCH, 0),
            (UNIX_EPOCH + span, 1500),
        ] {
            let time = UnixTime { millis };
            assert_eq!(UnixTime::from(system), time);
            assert_eq!(SystemTime::from(time), system, "{millis}");
        }
    }
}
