//! The instructions that the layer takes for a request: a figure that is the same on a busy machine
//! as on an idle one, and so the one that is compared from change to change.
//!
//! `cargo bench --bench instructions` counts them with valgrind (callgrind) and compares them with
//! `benches/instructions/baseline.txt`; it fails when one has grown by more than 5 %, which is more
//! than the seeds of hash tables and the ids of tokens make of it. `-- --write` takes the new
//! figures as the baseline.
//!
//! Valgrind hides the instructions that signatures are fast with, so the one scenario that checks
//! one takes Ed25519, and its figure is no measure of that.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    reason = "a bench that cannot go on ends"
)]

#[path = "../support/callgrind.rs"]
mod callgrind;
mod scenarios;
#[expect(dead_code, reason = "other measurements use the rest of it")]
#[path = "../support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::process::ExitCode;

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions/baseline.txt");

/// How often a scenario is gone through: one turn is the difference of many and few.
const TURNS: [usize; 2] = [8, 72];

/// How much a figure may grow before somebody has to look at it, in parts of a hundred.
const TOLERANCE: u64 = 5;

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--scenario", name, turns, ..] => {
            scenarios::run(name, turns.parse()?);
            Ok(ExitCode::SUCCESS)
        }
        arguments => compare(arguments.contains(&"--write")),
    }
}

fn compare(write: bool) -> Result<ExitCode, Box<dyn Error>> {
    #[cfg(target_arch = "x86_64")]
    let comparable = is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    let comparable = false;
    if !comparable {
        println!("not run: the baseline is one of x86-64 with AVX2");
        return Ok(ExitCode::SUCCESS);
    }
    let before = baseline();
    let mut now = String::from("# instructions of one request\n");
    let mut grown = false;
    println!("{:<34} {:>9} {:>9}", "one request", "before", "now");
    for name in scenarios::NAMES {
        let figure = of_one_turn(name)?;
        let known = before.get(*name).copied();
        let limit = known.map(|known| known + known * TOLERANCE / 100);
        let verdict = match limit {
            Some(limit) if figure > limit => "grown",
            Some(_) => "",
            None => "new",
        };
        grown |= verdict == "grown";
        let shown = known.map_or_else(|| "-".to_owned(), |known| known.to_string());
        println!("{name:<34} {shown:>9} {figure:>9} {verdict}");
        writeln!(now, "{figure:>7} {name}")?;
    }
    if write {
        fs::write(BASELINE, now)?;
        return Ok(ExitCode::SUCCESS);
    }
    Ok(if grown { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn baseline() -> BTreeMap<String, u64> {
    let text = fs::read_to_string(BASELINE).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.trim().split_once(' '));
    lines.filter_map(|(figure, name)| Some((name.to_owned(), figure.parse().ok()?))).collect()
}

fn of_one_turn(scenario: &str) -> Result<u64, Box<dyn Error>> {
    let [few, many] = TURNS;
    let counted = |turns| callgrind::instructions(scenario, turns);
    let difference = counted(many)?.saturating_sub(counted(few)?);
    Ok(difference / u64::try_from(many - few)?)
}
