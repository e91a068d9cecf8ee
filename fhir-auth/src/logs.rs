//! Warnings on standard error, for whoever reads the answer.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The events that are written unless `RUST_LOG` says otherwise. Each command tells by itself of keys
/// that could not be loaded.
const DEFAULT: &str = "warn,tower_fhir_auth::keys=off";

/// Writes events to standard error. A subscriber that is there already stays.
pub(crate) fn to_standard_error() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let events = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let events = events.with_ansi(std::io::stderr().is_terminal());
    // The only error is that there is one.
    let _ = events.without_time().with_target(false).try_init();
}
