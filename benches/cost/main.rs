//! The costs of the layer, figure beside bound: `cargo bench --bench cost`.
//!
//! Ends with a non-zero status when a bound is missed. Everything is a ratio of two things that
//! were measured in turns in this run, or a number of allocations; what a busy machine decides
//! (the slowest requests of a thousand) is printed and not judged. `-- keys` measures only the rows
//! whose name has `keys` in it.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a bench that cannot go on ends"
)]

#[path = "../support/mod.rs"]
mod support;

mod allocations;
mod bound;
mod confined;
mod decisions;
mod flood;
mod growth;
mod paths;
mod report;
mod swap;

use std::process::ExitCode;

use report::Report;

fn main() -> ExitCode {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let mut report = Report::new(wanted);
    paths::measure(&mut report);
    bound::measure(&mut report);
    growth::measure(&mut report);
    decisions::measure(&mut report);
    confined::measure(&mut report);
    swap::measure(&mut report);
    flood::measure(&mut report);
    allocations::measure(&mut report);
    report.end()
}
