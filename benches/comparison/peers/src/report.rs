//! The comparison as Markdown, and the bounds that it must hold.

use std::fmt;
use std::time::Duration;

use kit::{Bound, Column, Limit, Table};

use crate::contenders::{Contender, Work};
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
        writeln!(f, "{}\nAsked:\n\n{}", self.costs(), self.questions)?;
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
    fn costs(&self) -> Table<6> {
        let times = |cost: Duration, work| {
            let ours = cheapest(&self.rows, work);
            ours.map(|ours| format!("{:.2}", ratio(cost, ours.cost))).unwrap_or_default()
        };
        let mut rows = self.rows.iter().collect::<Vec<_>>();
        rows.sort_by_key(|row| row.cost);
        let mut table = Table::new([
            Column::Text(""),
            Column::Text("crypto"),
            Column::Figure("µs"),
            Column::Figure("× first sight"),
            Column::Figure("× seen before"),
            Column::Figure("answers wrong"),
        ]);
        for Row { name, contender, cost, answers } in rows {
            table.push([
                name.clone(),
                contender.backend.to_owned(),
                format!("{:.2}", cost.as_secs_f64() * 1e6),
                times(*cost, Work::FirstSight),
                times(*cost, Work::SeenBefore),
                match answers.asked {
                    0 => String::new(),
                    asked => format!("{} of {asked}", answers.wrong.len()),
                },
            ]);
        }
        table
    }
}

/// Holds the cheapest rival of each kind against ours.
pub(crate) fn bounds(rows: &[Row]) -> Vec<Bound> {
    let bound = |what: &str, ours, rivals, least| {
        let found = |work| cheapest(rows, work).ok_or_else(|| format!("{work:?}"));
        let nearest = found(rivals).map_or("none", |rival| rival.name.as_str());
        let figure =
            found(ours).and_then(|ours| found(rivals).map(|rival| ratio(rival.cost, ours.cost)));
        let what = format!("How many times faster, {what} (the nearest is {nearest})");
        Bound { what, figure, limit: Limit::AtLeast(least) }
    };
    vec![
        bound("first sight, rivals that verify", Work::FirstSight, Work::EveryTime, 1.3),
        bound("seen before, rivals that verify", Work::SeenBefore, Work::EveryTime, 40.0),
        bound("seen before, rivals that remember", Work::SeenBefore, Work::Remembers, 2.5),
    ]
}

/// The cheapest row of a kind.
fn cheapest(rows: &[Row], work: Work) -> Option<&Row> {
    rows.iter().filter(|row| row.contender.work == work).min_by_key(|row| row.cost)
}

/// How many times as much the first costs as the second.
fn ratio(cost: Duration, reference: Duration) -> f64 {
    cost.as_secs_f64() / reference.as_secs_f64()
}

/// The file with a report.
pub(crate) fn document(report: &str) -> String {
    format!(
        "# Beside other Rust middlewares\n\n\
         Written by `cargo run --release --manifest-path benches/comparison/peers/Cargo.toml -- --write`.\n\n\
         One request with the same RS256 token of 2.1 kB through each layer to the same service:\n\
         CPU time of the thread, median of rounds taken in turns. `tower-fhir-auth` also decides\n\
         by roles and SMART scopes. Times are those of one machine; the ratios are what to read.\n\n\
         {report}",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contenders::CONTENDERS;

    fn missed(first_sight: u64) -> usize {
        let cost = |work| match work {
            Work::Nothing => 100,
            Work::FirstSight => first_sight,
            Work::SeenBefore => 500,
            Work::EveryTime => 26_000,
            Work::Remembers => 2_000,
        };
        let row = |contender: &'static Contender| Row {
            name: contender.argument.to_owned(),
            contender,
            cost: Duration::from_nanos(cost(contender.work)),
            answers: Answers { asked: 0, wrong: Vec::new() },
        };
        let rows: Vec<Row> = CONTENDERS.iter().map(row).collect();
        bounds(&rows).iter().filter(|bound| bound.is_missed()).count()
    }

    #[test]
    fn bounds_are_held_or_missed() {
        assert_eq!((missed(19_999), missed(20_001)), (0, 1));
    }
}
