//! Figures beside their bounds.

use std::fmt;

/// A figure and what it must be.
#[derive(Clone, Debug)]
pub struct Bound {
    /// What is compared, in Markdown.
    pub what: String,
    /// What it came to, or who was missing.
    pub figure: Result<f64, String>,
    /// What it must be.
    pub limit: Limit,
}

/// What a figure must be.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Limit {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(limit) => figure >= limit,
            Self::AtMost(limit) => figure <= limit,
        }
    }
}

impl Bound {
    /// Reports whether the figure is there and beyond its limit.
    pub fn is_missed(&self) -> bool {
        self.figure.as_ref().is_ok_and(|figure| !self.limit.holds(*figure))
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.limit {
            Limit::AtLeast(limit) => write!(f, "{}: at least {limit}; ", self.what)?,
            Limit::AtMost(limit) => write!(f, "{}: at most {limit}; ", self.what)?,
        }
        match &self.figure {
            Err(missing) => write!(f, "not judged, for want of {missing}"),
            Ok(figure) if self.is_missed() => write!(f, "{figure:.2}, **missed**"),
            Ok(figure) => write!(f, "{figure:.2}, held"),
        }
    }
}

/// Bounds as a list in Markdown.
pub fn verdicts(bounds: &[Bound]) -> String {
    bounds.iter().map(|bound| format!("- {bound}\n")).collect()
}

/// The median: the mean of the two in the middle, where there are two.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
    (middle(values.len() / 2) + middle(values.len().saturating_sub(1) / 2)) / 2.0
}

#[cfg(test)]
mod tests {
    use super::{Bound, Limit, median};

    #[test]
    fn a_bound_is_held_missed_or_not_judged() {
        let bound = |figure, limit| Bound { what: "a over b".to_owned(), figure, limit };
        let held = bound(Ok(1.15), Limit::AtMost(1.15));
        let missed = bound(Ok(3.9), Limit::AtLeast(4.0));
        let unknown = bound(Err("c".to_owned()), Limit::AtLeast(4.0));
        assert_eq!(held.to_string(), "a over b: at most 1.15; 1.15, held");
        assert_eq!(missed.to_string(), "a over b: at least 4; 3.90, **missed**");
        assert_eq!(unknown.to_string(), "a over b: at least 4; not judged, for want of c");
        assert_eq!([&held, &missed, &unknown].map(Bound::is_missed), [false, true, false]);
    }

    #[test]
    fn the_median_is_no_mean() {
        assert_eq!(median(vec![7.0, 900.0, 5.0]), 7.0);
        assert_eq!(median(vec![8.0, 2.0, 900.0, 6.0]), 7.0);
        assert!(median(Vec::new()).is_nan());
    }
}
