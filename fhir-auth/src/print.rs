//! The answer, for people or for machines.

use std::io::IsTerminal;

use serde_json::{Value, json};
use tower_fhir_auth::explanation::Explanation;

/// An explanation, with what was taken away from the input before it was judged.
pub(crate) struct Answer<'a> {
    pub(crate) explanation: &'a Explanation,
    pub(crate) taken_away: &'a [String],
}

/// Writes an answer to standard output.
pub(crate) fn answer(answer: &Answer<'_>, as_json: bool) {
    if as_json {
        println!("{}", as_object(answer));
        return;
    }
    let text = answer.explanation.to_string();
    let is_terminal = std::io::stdout().is_terminal();
    for (place, line) in text.lines().enumerate() {
        if is_terminal {
            println!("\u{1b}[{}m{line}\u{1b}[0m", colour(line));
        } else {
            println!("{line}");
        }
        // The verdict comes first.
        if place == 0 && !answer.taken_away.is_empty() {
            println!("taken away from the input: {}", answer.taken_away.join(", "));
        }
    }
}

/// The members of the explanation, and `taken_away`, a list that is mostly empty.
fn as_object(answer: &Answer<'_>) -> Value {
    let mut object = json!(answer.explanation);
    if let Some(members) = object.as_object_mut() {
        members.insert("taken_away".to_owned(), json!(answer.taken_away));
    }
    object
}

fn colour(line: &str) -> &'static str {
    match line.split([' ', ':']).next() {
        Some("passed" | "accepted") => "32",
        Some("failed" | "refused") => "31",
        Some("unavailable" | "undecided" | "would") => "33",
        _ => "0",
    }
}
