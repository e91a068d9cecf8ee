//! Disagreements that are meant, with the clause that makes one side stricter.

use std::collections::BTreeSet;

struct Excuse {
    judge: String,
    change: String,
    accepts: bool,
    line: String,
}

pub(crate) struct Excuses {
    all: Vec<Excuse>,
    used: BTreeSet<usize>,
}

impl Excuses {
    /// Reads the table of `excused.md`: judge (`all` is each), what was changed, what the judge does, why.
    pub(crate) fn read() -> Self {
        let rows = include_str!("excused.md").lines().filter(|line| line.starts_with("| "));
        let all = rows.filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
            let [judge, change, does, why] = cells.as_slice() else { panic!("{line}") };
            if *judge == "judge" {
                return None;
            }
            let accepts = match *does {
                "accepts" => true,
                "refuses" => false,
                other => panic!("{other}: {line}"),
            };
            assert!(why.len() > 10, "no reason: {line}");
            let (judge, change) = ((*judge).to_owned(), (*change).to_owned());
            Some(Excuse { judge, change, accepts, line: line.to_owned() })
        });
        Self { all: all.collect(), used: BTreeSet::new() }
    }

    pub(crate) fn excuse(&mut self, judge: &str, changes: &[&str], accepts: bool) -> bool {
        let mut found = false;
        for (at, one) in self.all.iter().enumerate() {
            let named = one.judge == judge || one.judge == "all";
            if named && one.accepts == accepts && changes.contains(&one.change.as_str()) {
                self.used.insert(at);
                found = true;
            }
        }
        found
    }

    pub(crate) fn unused(&self) -> impl Iterator<Item = &str> {
        let all = self.all.iter().enumerate();
        all.filter(|(at, _)| !self.used.contains(at)).map(|(_, one)| one.line.as_str())
    }
}
