//! The cost of a decision: in process, and for each proxy.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use kit::{Column, Table};

use crate::measure::{Contender, Row};
use crate::options::Options;
use crate::servers::Server;

const COLUMNS: [Column; 6] = [
    Column::Text("server"),
    Column::Text("version"),
    Column::Figure("CPU µs/request"),
    Column::Figure("of which `fhir-auth`"),
    Column::Figure("a decision"),
    Column::Figure("p50 ms"),
];

pub(crate) fn table(rows: &[Row]) -> String {
    let mut table = Table::new(COLUMNS);
    for Row { server, outcome } in rows {
        let name = server.name().to_owned();
        table.push(match outcome {
            Ok(measured) => {
                let decision = bare(rows, *server).map(|bare| measured.cpu_beyond(bare));
                [
                    name,
                    measured.version.clone(),
                    format!("{:.1}", measured.cpu()),
                    positive(measured.cpu_of_helper()),
                    decision.map(|figure| format!("{figure:.1}")).unwrap_or_default(),
                    format!("{:.2}", measured.latency(0.5).unwrap_or_default()),
                ]
            }
            Err(error) => {
                let none = String::new;
                [name, format!("not run: {error:#}"), none(), none(), none(), none()]
            }
        });
    }
    table.to_string()
}

fn positive(figure: f64) -> String {
    if figure > 0.0 { format!("{figure:.1}") } else { String::new() }
}

/// The same server without its check.
fn bare(rows: &[Row], server: Server) -> Option<&Contender> {
    let bare = rows.iter().find(|row| server != row.server && row.server == server.bare())?;
    bare.outcome.as_ref().ok()
}

/// `decisions.md`, beside the manifest.
pub(crate) fn write(options: &Options, table: &str) -> Result<()> {
    let Options { rounds, connections, slice, .. } = *options;
    let slice = slice.as_millis();
    let said = |program: &str, arguments: &[&str]| -> Result<String> {
        let output = Command::new(program).args(arguments).output()?;
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    };
    let commit = said("git", &["rev-parse", "--short", "HEAD"])?;
    let date = said("date", &["-u", "+%Y-%m-%d"])?;
    let text = format!(
        "# What a decision takes

```sh
cargo build --release -p fhir-auth
cargo run --release --manifest-path benches/comparison/http/Cargo.toml -- --decisions --rounds {rounds} \
         --slice {slice} --connections {connections} --write
```

Of commit {commit}, {date}. The proxies have the configurations of the manual (`src/manual/proxies.md`) as they are
pasted, and stand before a server that answers at once; *before axum* is the same without the sub-request. One token
(RS256-2048), seen before, with `GET /r4/Patient/1` on loopback: {connections} connections ask again as soon as they
are answered, {rounds} times {slice} ms for each server in turn. CPU is the user and system time of the proxy's process
and of `fhir-auth decide`, without that of the upstream server. *A decision* is how much more that is than without the
sub-request, or without the layer, in the same round. All are medians of the rounds. Proxies have one thread.
The gateway decides by itself; its figure is all that it does, as a proxy too.

{table}"
    );
    Ok(fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("decisions.md"), text)?)
}
