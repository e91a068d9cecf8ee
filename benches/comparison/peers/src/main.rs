//! Measures `tower-fhir-auth` beside the other Rust middlewares that check access tokens, and asks
//! all of them the same questions about tokens.
//!
//! ```sh
//! cargo run --release --manifest-path benches/comparison/peers/Cargo.toml [-- --write]
//! ```
//!
//! Every contender is a process of its own, with one thread, in front of the same service; all
//! trust one issuer on loopback and are measured in turns. Ends with status 1 when a bound is
//! missed. `--write` also writes `results.md`.

mod binaries;
mod contenders;
mod measurement;
mod probes;
mod report;

use std::process::ExitCode;
use std::{env, fs};

use anyhow::Result;
use kit::{Bound, Issuer};

use binaries::Binaries;
use contenders::{CONTENDERS, Running, Work};
use probes::Probe;
use report::{Report, Row};

fn main() -> Result<ExitCode> {
    let binaries = Binaries::build()?;
    let issuer = Issuer::start()?;
    let good = format!("Bearer {}", issuer.token().sign()?);

    let mut running = Vec::new();
    let mut absent = Vec::new();
    for contender in &CONTENDERS {
        match Running::start(contender, &binaries, &issuer.trust, &good) {
            Ok(one) => running.push(one),
            Err(why) => absent.push((contender.name()?, format!("{why:#}"))),
        }
    }

    let costs = measurement::take_turns(&mut running, &good)?;
    let probes = Probe::all(&issuer)?;
    let mut rows = Vec::new();
    for (mut one, cost) in running.into_iter().zip(costs) {
        let contender = one.contender;
        let asked = if contender.work == Work::Nothing { &[] } else { probes.as_slice() };
        let answers = probes::ask(asked, &mut one)?;
        rows.push(Row { name: contender.name()?, contender, cost, answers });
    }

    let bounds = report::bounds(&rows);
    let report = Report { rows, absent, questions: probes::describe(&probes) };
    let text = format!("{report}\n{}", kit::verdicts(&bounds));
    print!("{text}");
    if env::args().any(|argument| argument == "--write") {
        fs::write(report::RESULTS, report::document(&text))?;
    }
    let missed = bounds.iter().any(Bound::is_missed);
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
