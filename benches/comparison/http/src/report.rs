//! The table and the bounds, as Markdown that a terminal can show.

use std::fs;
use std::path::Path;

use anyhow::Result;
use kit::{Bound, Column, Limit, Table};

use crate::measure::{Contender, Row};
use crate::options::Options;
use crate::servers::Server;

const COLUMNS: [Column; 9] = [
    Column::Text("server"),
    Column::Text("version"),
    Column::Text("good, bad tokens"),
    Column::Figure("requests/s"),
    Column::Figure("CPU µs/request"),
    Column::Figure("of which the check"),
    Column::Figure("p50 ms"),
    Column::Figure("p99 ms"),
    Column::Figure("p99.9 ms"),
];

/// What one server may take over what another one takes, where tokens have been seen before.
const BOUNDS: [(Server, Server, Limit); 3] = [
    (Server::LAYER, Server::AXUM, Limit::AtMost(1.15)),
    (Server::ENVOY_CACHED, Server::LAYER, Limit::AtLeast(4.0)),
    (Server::HAPROXY_VERIFY, Server::LAYER, Limit::AtLeast(7.0)),
];

pub(crate) fn table(rows: &[Row]) -> Result<String> {
    let mut table = Table::new(COLUMNS);
    for Row { server, outcome } in rows {
        table.push(match outcome {
            Ok(measured) => measured_cells(*server, measured, rows)?,
            Err(_) => missing_cells(*server),
        });
    }
    let mut text = table.to_string();
    text.push_str("\nBad tokens: another signature, `iss`, `aud`, and an `exp` that is over.\n");
    for row in rows {
        if let Err(error) = &row.outcome {
            text.push_str(&format!("\nNot run: {}: {error:#}.\n", row.server.name()));
        }
    }
    Ok(text)
}

fn measured_cells(
    server: Server,
    measured: &Contender,
    rows: &[Row],
) -> Result<[String; COLUMNS.len()]> {
    let check = match measured_of(rows, server.bare()) {
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

fn missing_cells(server: Server) -> [String; COLUMNS.len()] {
    let mut cells: [String; COLUMNS.len()] = std::array::from_fn(|_| String::new());
    let [name, _, proof, ..] = &mut cells;
    *name = server.name().to_owned();
    *proof = "not run".to_owned();
    cells
}

fn measured_of(rows: &[Row], server: Server) -> Option<&Contender> {
    rows.iter().find(|row| row.server == server)?.outcome.as_ref().ok()
}

pub(crate) fn bounds(rows: &[Row]) -> Vec<Bound> {
    let bound = |(server, over, limit): (Server, Server, Limit)| {
        let found = |one: Server| measured_of(rows, one).ok_or_else(|| one.name().to_owned());
        let figure = found(server).and_then(|server| found(over).map(|over| server.cpu_over(over)));
        Bound { what: format!("CPU of *{}* over *{}*", server.name(), over.name()), figure, limit }
    };
    BOUNDS.into_iter().map(bound).collect()
}

/// `results.md`, beside the manifest.
pub(crate) fn write(options: &Options, token: usize, table: &str, verdicts: &str) -> Result<()> {
    let Options { rounds, connections, slice, .. } = *options;
    let slice = slice.as_millis();
    let text = format!(
        "# Over HTTP

`cargo run --release --manifest-path benches/comparison/http/Cargo.toml -- --rounds {rounds} --slice {slice} \
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
