//! Warnings on standard error, for whoever reads the answer.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

/// Writes events to standard error: those that `RUST_LOG` chooses, else warnings. Each command tells by
/// itself of keys that could not be loaded. A subscriber that is there already stays.
pub(crate) fn to_standard_error() {
    let warnings = Targets::new().with_default(LevelFilter::WARN);
    let chosen = chosen(warnings.with_target("tower_fhir_auth::keys", LevelFilter::OFF));
    let events = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let events =
        events.with_ansi(std::io::stderr().is_terminal()).without_time().with_target(false);
    // The only error is that there is one.
    let _ = tracing_subscriber::registry().with(events.with_filter(chosen)).try_init();
}

/// Writes events to standard error as a server does: with their times, those of keys, too, and every
/// refusal, for whoever is refused asks the operator why.
pub(crate) fn of_a_server() {
    let warnings = Targets::new().with_default(LevelFilter::WARN);
    let chosen = chosen(warnings.with_target("tower_fhir_auth::rejection", LevelFilter::INFO));
    let events = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let events = events.with_ansi(std::io::stderr().is_terminal());
    // The only error is that there is one.
    let _ = tracing_subscriber::registry().with(events.with_filter(chosen)).try_init();
}

/// Returns the events that `RUST_LOG` chooses, if it is set and can be read.
fn chosen(otherwise: Targets) -> Targets {
    let chosen = std::env::var("RUST_LOG").ok().and_then(|text| text.parse().ok());
    chosen.unwrap_or(otherwise)
}
