//! The bounds that the comparison must hold.

use std::fmt;

use crate::Failure;
use crate::contenders::Work;
use crate::measurement::ratio;
use crate::table::Row;

/// Figures beside their bounds.
#[derive(Debug)]
pub(crate) struct Verdict(Vec<Bound>);

#[derive(Debug)]
struct Bound {
    what: &'static str,
    nearest: String,
    figure: f64,
    least: f64,
}

/// Holds the cheapest rival of each kind against ours.
///
/// # Errors
///
/// When ours is missing, or there is no rival to compare with.
pub(crate) fn judge(rows: &[Row]) -> Result<Verdict, Failure> {
    let bound = |what, ours, rivals, least| {
        let ours = cheapest(rows, ours)?;
        let rival = cheapest(rows, rivals)?;
        let figure = ratio(rival.cost, ours.cost);
        Ok::<_, Failure>(Bound { what, nearest: rival.name.clone(), figure, least })
    };
    Ok(Verdict(vec![
        bound("first sight, rivals that verify", Work::FirstSight, Work::EveryTime, 1.3)?,
        bound("seen before, rivals that verify", Work::SeenBefore, Work::EveryTime, 40.0)?,
        bound("seen before, rivals that remember", Work::SeenBefore, Work::Remembers, 2.5)?,
    ]))
}

/// The cheapest row of a kind.
///
/// # Errors
///
/// When there is none.
pub(crate) fn cheapest(rows: &[Row], work: Work) -> Result<&Row, Failure> {
    let of_the_kind = rows.iter().filter(|row| row.contender.work == work);
    Ok(of_the_kind.min_by_key(|row| row.cost).ok_or_else(|| format!("no contender: {work:?}"))?)
}

impl Verdict {
    /// Whether no bound is missed.
    pub(crate) fn holds(&self) -> bool {
        self.0.iter().all(Bound::holds)
    }
}

impl Bound {
    fn holds(&self) -> bool {
        self.figure >= self.least
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| how many times faster | the nearest | figure | bound | |")?;
        writeln!(f, "|---|---|---:|---:|---|")?;
        for bound in &self.0 {
            let Bound { what, nearest, figure, least } = bound;
            let holds = if bound.holds() { "held" } else { "**missed**" };
            writeln!(f, "| {what} | {nearest} | {figure:.2} | {least:.1} | {holds} |")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::contenders::{CONTENDERS, Contender};
    use crate::probes::Answers;

    fn rows(cost: impl Fn(Work) -> u64) -> Vec<Row> {
        let row = |contender: &'static Contender| Row {
            name: contender.argument.to_owned(),
            contender,
            cost: Duration::from_nanos(cost(contender.work)),
            answers: Answers { asked: 0, wrong: Vec::new() },
        };
        CONTENDERS.iter().map(row).collect()
    }

    #[test]
    fn bounds_are_held_or_missed() {
        let costs = |first_sight| {
            rows(move |work| match work {
                Work::Nothing => 100,
                Work::FirstSight => first_sight,
                Work::SeenBefore => 500,
                Work::EveryTime => 26_000,
                Work::Remembers => 2_000,
            })
        };
        assert!(judge(&costs(19_999)).unwrap().holds());
        assert!(!judge(&costs(20_001)).unwrap().holds());
    }
}
