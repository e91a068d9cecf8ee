//! The table and the verdicts, as Markdown that a terminal can show.

use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::bounds::{self, Bound, Limit, Verdict};
use crate::measure::{Contender, Row};
use crate::options::Options;
use crate::servers::Server;

const COLUMNS: [&str; 9] = [
    "server",
    "version",
    "good, bad tokens",
    "requests/s",
    "CPU µs/request",
    "of which the check",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
];
/// So many columns are text.
const TEXTS: usize = 3;

type Cells = [String; COLUMNS.len()];

pub(crate) fn table(rows: &[Row]) -> Result<String> {
    let mut cells = Vec::new();
    for Row { server, outcome } in rows {
        cells.push(match outcome {
            Ok(measured) => measured_cells(*server, measured, rows)?,
            Err(_) => missing_cells(*server),
        });
    }
    let mut text = aligned(&cells);
    text.push_str("\nBad tokens: another signature, `iss`, `aud`, and an `exp` that is over.\n");
    for row in rows {
        if let Err(error) = &row.outcome {
            text.push_str(&format!("\nNot run: {}: {error:#}.\n", row.server.name()));
        }
    }
    Ok(text)
}

fn measured_cells(server: Server, measured: &Contender, rows: &[Row]) -> Result<Cells> {
    let check = match bounds::measured(rows, server.bare()) {
        Some(bare) if server.checks() => format!("{:.1}", measured.cpu_beyond(bare)),
        _ => String::new(),
    };
    Ok([
        server.name().to_owned(),
        measured.version.clone(),
        measured.proof.to_string(),
        format!("{:.0}", measured.rate()),
        format!("{:.1}", measured.cpu()),
        check,
        format!("{:.2}", measured.latency(0.5)?),
        format!("{:.2}", measured.latency(0.99)?),
        format!("{:.2}", measured.latency(0.999)?),
    ])
}

fn missing_cells(server: Server) -> Cells {
    let mut cells = Cells::default();
    let [name, _, proof, ..] = &mut cells;
    *name = server.name().to_owned();
    *proof = "not run".to_owned();
    cells
}

fn aligned(cells: &[Cells]) -> String {
    let heads = COLUMNS.map(str::to_owned);
    let width = |column: usize| {
        let all = std::iter::once(&heads).chain(cells).filter_map(|row| row.get(column));
        all.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let line = |row: &Cells| {
        let cell = |(column, text): (usize, &String)| {
            let width = width(column);
            if column < TEXTS { format!(" {text:width$} |") } else { format!(" {text:>width$} |") }
        };
        format!("|{}\n", row.iter().enumerate().map(cell).collect::<String>())
    };
    let rule = |column: usize| {
        let dashes = "-".repeat(width(column));
        if column < TEXTS { format!(" {dashes} |") } else { format!(" {dashes}:|") }
    };
    let rules: String = (0..COLUMNS.len()).map(rule).collect();
    format!("{}|{rules}\n{}", line(&heads), cells.iter().map(line).collect::<String>())
}

pub(crate) fn verdicts(judged: &[(Bound, Verdict)]) -> String {
    judged.iter().map(|(bound, verdict)| one_bound(bound, verdict)).collect()
}

fn one_bound(bound: &Bound, verdict: &Verdict) -> String {
    let (over, server) = (bound.over.name(), bound.server.name());
    let limit = match bound.limit {
        Limit::AtLeast(limit) => format!("at least {limit}"),
        Limit::AtMost(limit) => format!("at most {limit}"),
    };
    let verdict = match verdict {
        Verdict::Held(ratio) => format!("{ratio:.2}, held"),
        Verdict::Missed(ratio) => format!("{ratio:.2}, **missed**"),
        Verdict::NotJudged(missing) => format!("not judged, for want of {missing}"),
    };
    format!("- CPU of *{server}* over *{over}*: {limit}; {verdict}\n")
}

/// `benches/http/results.md`.
pub(crate) fn write(options: &Options, token: usize, table: &str, verdicts: &str) -> Result<()> {
    let Options { rounds, connections, slice, .. } = *options;
    let slice = slice.as_millis();
    let text = format!(
        "# Over HTTP

`cargo run --release --manifest-path benches/http/Cargo.toml -- --rounds {rounds} --slice {slice} \
         --connections {connections} --write`

One token of {token} bytes (RS256-2048), seen before, with `GET /r4/Patient/1` on loopback.
{connections} connections ask again as soon as they are answered, {rounds} times {slice} ms for each
server in turn. Servers have one thread where that can be had; axum is built with link-time
optimisation and mimalloc, as one builds for production. The layer stands around the whole router,
unless `Router::layer` is named, which boxes what each layer makes. Requests and CPU, which is the
server's, are medians of the rounds, latencies are of all requests. What the check takes is the
difference to the same server without one, and it and the ratios below are medians too: of
comparisons within a round.

{table}
{verdicts}"
    );
    Ok(fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("results.md"), text)?)
}
