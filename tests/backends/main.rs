//! Servers that nobody here wrote behind the gateway, and the example server twice.
//!
//! ```text
//! cargo test --test backends -- equality 10000   the gateway before the bare example, and the example itself
//! cargo test --test backends -- hapi 5000        `mvn -q -f tests/backends/hapi compile` first
//! cargo test --test backends -- mock 5000        `npm ci --prefix tests/backends/mock` first
//! cargo test --test backends                     a few of each
//! ```
//!
//! Requests are made from a seed (`--seed 1`), and one of them alone is made again by `--only 17`; `1000-5000` are
//! those of 5,000 that come after the first thousand. With `--changes` one in three changes something, one request at
//! a time. The last lines are the figures. It fails, too, if fewer than 95 % pass of what was granted.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]
#![expect(clippy::indexing_slicing, reason = "serde_json answers null where nothing is")]

mod callers;
mod changes;
mod data;
mod equality;
mod figures;
mod leaks;
mod marks;
mod parameters;
#[expect(dead_code, reason = "the tests of the examples use all of it")]
#[path = "../examples/programs.rs"]
mod programs;
mod reads;
mod requests;
mod run;
mod servers;
mod wire;

use std::ops::Range;
use std::process::ExitCode;

use servers::Behind;

/// How many requests are made of each kind of server without a number.
const FEW: u64 = 200;

/// The numbers of requests: `5000` are the first ones, and `1000-5000` those after the first thousand.
fn numbers(text: &str) -> Option<Range<u64>> {
    let (start, end) = text.split_once('-').unwrap_or(("0", text));
    Some(start.parse().ok()?..end.parse().ok()?)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &str| {
        arguments
            .iter()
            .position(|one| one == text)
            .and_then(|at| arguments.get(at + 1)?.parse().ok())
    };
    let numbers = arguments.get(1).and_then(|text| numbers(text)).unwrap_or(0..FEW);
    let changes = arguments.iter().any(|one| one == "--changes");
    let plan =
        run::Plan { seed: number("--seed").unwrap_or(1), numbers, only: number("--only"), changes };
    let passed = match arguments.first().map(String::as_str) {
        Some("equality") => run::equality(&plan).await,
        Some("hapi") => run::behind(&Behind::Hapi, "hapi", &plan).await,
        Some("mock") => run::behind(&Behind::Mock, "mock", &plan).await,
        _ => {
            let behind = run::behind(&Behind::Mock, "mock", &plan).await
                & run::behind(&Behind::Hapi, "hapi", &plan).await;
            run::equality(&plan).await & behind
        }
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
