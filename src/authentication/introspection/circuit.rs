//! A circuit breaker: a provider that fails is given a pause, and is then tried by one question.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::keys::after_failure;

/// The number of failures in a row after which the provider is given a pause.
const FAILURES: u32 = 5;

/// The state in which the provider may be asked, or not.
#[derive(Debug, Default)]
pub(super) struct CircuitBreaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The number of questions in a row that failed.
    failures: u32,
    /// The number of pauses in a row, each longer than the one before, with jitter.
    pauses: u32,
    /// The end of the present pause; `None` while the provider may be asked freely.
    until: Option<Instant>,
    /// `true` while the one question after a pause is open.
    trial_in_flight: bool,
}

/// The permit to ask, which has to be given back with what came of it.
#[derive(Debug)]
#[must_use]
pub(super) struct CallPermit {
    is_trial: bool,
}

impl CircuitBreaker {
    /// Asks for a permit. Without it, returns the time until it is worth asking again.
    pub(super) fn admit(&self) -> Result<CallPermit, Duration> {
        let mut state = self.state();
        let Some(until) = state.until else {
            return Ok(CallPermit { is_trial: false });
        };
        let pause = until.saturating_duration_since(Instant::now());
        if !pause.is_zero() || state.trial_in_flight {
            return Err(pause);
        }
        state.trial_in_flight = true;
        Ok(CallPermit { is_trial: true })
    }

    /// Reports whether a permit counts at its turn: not where a pause has begun since.
    pub(super) fn still_admits(&self, permit: &CallPermit) -> bool {
        permit.is_trial || self.state().until.is_none()
    }

    pub(super) fn succeeded(&self, _: CallPermit) {
        // Any answer shows that the provider is there again, also one to a question from before the pause.
        *self.state() = State::default();
    }

    pub(super) fn failed(&self, CallPermit { is_trial }: CallPermit) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        // Questions that were open when the pause began do not make it longer.
        if is_trial || (state.until.is_none() && state.failures >= FAILURES) {
            state.pauses = state.pauses.saturating_add(1);
            state.until = Some(Instant::now() + after_failure(state.pauses, None));
            state.trial_in_flight = false;
        }
    }

    /// Takes back a permit that was not used.
    pub(super) fn unused(&self, CallPermit { is_trial }: CallPermit) {
        if is_trial {
            self.state().trial_in_flight = false;
        }
    }

    /// Returns what is left of the present pause, if there is one.
    pub(super) fn pause(&self) -> Option<Duration> {
        self.state().until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_fails_is_given_longer_and_longer_pauses_and_tried_by_one_question() {
        let circuit = CircuitBreaker::default();
        for _ in 0..FAILURES {
            circuit.failed(circuit.admit().unwrap());
        }
        let mut longest = Duration::ZERO;
        for _ in 0..12 {
            let pause = circuit.admit().unwrap_err();
            assert!(pause <= Duration::from_secs(20), "{pause:?}");
            longest = longest.max(pause);
            tokio::time::advance(pause).await;
            let trial = circuit.admit().unwrap();
            assert_eq!(circuit.admit().unwrap_err(), Duration::ZERO, "one question alone");
            circuit.failed(trial);
        }
        assert!(longest >= Duration::from_secs(10), "{longest:?}");
        tokio::time::advance(Duration::from_secs(20)).await;
        circuit.succeeded(circuit.admit().unwrap());
        let (one, other) = (circuit.admit().unwrap(), circuit.admit().unwrap());
        assert_eq!(circuit.pause(), None);
        circuit.failed(one);
        circuit.failed(other);
        assert!(circuit.admit().is_ok(), "two failures are no outage");
    }

    #[tokio::test(start_paused = true)]
    async fn questions_that_were_open_already_make_no_pause_longer() {
        let circuit = CircuitBreaker::default();
        let early = circuit.admit().unwrap();
        let open: Vec<_> = (0..1000).map(|_| circuit.admit().unwrap()).collect();
        open.into_iter().for_each(|permit| circuit.failed(permit));
        assert!(circuit.pause().unwrap() <= Duration::from_millis(500));
        tokio::time::advance(Duration::from_millis(500)).await;
        circuit.unused(circuit.admit().unwrap());
        let trial = circuit.admit().expect("a trial that was not made");
        circuit.unused(early);
        assert_eq!(circuit.admit().unwrap_err(), Duration::ZERO, "one trial alone");
        circuit.unused(trial);
    }
}
