//! Yes: which rule says so, and what it leaves to the handler.

use std::borrow::Cow;

use super::Alternatives;

/// The answer of an authorizer that lets a request pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Grant {
    by: Cow<'static, str>,
    alternatives: Alternatives,
}

impl Grant {
    /// A grant that names the rule it comes from, for example ``scope `system/*.rs` ``. It is open:
    /// nothing is left for the handler to confine.
    pub fn by(rule: impl Into<Cow<'static, str>>) -> Self {
        Self { by: rule.into(), alternatives: Alternatives::open() }
    }

    /// Confines what is granted: what the handler gets to know of a read, creation, update,
    /// deletion or search of one type. Without an alternative nothing is left of the grant.
    ///
    /// What is made of several of these (a conditional update, a search of all types, a bundle)
    /// is judged for each by the handler, with [`Access::may`](super::Access::may).
    pub fn confined_to(mut self, alternatives: Alternatives) -> Self {
        self.alternatives = alternatives;
        self
    }

    /// One grant for two, where both rules were needed.
    pub fn and(self, other: &Self) -> Self {
        Self {
            by: format!("{}, {}", self.by, other.by).into(),
            alternatives: self.alternatives.and(&other.alternatives),
        }
    }

    /// One grant for two, where either rule was enough.
    pub fn or(self, other: Self) -> Self {
        Self {
            by: format!("{}; {}", self.by, other.by).into(),
            alternatives: self.alternatives.or(other.alternatives),
        }
    }

    /// The rule it comes from.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.by
    }

    /// What is left for the handler.
    #[must_use]
    pub fn alternatives(&self) -> &Alternatives {
        &self.alternatives
    }
}
