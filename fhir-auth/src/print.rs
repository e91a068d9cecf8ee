//! The answer, for people or for machines.

use std::io::{IsTerminal, Write};

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
        // Whoever has read enough closes the pipe.
        let _ = writeln!(std::io::stdout(), "{}", as_object(answer));
        return;
    }
    let text = answer.explanation.to_string();
    let mut out = std::io::stdout().lock();
    let is_terminal = out.is_terminal();
    for (index, line) in text.lines().enumerate() {
        let written = match is_terminal {
            true => writeln!(out, "\u{1b}[{}m{line}\u{1b}[0m", colour(line)),
            false => writeln!(out, "{line}"),
        };
        if written.is_err() {
            return;
        }
        // The verdict comes first.
        if index == 0 && !answer.taken_away.is_empty() {
            let _ = writeln!(out, "taken away from the input: {}", answer.taken_away.join(", "));
        }
    }
}

/// Replaces what a terminal would act on: an error may repeat what a provider has sent.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { '\u{fffd}' } else { one }).collect()
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
