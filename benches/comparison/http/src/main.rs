//! The layer beside other ways to check a token, over HTTP: CPU per request of each server, and
//! what its check adds to the same server without one.
//!
//! ```text
//! benches/comparison/http/install      Envoy, HAProxy, Express; once
//! cargo run --release --manifest-path benches/comparison/http/Cargo.toml
//!                       measures and judges
//!     -- --write            also writes `results.md`
//!     -- --rounds 5         forty without it
//!     -- --slice 2000       milliseconds for each server in each round; 250 without it
//!     -- --connections 16   that ask at once; 50 without it
//!     -- --only axum        the servers whose name has this text
//!     -- --decisions        proxies that ask `fhir-auth decide`, in the place of the others
//! ```
//!
//! Read on in the order of a run: the kit's issuer makes a key and tokens; `servers` starts
//! everyone; `proof` shows that a check is one; `load` asks, closed loop; `measure` does so in
//! rounds; `report` prints the table and judges it.
//!
//! Needs Linux, which tells the CPU time of another process. Figures of different runs do not
//! compare: the ratios of one run do. Exit status 1 says that a bound was missed.

mod decisions;
mod http;
mod load;
mod measure;
mod options;
mod proof;
mod report;
mod servers;

use std::process::ExitCode;

use anyhow::{Context, Result};
use kit::{Bound, Issuer};

use options::{Command, Options};
use proof::Tokens;

/// The servers of our side have an allocator made for servers, as Envoy has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let result = options::command().and_then(|command| match command {
        Command::Serve(task) => servers::axum::serve(&task).map(|()| ExitCode::SUCCESS),
        Command::Compare(options) => compare(&options),
    });
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn compare(options: &Options) -> Result<ExitCode> {
    let issuer = Issuer::start().context("the issuer on loopback")?;
    let tokens = Tokens::of(&issuer)?;
    let rows = measure::all(options, &issuer.trust, &tokens)?;

    if options.decisions {
        let table = decisions::table(&rows);
        println!("{table}");
        if options.write {
            decisions::write(options, &table).context("decisions.md")?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let table = report::table(&rows)?;
    let bounds = report::bounds(&rows);
    let verdicts = kit::verdicts(&bounds);
    println!("{table}\n{verdicts}");
    if options.write {
        report::write(options, tokens.good.len(), &table, &verdicts).context("results.md")?;
    }
    let missed = bounds.iter().any(Bound::is_missed);
    Ok(if missed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
