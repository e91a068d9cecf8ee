//! An explanation for people.

use std::fmt;

use super::report::{Explanation, Step, StepOutcome, TokenContents};

/// The column at which the text of a check begins.
const INDENT: usize = 13;

impl fmt::Display for Explanation {
    /// The verdict and its reason come first. Then a check a paragraph, a value a line: none is
    /// broken in two, so that it can be searched for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.conclusion())?;
        let mut not_reached = Vec::new();
        for step in self.steps() {
            if matches!(step.outcome, StepOutcome::NotReached) {
                not_reached.push(step.check.name());
            } else {
                self.step(step, f)?;
            }
        }
        if !not_reached.is_empty() {
            let outcome = StepOutcome::NotReached.name().replace('-', " ");
            writeln!(f, "{outcome:INDENT$}{}", not_reached.join(", "))?;
        }
        let TokenContents { scopes, roles, other_claims } = self.contents();
        for (name, value) in
            [("scopes: ", scopes), ("roles: ", roles), ("other claims: ", other_claims)]
        {
            if !value.is_empty() {
                line(f, name, &value.join(" "))?;
            }
        }
        Ok(())
    }
}

impl Explanation {
    fn step(&self, step: &Step, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = step.outcome.name().replace('-', " ");
        let mark = if self.is_unverified(step) { " (unverified)" } else { "" };
        writeln!(f, "{outcome:INDENT$}{}{mark}", step.check)?;
        match &step.outcome {
            StepOutcome::Passed { found, expected }
            | StepOutcome::WouldPass { found, expected } => {
                sides(f, found.as_deref(), expected.as_deref())
            }
            StepOutcome::WouldFail { summary, found, expected } => {
                line(f, "", summary)?;
                sides(f, found.as_deref(), expected.as_deref())
            }
            StepOutcome::Failed(finding) => {
                line(f, "", &finding.summary())?;
                sides(f, finding.found(), finding.expected())?;
                for advice in finding.advice() {
                    line(f, &format!("{}: ", advice.side.name()), &advice.text)?;
                }
                Ok(())
            }
            StepOutcome::Unavailable(why) => line(f, "", why),
            StepOutcome::NotReached => Ok(()),
        }
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
