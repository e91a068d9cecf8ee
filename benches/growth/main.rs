//! How a decision grows with what strangers choose: the instructions of one, at n, 2n, 4n and 8n
//! scopes or parameters.
//!
//! `cargo bench --bench growth` counts them with valgrind (callgrind), so that the figures are the
//! same on a busy machine as on an idle one; it fails when a doubling more than doubles a decision,
//! with 10 % of slack.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a bench that cannot go on ends"
)]

#[path = "../support/callgrind.rs"]
mod callgrind;
mod shapes;
#[expect(dead_code, reason = "other measurements use the rest of it")]
#[path = "../support/widest.rs"]
mod widest;
#[expect(dead_code, reason = "other measurements use the rest of it")]
#[path = "../support/world.rs"]
mod world;

use std::env;
use std::error::Error;
use std::process::ExitCode;
use std::thread;

/// The sizes, in bytes of scopes or of a query.
const SIZES: [usize; 4] = [1_000, 2_000, 4_000, 8_000];

/// How many decisions a figure is of.
const TURNS: usize = 4;

/// By what a doubling may multiply a figure: twice, and a tenth of slack.
const BOUND: f64 = 2.2;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--scenario", name, turns, ..] => {
            shapes::run(name, turns.parse()?);
            Ok(ExitCode::SUCCESS)
        }
        _ => judge(),
    }
}

fn judge() -> Result<ExitCode, Box<dyn Error>> {
    println!("{:<28} {:>40} {:>7}", "one decision", "instructions at n, 2n, 4n, 8n", "worst");
    let mut missed = false;
    for name in shapes::names() {
        let figures = figures(name)?;
        let doublings = figures.windows(2).map(|pair| ratio(pair[1], pair[0]));
        let worst = doublings.fold(0.0, f64::max);
        let verdict = if worst > BOUND { "MISSED" } else { "" };
        missed |= worst > BOUND;
        let figures = figures.map(|figure| figure.to_string()).join(", ");
        println!("{name:<28} {figures:>40} {worst:>7.2} {verdict}");
    }
    println!("bound of a doubling: {BOUND}");
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn ratio(more: u64, less: u64) -> f64 {
    let float = |figure: u64| u32::try_from(figure).map_or(f64::MAX, f64::from);
    float(more) / float(less)
}

/// The figures of a shape, of which as many are counted at once as there are processors.
fn figures(name: &str) -> Result<[u64; SIZES.len()], Box<dyn Error>> {
    let mut figures = [0; SIZES.len()];
    let counted: Vec<Result<u64, String>> = thread::scope(|scope| {
        let count = |size: usize| {
            let scenario = format!("{name} {size}");
            move || callgrind::instructions(&scenario, TURNS).map_err(|error| error.to_string())
        };
        let running = SIZES.map(|size| scope.spawn(count(size)));
        running.into_iter().map(|one| one.join().expect("no panic")).collect()
    });
    for (figure, counted) in figures.iter_mut().zip(counted) {
        *figure = counted? / TURNS as u64;
    }
    Ok(figures)
}
