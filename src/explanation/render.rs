//! An explanation for people, and for machines.

use std::fmt;

use serde_json::{Map, Value, json};

use super::{Explanation, Step, StepOutcome};

/// Columns of a terminal.
const WIDTH: usize = 80;

/// The column at which the text of a check begins.
const INDENT: usize = 13;

impl Explanation {
    /// The explanation as JSON:
    ///
    /// ```json
    /// {
    ///   "verdict": "accepted, refused or undecided",
    ///   "public": false,
    ///   "checks": [{
    ///     "check": "audience", "outcome": "passed, failed, unavailable or not-reached",
    ///     "summary": "what is wrong", "found": "…", "expected": "…",
    ///     "advice": [{"side": "client, provider or server", "text": "what to change"}]
    ///   }],
    ///   "token": {"scopes": "…", "roles": "…", "other claims": "their names"}
    /// }
    /// ```
    ///
    /// Members that have nothing to say are left out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let checks: Vec<Value> = self.steps.iter().map(step_to_json).collect();
        let held = self.holds().filter(|(_, value)| !value.is_empty());
        let held: Map<String, Value> =
            held.map(|(name, value)| (name.to_owned(), value.into())).collect();
        json!({
            "verdict": self.verdict(), "public": self.is_public(),
            "checks": checks, "token": held,
        })
    }

    /// `accepted`, `refused`, or `undecided` where keys are out of reach.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        match (self.is_accepted(), self.failure()) {
            (true, _) => "accepted",
            (false, Some(_)) => "refused",
            (false, None) => "undecided",
        }
    }
}

fn step_to_json(step: &Step) -> Value {
    let mut members = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        members.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("check", Some(step.check.name().into()));
    put("outcome", Some(outcome(&step.outcome).into()));
    match &step.outcome {
        StepOutcome::Passed { found, expected } => {
            put("found", found.clone().map(Value::from));
            put("expected", expected.clone().map(Value::from));
        }
        StepOutcome::Failed(finding) => {
            put("summary", Some(finding.summary().into_owned().into()));
            put("found", finding.found().map(Value::from));
            put("expected", finding.expected().map(Value::from));
            let advice = finding.advice();
            let advice =
                advice.iter().map(|one| json!({"side": one.side.name(), "text": one.text}));
            put("advice", Some(advice.collect()));
        }
        StepOutcome::Unavailable(why) => put("summary", Some(why.as_str().into())),
        StepOutcome::NotReached => {}
    }
    members.into()
}

fn outcome(outcome: &StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Passed { .. } => "passed",
        StepOutcome::Failed(_) => "failed",
        StepOutcome::Unavailable(_) => "unavailable",
        StepOutcome::NotReached => "not-reached",
    }
}

impl fmt::Display for Explanation {
    /// A check a paragraph, at most 80 columns wide.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            let outcome = outcome(&step.outcome).replace('-', " ");
            writeln!(f, "{outcome:INDENT$}{}", step.check)?;
            match &step.outcome {
                StepOutcome::Passed { found, expected } => {
                    sides(f, found.as_deref(), expected.as_deref())?;
                }
                StepOutcome::Failed(finding) => {
                    paragraph(f, "", &finding.summary())?;
                    sides(f, finding.found(), finding.expected())?;
                    for advice in finding.advice() {
                        paragraph(f, &format!("{}: ", advice.side.name()), &advice.text)?;
                    }
                }
                StepOutcome::Unavailable(why) => paragraph(f, "", why)?,
                StepOutcome::NotReached => {}
            }
        }
        for (name, value) in self.holds().filter(|(_, value)| !value.is_empty()) {
            paragraph(f, &format!("{name}: "), value)?;
        }
        if self.is_public() {
            paragraph(f, "", "the request needs no token")?;
        }
        writeln!(f, "{}", self.verdict())
    }
}

fn sides(f: &mut fmt::Formatter<'_>, found: Option<&str>, expected: Option<&str>) -> fmt::Result {
    for (name, value) in [("found     ", found), ("expected  ", expected)] {
        if let Some(value) = value {
            paragraph(f, name, value)?;
        }
    }
    Ok(())
}

/// Words in lines of the width, all of them indented. A word that is longer than a line is cut.
fn paragraph(f: &mut fmt::Formatter<'_>, head: &str, text: &str) -> fmt::Result {
    let inside = INDENT + head.len();
    let room = WIDTH.saturating_sub(inside).max(20);
    let mut head = head;
    for line in lines(text, room) {
        writeln!(f, "{:INDENT$}{head:1$}{line}", "", inside - INDENT)?;
        head = "";
    }
    Ok(())
}

fn lines(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && line.len() + 1 + word.len() > room {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for character in word.chars() {
            if line.len() >= room {
                lines.push(std::mem::take(&mut line));
            }
            line.push(character);
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_longer_than_the_room() {
        assert_eq!(lines("a bb ccc dddd", 5), ["a bb", "ccc", "dddd"]);
        assert_eq!(lines("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(lines("", 3), [""]);
    }
}
