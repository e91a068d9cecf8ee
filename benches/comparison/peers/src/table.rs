//! The comparison as Markdown.

use std::fmt;
use std::time::Duration;

use crate::bounds::cheapest;
use crate::contenders::{Contender, Work};
use crate::measurement::ratio;
use crate::probes::Answers;

/// The written form, beside the manifest.
pub(crate) const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results.md");

/// What a contender came to.
#[derive(Debug)]
pub(crate) struct Row {
    /// Crate, version and variant.
    pub(crate) name: String,
    pub(crate) contender: &'static Contender,
    /// One request.
    pub(crate) cost: Duration,
    /// What it said to the probes.
    pub(crate) answers: Answers,
}

/// All that was found out.
#[derive(Debug)]
pub(crate) struct Report {
    /// The contenders that ran.
    pub(crate) rows: Vec<Row>,
    /// Those that did not, and why.
    pub(crate) absent: Vec<(String, String)>,
    /// What was asked.
    pub(crate) questions: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_costs(f)?;
        writeln!(f, "\nAsked:\n\n{}", self.questions)?;
        writeln!(f, "Answered wrongly, with the status:\n")?;
        for row in self.rows.iter().filter(|row| !row.answers.wrong.is_empty()) {
            writeln!(f, "- {}: {}", row.name, row.answers.wrong.join(", "))?;
        }
        if !self.absent.is_empty() {
            writeln!(f, "\nNot measured:\n")?;
        }
        self.absent.iter().try_for_each(|(name, why)| writeln!(f, "- {name}: {why}"))
    }
}

impl Report {
    fn write_costs(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = |cost: Duration, work| match cheapest(&self.rows, work) {
            Ok(ours) => format!("{:.2}", ratio(cost, ours.cost)),
            Err(_) => String::new(),
        };
        let mut rows = self.rows.iter().collect::<Vec<_>>();
        rows.sort_by_key(|row| row.cost);
        writeln!(f, "| | crypto | µs | × first sight | × seen before | answers wrong |")?;
        writeln!(f, "|---|---|---:|---:|---:|---:|")?;
        for Row { name, contender, cost, answers } in rows {
            let micros = cost.as_secs_f64() * 1e6;
            let first_sight = times(*cost, Work::FirstSight);
            let seen_before = times(*cost, Work::SeenBefore);
            let wrong = match answers.asked {
                0 => String::new(),
                asked => format!("{} of {asked}", answers.wrong.len()),
            };
            writeln!(
                f,
                "| {name} | {} | {micros:.2} | {first_sight} | {seen_before} | {wrong} |",
                contender.backend,
            )?;
        }
        Ok(())
    }
}

/// The file with a report.
pub(crate) fn document(report: &str) -> String {
    format!(
        "# Beside other Rust middlewares\n\n\
         Written by `cargo run --release --manifest-path benches/peers/Cargo.toml -- --write`.\n\n\
         One request with the same RS256 token of 2.1 kB through each layer to the same service:\n\
         CPU time of the thread, median of rounds taken in turns. `tower-fhir-auth` also decides\n\
         by roles and SMART scopes. Times are those of one machine; the ratios are what to read.\n\n\
         {report}",
    )
}
