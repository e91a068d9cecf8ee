//! The table that is printed, a line as soon as it is known.

use std::process::ExitCode;

use super::support::meter::{RUNS, Ratio};

pub(crate) struct Report {
    wanted: Option<String>,
    missed: Vec<String>,
}

impl Report {
    pub(crate) fn new(wanted: Option<String>) -> Self {
        println!("{:<62} {:>9}   {:<9} {RUNS} runs", "what", "figure", "bound");
        Self { wanted, missed: Vec::new() }
    }

    /// Whether rows of this name are asked for.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.wanted.as_deref().is_none_or(|wanted| name.contains(wanted))
    }

    /// A ratio of times whose median must not be larger than its bound.
    pub(crate) fn ratio_at_most(&mut self, what: &str, ratio: Ratio, bound: f64) {
        let Ratio { median, lowest, highest } = ratio;
        let runs = format!("{lowest:.3} to {highest:.3}");
        self.judge(what, median, bound, "<=", median <= bound, &runs);
    }

    /// A figure that must not be larger than its bound.
    pub(crate) fn at_most(&mut self, what: &str, figure: f64, bound: f64) {
        self.judge(what, figure, bound, "<=", figure <= bound, "");
    }

    /// A figure that must not be smaller than its bound.
    pub(crate) fn at_least(&mut self, what: &str, figure: f64, bound: f64) {
        self.judge(what, figure, bound, ">=", figure >= bound, "");
    }

    fn judge(&mut self, what: &str, figure: f64, bound: f64, sign: &str, met: bool, runs: &str) {
        let verdict = if met { "" } else { "MISSED" };
        println!("{what:<62} {figure:>9.3}   {sign} {bound:<6} {runs:<16} {verdict}");
        if !met {
            self.missed.push(what.to_owned());
        }
    }

    /// A figure that is not judged.
    pub(crate) fn tell(&self, what: &str, figure: &str) {
        println!("{what:<62} {figure:>9}");
    }

    pub(crate) fn end(self) -> ExitCode {
        if self.missed.is_empty() {
            println!("all bounds are met");
            return ExitCode::SUCCESS;
        }
        println!("missed: {}", self.missed.join("; "));
        ExitCode::FAILURE
    }
}
