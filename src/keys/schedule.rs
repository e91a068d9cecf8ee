//! The schedule of loads.

use std::time::Duration;

use super::settings::KeySettings;

/// The range within which a provider's `max-age` may move the refresh.
const MAX_AGE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(24 * 3600));

/// The first and the longest pause after a failed load.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(20));

/// Returns the pause after a load that succeeded. It ends well before the keys become too old.
pub(crate) fn after_success(
    settings: &KeySettings,
    max_age: Option<Duration>,
    poll_every: Option<Duration>,
) -> Duration {
    if let Some(pause) = poll_every {
        return pause;
    }
    let wanted = match max_age {
        Some(max_age) => max_age.clamp(MAX_AGE.0, MAX_AGE.1),
        None => settings.refresh,
    };
    // Servers that started at the same moment would otherwise load at the same moment for ever.
    jittered(wanted.min(settings.max_stale.mul_f64(0.75)), 0.9)
}

/// Returns the pause from the beginning of the `failures`-th failed load in a row to the next:
/// doubling, with jitter, so that many servers do not come back at once.
pub(crate) fn after_failure(failures: u32, poll_every: Option<Duration>) -> Duration {
    if let Some(pause) = poll_every {
        return pause;
    }
    let doublings = failures.saturating_sub(1).min(16);
    let pause = RETRY.0.saturating_mul(2_u32.saturating_pow(doublings));
    jittered(pause.min(RETRY.1), 0.5)
}

/// Returns a random part of `span`, at least `least` of it.
fn jittered(span: Duration, least: f64) -> Duration {
    span.mul_f64(least + (1.0 - least) * fastrand::f64())
}

/// Reads `max-age` of a `Cache-Control` header (RFC 9111 section 5.2.2.1).
#[cfg_attr(not(feature = "client"), expect(dead_code, reason = "only HTTP has such a header"))]
pub(crate) fn max_age(cache_control: &str) -> Option<Duration> {
    cache_control.split(',').find_map(|directive| {
        let (name, value) = directive.trim().split_once('=')?;
        // RFC 9111 section 5.2: recipients ought to accept the quoted form, too.
        let seconds = value.trim_matches('"').parse().ok()?;
        name.eq_ignore_ascii_case("max-age").then(|| Duration::from_secs(seconds))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn max_age_moves_the_refresh_within_bounds() {
        let settings = KeySettings::default().refresh(secs(5));
        for (max_age, low, high) in [
            (None, 4.5, 5.0),
            (Some(0), 54.0, 60.0),
            (Some(600), 540.0, 600.0),
            (Some(u64::MAX), 0.9 * 64_800.0, 64_800.0),
        ] {
            let pause = after_success(&settings, max_age.map(secs), None).as_secs_f64();
            assert!((low..=high).contains(&pause), "{max_age:?} gave {pause} s");
        }
    }

    #[test]
    fn failed_loads_are_retried_at_most_20_s_apart() {
        for failures in [1, 2, 5, 6, 1000, u32::MAX] {
            let pause = after_failure(failures, None);
            assert!(pause <= secs(20) && pause >= secs(0), "{failures}: {pause:?}");
        }
        assert!(after_failure(1, None) <= Duration::from_millis(500));
    }

    #[test]
    fn keys_are_refreshed_before_they_are_too_old() {
        let settings = KeySettings::default().refresh(secs(3600)).max_stale(secs(4));
        assert!(after_success(&settings, Some(secs(600)), None) <= secs(3));
    }

    #[test]
    fn max_age_is_found_among_other_directives() {
        assert_eq!(max_age("public, max-age=300, must-revalidate"), Some(secs(300)));
        assert_eq!(max_age("Max-Age=\"7\""), Some(secs(7)));
        for none in ["", "no-store", "max-age", "max-age=x", "s-maxage=5", "x-max-age=3"] {
            assert_eq!(max_age(none), None, "{none}");
        }
    }
}
