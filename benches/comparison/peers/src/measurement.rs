//! The cost of a request: contenders take turns, so that whatever else the machine does meets all.

use std::time::Duration;

use anyhow::Result;
use kit::median;

use crate::contenders::Running;

/// Turns of each contender: many and short ones, for neighbours come and go within seconds.
const ROUNDS: usize = 61;

/// How long one turn is meant to take.
const TURN: Duration = Duration::from_millis(25);

/// The CPU time of one request, for each contender the median of its rounds.
///
/// # Errors
///
/// When a contender refuses the good token, or ends.
pub(crate) fn take_turns(running: &mut [Running], authorization: &str) -> Result<Vec<Duration>> {
    let mut sizes = Vec::new();
    for child in running.iter_mut() {
        child.batch(100, authorization)?;
        let sample = child.batch(100, authorization)? / 100;
        sizes.push(requests_per_turn(sample));
    }
    let mut rounds = vec![Vec::new(); running.len()];
    for _ in 0..ROUNDS {
        for ((child, size), taken) in running.iter_mut().zip(&sizes).zip(&mut rounds) {
            taken.push((child.batch(*size, authorization)? / *size).as_secs_f64());
        }
    }
    Ok(rounds.into_iter().map(|taken| Duration::from_secs_f64(median(taken))).collect())
}

fn requests_per_turn(sample: Duration) -> u32 {
    let requests = TURN.as_nanos() / sample.as_nanos().max(1);
    u32::try_from(requests).unwrap_or(u32::MAX).clamp(100, 200_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_last_about_as_long_whatever_a_request_costs() {
        assert_eq!(requests_per_turn(Duration::from_micros(20)), 1_250);
        assert_eq!(requests_per_turn(Duration::from_secs(1)), 100);
        assert_eq!(requests_per_turn(Duration::ZERO), 200_000);
    }
}
