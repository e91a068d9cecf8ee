//! The report of the questions to a provider, for operators.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::answer::IntrospectionAnswer;
use super::error::IntrospectionError;
use crate::display_safe::sanitize;
use crate::error::ErrorCause;
use crate::keys::IntrospectionHealth;
use crate::telemetry::log;
use crate::time::UnixTime;

/// The questions so far.
#[derive(Debug, Default)]
pub(super) struct Report(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    asked: u64,
    last_success: Option<UnixTime>,
    last_error: Option<IntrospectionError>,
}

impl Report {
    /// Takes note of what came of a question. What was told before is not told again.
    pub(super) fn note(
        &self,
        issuer: &Arc<str>,
        result: &Result<IntrospectionAnswer, IntrospectionError>,
        now: UnixTime,
    ) {
        let mut state = self.state();
        state.asked += 1;
        match result {
            Ok(_) => {
                if state.last_error.take().is_some() {
                    log::info!(issuer = &**issuer, "the provider answers introspections again");
                }
                state.last_success = Some(now);
            }
            Err(error) => {
                if state.last_error.as_ref() != Some(error) {
                    let error = sanitize(&error.to_string());
                    log::warn!(issuer = &**issuer, error, "introspection failed");
                    let _ = error;
                }
                state.last_error = Some(error.clone());
            }
        }
        let _ = issuer;
    }

    pub(super) fn write_to(&self, health: &mut IntrospectionHealth) {
        let state = self.state();
        health.reachable = state.last_error.is_none();
        health.asked = state.asked;
        health.last_success = state.last_success;
        health.last_error = state.last_error.clone().map(ErrorCause::new);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
