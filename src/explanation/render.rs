//! An explanation for people.

use std::fmt;

use super::report::{Explanation, StepOutcome, TokenContents};

/// The column at which the text of a check begins.
const INDENT: usize = 13;

impl fmt::Display for Explanation {
    /// A check a paragraph, a value a line: none is broken in two, so that it can be searched for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.steps() {
            let outcome = step.outcome.name().replace('-', " ");
            writeln!(f, "{outcome:INDENT$}{}", step.check)?;
            match &step.outcome {
                StepOutcome::Passed { found, expected } => {
                    sides(f, found.as_deref(), expected.as_deref())?;
                }
                StepOutcome::Failed(finding) => {
                    line(f, "", &finding.summary())?;
                    sides(f, finding.found(), finding.expected())?;
                    for advice in finding.advice() {
                        line(f, &format!("{}: ", advice.side.name()), &advice.text)?;
                    }
                }
                StepOutcome::Unavailable(why) => line(f, "", why)?,
                StepOutcome::NotReached => {}
            }
        }
        let TokenContents { scopes, roles, other_claims } = self.holds();
        for (name, value) in
            [("scopes: ", scopes), ("roles: ", roles), ("other claims: ", other_claims)]
        {
            if !value.is_empty() {
                line(f, name, value)?;
            }
        }
        if self.is_public() {
            line(f, "", "the request needs no token")?;
        }
        writeln!(f, "{}", self.verdict())
    }
}

fn sides(f: &mut fmt::Formatter<'_>, found: Option<&str>, expected: Option<&str>) -> fmt::Result {
    for (name, value) in [("found     ", found), ("expected  ", expected)] {
        if let Some(value) = value {
            line(f, name, value)?;
        }
    }
    Ok(())
}

fn line(f: &mut fmt::Formatter<'_>, head: &str, text: &str) -> fmt::Result {
    writeln!(f, "{:INDENT$}{head}{text}", "")
}
