//! Measures `tower-fhir-auth` beside the other Rust middlewares that check access tokens, and asks
//! all of them the same questions about tokens.
//!
//! ```sh
//! cargo run --release --manifest-path benches/peers/Cargo.toml [-- --write]
//! ```
//!
//! Every contender is a process of its own, with one thread, in front of the same service; all
//! trust one provider on loopback and are measured in turns. Ends with status 1 when a bound is
//! missed. `--write` also writes `results.md`.

mod binaries;
mod bounds;
mod child;
mod contenders;
mod measurement;
mod probes;
mod provider;
mod signing;
mod table;
mod token;

use std::error::Error;
use std::process::ExitCode;
use std::{env, fs};

use binaries::Binaries;
use child::Child;
use contenders::{CONTENDERS, Work};
use probes::Probe;
use provider::Provider;
use table::{Report, Row};

/// What ends a run without a result.
type Failure = Box<dyn Error>;

fn main() -> Result<ExitCode, Failure> {
    let binaries = Binaries::build()?;
    let provider = Provider::start()?;
    let good = provider.good_token().bearer();

    let mut running = Vec::new();
    let mut absent = Vec::new();
    for contender in &CONTENDERS {
        match Child::start(contender, &binaries, &provider).and_then(|child| child.warm(&good)) {
            Ok(child) => running.push((contender, child)),
            Err(why) => absent.push((contender.name()?, why.to_string())),
        }
    }

    let costs = measurement::take_turns(&mut running, &good)?;
    let probes = Probe::all(&provider)?;
    let mut rows = Vec::new();
    for ((contender, mut child), cost) in running.into_iter().zip(costs) {
        let asked = if contender.work == Work::Nothing { &[] } else { probes.as_slice() };
        let answers = probes::ask(asked, contender, &mut child)?;
        rows.push(Row { name: contender.name()?, contender, cost, answers });
    }

    let report = Report { rows, absent, questions: probes::describe(&probes) };
    let verdict = bounds::judge(&report.rows)?;
    let text = format!("{report}\n{verdict}");
    print!("{text}");
    if env::args().any(|argument| argument == "--write") {
        fs::write(table::RESULTS, table::document(&text))?;
    }
    Ok(if verdict.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
