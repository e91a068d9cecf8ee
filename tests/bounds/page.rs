//! The bounds of the manual, and what was measured against them.

use std::collections::BTreeMap;
use std::process::ExitCode;

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../src/manual/strangers.md"));

/// The page, and what has become of each of its bounds.
pub(crate) struct Page {
    /// By part, row, and column.
    bounds: BTreeMap<(String, String), u64>,
    parts: Vec<&'static str>,
    held: Vec<(String, String)>,
    faults: Vec<String>,
}

impl Page {
    /// Reads the tables below headings that end in `tests::part`. The first column of a table is what
    /// is sent; each further one has a bound, with its unit in the heading of the column.
    pub(crate) fn read() -> Self {
        let mut bounds = BTreeMap::new();
        let (mut part, mut columns): (String, Vec<String>) = (String::new(), Vec::new());
        for line in PAGE.lines() {
            if let Some(heading) = line.strip_prefix("# ") {
                let named = heading.rsplit_once('`').and_then(|(rest, _)| rest.rsplit_once('`'));
                part = named.map(|(_, name)| name.to_owned()).unwrap_or_default();
                columns.clear();
            }
            let Some(row) = line.strip_prefix("| ").filter(|_| !part.is_empty()) else { continue };
            let cells: Vec<&str> = row.trim_end_matches('|').split('|').map(str::trim).collect();
            if columns.is_empty() {
                columns = cells.iter().map(|cell| (*cell).to_owned()).collect();
                continue;
            }
            for (cell, column) in cells.iter().zip(&columns).skip(1) {
                let digits: String = cell.chars().filter(char::is_ascii_digit).collect();
                let bound = digits.parse().unwrap_or_else(|_| panic!("no number: {line}"));
                bounds.insert((part.clone(), format!("{}: {column}", cells[0])), bound);
            }
        }
        Self { bounds, parts: Vec::new(), held: Vec::new(), faults: Vec::new() }
    }

    pub(crate) fn begin(&mut self, part: &'static str) {
        self.parts.push(part);
    }

    /// Holds a figure against its bound: what is sent, and the heading of the column.
    pub(crate) fn hold(&mut self, sent: &str, column: &str, measured: u64) {
        let part = (*self.parts.last().unwrap()).to_owned();
        let what = format!("{sent}: {column}");
        let place = (part, what.clone());
        let Some(bound) = self.bounds.get(&place) else {
            println!("{what} | {measured} | NONE");
            return self.faults.push(format!("the page has no bound for: {what}"));
        };
        let verdict = if measured > *bound { " | MISSED" } else { "" };
        println!("{what} | {measured} | {bound}{verdict}");
        if measured > *bound {
            self.faults.push(format!("{what}: {measured}, at most {bound}"));
        }
        self.held.push(place);
    }

    pub(crate) fn verdict(mut self) -> ExitCode {
        for place in self.bounds.keys() {
            if self.parts.iter().any(|part| *part == place.0) && !self.held.contains(place) {
                self.faults.push(format!("nothing measures: {}", place.1));
            }
        }
        for fault in &self.faults {
            println!("{fault}");
        }
        match self.faults.len() {
            0 => println!("bounds: {} held", self.held.len()),
            faults => println!("bounds: {} held, {faults} faults", self.held.len()),
        }
        if self.faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
