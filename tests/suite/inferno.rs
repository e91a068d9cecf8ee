//! The manual's page on Inferno: each id of its tests has a row, and each test that a row names is there.

use std::collections::BTreeMap;
use std::path::Path;

const PAGE: &str = include_str!("../../src/manual/inferno.md");
const IDS: &str = include_str!("inferno/ids.txt");

/// A row: the patterns of ids, and what stands in its last column.
struct Row {
    patterns: Vec<&'static str>,
    last: &'static str,
}

fn rows() -> Vec<Row> {
    let rows = PAGE.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ");
        let patterns = quoted(line.split(" | ").next()?);
        Some(Row { patterns, last: cells.nth(2)? })
    });
    rows.collect()
}

/// What stands between backticks.
fn quoted(text: &'static str) -> Vec<&'static str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn ids() -> Vec<&'static str> {
    IDS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

/// Whether an id fits a pattern, in which `*` is any text.
fn fits(id: &str, pattern: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return id == pattern };
    let Some(mut left) = id.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap();
    for part in parts {
        let Some((_, after)) = left.split_once(part) else { return false };
        left = after;
    }
    left.ends_with(end)
}

/// Each id with the number of its row.
fn places() -> BTreeMap<&'static str, usize> {
    let rows = rows();
    let place = |id: &'static str| {
        let row = rows.iter().position(|row| row.patterns.iter().any(|one| fits(id, one)));
        (id, row.unwrap_or_else(|| panic!("no row of {id}")))
    };
    ids().into_iter().map(place).collect()
}

#[test]
fn each_id_of_inferno_has_a_row_and_each_pattern_an_id() {
    let places = places();
    assert_eq!(places.len(), ids().len(), "an id stands twice");
    assert!(PAGE.contains(&format!("All {} are in", places.len())), "the page counts otherwise");
    for (number, row) in rows().iter().enumerate() {
        for pattern in &row.patterns {
            let is_used = places.iter().any(|(id, place)| *place == number && fits(id, pattern));
            assert!(is_used, "`{pattern}` has no id of its own");
        }
    }
}

#[test]
fn each_row_names_tests_that_are_there_and_name_the_ids_or_says_why_there_is_none() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let places = places();
    let mut tests = 0;
    for (number, row) in rows().iter().enumerate() {
        if let Some(reason) = row.last.strip_prefix("none: ") {
            assert!(reason.len() > 15, "no reason: {:?}", row.patterns);
            continue;
        }
        let mut words = quoted(row.last).into_iter();
        let file = words.next().unwrap_or_else(|| panic!("neither: {:?}", row.patterns));
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|_| panic!("no {file}"));
        let names: Vec<&str> = words.collect();
        assert!(!names.is_empty(), "no test of {:?}", row.patterns);
        for name in &names {
            assert!(text.contains(&format!("fn {name}(")), "{file} has no {name}");
            tests += 1;
        }
        for (id, _) in places.iter().filter(|(_, place)| **place == number) {
            assert!(is_named(id, &text), "{file} does not name `{id}`");
        }
    }
    assert!(tests > 20, "{tests}");
}

/// Whether a file names an id, or a family of it.
fn is_named(id: &str, text: &str) -> bool {
    let mut words = text.split('`').skip(1).step_by(2).flat_map(expanded);
    words.any(|word| fits(id, &word))
}

/// `a_{b,c}` is `a_b` and `a_c`.
fn expanded(word: &str) -> Vec<String> {
    let Some((start, rest)) = word.split_once('{') else { return vec![word.to_owned()] };
    let Some((inner, end)) = rest.split_once('}') else { return vec![word.to_owned()] };
    inner.split(',').flat_map(|one| expanded(&format!("{start}{one}{end}"))).collect()
}

#[test]
fn a_star_is_any_text() {
    assert!(fits("a_b_c", "a_*_c") && fits("a_b_c", "*c") && fits("a_c", "a*"));
    assert!(!fits("a_b_d", "a_*_c") && !fits("ab", "a") && !fits("xa", "a*"));
    assert_eq!(expanded("a_{b,c}_{d,e}"), ["a_b_d", "a_b_e", "a_c_d", "a_c_e"]);
}
