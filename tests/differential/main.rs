//! Tokens and key sets that are made here, judged by libraries that nobody here wrote.
//!
//! ```text
//! .ci/world differential 20000       installs the judges, then
//! cargo test --test differential -- 20000 --seed 1
//! ```
//!
//! Each disagreement has to stand in `excused.md` with the clause that makes one side stricter; a line there
//! that excuses nothing is an error, too, when cases are many. The last line has the figures.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed step of a test is a failed test")]

mod changes;
mod draft;
mod excused;
mod judges;
mod ours;

use std::collections::BTreeMap;
use std::process::ExitCode;

use draft::{Case, Keys};
use excused::Excuses;

/// How many cases are made without a number.
const FEW: usize = 400;
/// From so many cases on, each excuse has to be needed.
const MANY: usize = 5_000;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let at = arguments.iter().position(|one| one == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    let count = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(FEW);
    let mut random = fastrand::Rng::with_seed(after("--seed").unwrap_or(1));
    let keys = Keys::generate();
    let cases: Vec<Case> = (0..count).map(|at| changes::case(&keys, &mut random, at)).collect();
    let ours = ours::verdicts(&cases).await;

    let mut excuses = Excuses::read();
    let (mut disagreements, mut left) = (0, 0);
    let mut told: BTreeMap<String, usize> = BTreeMap::new();
    for judge in judges::ALL {
        let Some(theirs) = judge.verdicts(&cases) else {
            println!("differential: {}: NOT RUN, it is not installed", judge.name);
            left += 1;
            continue;
        };
        for ((case, ours), theirs) in cases.iter().zip(&ours).zip(&theirs) {
            if ours.accepted == theirs.accepted {
                continue;
            }
            disagreements += 1;
            if excuses.excuse(judge.name, &case.changes, theirs.accepted) {
                continue;
            }
            left += 1;
            let label =
                format!("{} {}: {}", judge.name, verb(theirs.accepted), case.changes.join(" + "));
            let seen = told.entry(label.clone()).or_default();
            *seen += 1;
            if *seen == 1 {
                println!(
                    "{label}\n  ours: {}\n  theirs: {}\n  {}",
                    ours.reason, theirs.reason, case.token
                );
            }
        }
    }
    if count >= MANY {
        for line in excuses.unused() {
            println!("an excuse that excuses nothing: {line}");
            left += 1;
        }
    }
    let excused = disagreements - told.values().sum::<usize>();
    println!(
        "differential: {count} tokens by {} judges, {disagreements} disagreements, {excused} excused, {left} left",
        judges::ALL.len(),
    );
    if left == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verb(accepted: bool) -> &'static str {
    if accepted { "accepts" } else { "refuses" }
}
