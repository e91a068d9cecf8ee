//! The growth of a request's cost: `cargo bench --bench curves` prints the curves and draws them
//! into the manual (`src/manual/costs/*.svg`).

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "a bench that cannot go on ends"
)]

#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other measurements use the rest of it")]
mod support;

mod cores;
mod plot;
mod sizes;

use plot::Curve;
use plotters::chart::SeriesLabelPosition;

fn main() {
    let others = [sizes::scopes, sizes::token_size, sizes::hit_rate, cores::cores];
    for curve in sizes::grown().chain(others.into_iter().map(|curve| curve())) {
        curve.print();
        curve.draw().expect("the manual can be written");
    }
}

/// The two ways of a token that is let in.
const FIRST: &str = "first sight";
const SEEN: &str = "seen before";

/// A curve with a line for each of the two.
fn curve(file: &'static str, axis: &'static str, points: &[(f64, [f64; 2])]) -> Curve {
    let line = |of: usize| points.iter().map(|(x, costs)| (*x, costs[of])).collect();
    Curve {
        file,
        axis,
        unit: "us of processor time",
        lines: vec![(FIRST, line(0)), (SEEN, line(1))],
        legend: SeriesLabelPosition::MiddleRight,
    }
}
