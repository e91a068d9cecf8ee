//! What a request costs: contenders take turns, so that whatever else the machine does meets all.

use std::time::Duration;

use crate::Failure;
use crate::child::Child;
use crate::contenders::Contender;

/// Turns of each contender: many and short ones, for neighbours come and go within seconds.
const ROUNDS: usize = 61;

/// How long one turn is meant to take.
const TURN: Duration = Duration::from_millis(25);

/// The CPU time of one request, for each contender the median of its rounds.
///
/// # Errors
///
/// When a contender refuses the good token, or ends.
pub(crate) fn take_turns(
    running: &mut [(&Contender, Child)],
    authorization: &str,
) -> Result<Vec<Duration>, Failure> {
    let mut sizes = Vec::new();
    for (_, child) in running.iter_mut() {
        child.batch(100, authorization)?;
        let sample = child.batch(100, authorization)? / 100;
        sizes.push(requests_per_turn(sample));
    }
    let mut rounds = vec![Vec::new(); running.len()];
    for _ in 0..ROUNDS {
        for (((_, child), size), taken) in running.iter_mut().zip(&sizes).zip(&mut rounds) {
            taken.push(child.batch(*size, authorization)? / *size);
        }
    }
    Ok(rounds.into_iter().map(median).collect())
}

fn requests_per_turn(sample: Duration) -> u32 {
    let requests = TURN.as_nanos() / sample.as_nanos().max(1);
    u32::try_from(requests).unwrap_or(u32::MAX).clamp(100, 200_000)
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    let upper = values[values.len() / 2];
    let lower = values[(values.len() - 1) / 2];
    (upper + lower) / 2
}

/// How many times as much the first costs as the second.
pub(crate) fn ratio(cost: Duration, reference: Duration) -> f64 {
    cost.as_secs_f64() / reference.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(values: &[u64]) -> Vec<Duration> {
        values.iter().copied().map(Duration::from_micros).collect()
    }

    #[test]
    fn the_median_is_no_mean() {
        assert_eq!(median(micros(&[7, 900, 5])), Duration::from_micros(7));
        assert_eq!(median(micros(&[8, 2, 4, 900])), Duration::from_micros(6));
    }

    #[test]
    fn a_ratio_says_how_many_times_as_much() {
        let [fast, slow] = [20, 30].map(Duration::from_micros);
        assert_eq!(ratio(slow, fast), 1.5);
        assert_eq!(ratio(fast, fast), 1.0);
    }

    #[test]
    fn turns_last_about_as_long_whatever_a_request_costs() {
        assert_eq!(requests_per_turn(Duration::from_micros(20)), 1_250);
        assert_eq!(requests_per_turn(Duration::from_secs(1)), 100);
        assert_eq!(requests_per_turn(Duration::ZERO), 200_000);
    }
}
