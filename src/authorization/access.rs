//! What was granted, or why not.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::fhir::Interaction;
use crate::text::shown;

/// What a request may do. The layer puts it into the request's extensions beside the
/// [`Principal`](crate::Principal).
#[derive(Clone, Debug)]
pub struct Access(Arc<Granted>);

#[derive(Debug)]
struct Granted {
    interaction: Interaction,
    grant: Grant,
}

impl Access {
    pub(crate) fn new(interaction: Interaction, grant: Grant) -> Self {
        Self(Arc::new(Granted { interaction, grant }))
    }

    /// This access, which a further rule granted too.
    pub(crate) fn and(&self, grant: &Grant) -> Self {
        Self::new(self.0.interaction.clone(), self.0.grant.clone().and(grant))
    }

    /// The interaction that was granted.
    #[must_use]
    pub fn interaction(&self) -> &Interaction {
        &self.0.interaction
    }

    /// The rule that granted it, for audit logs.
    #[must_use]
    pub fn granted_by(&self) -> &str {
        &self.0.grant.by
    }
}

/// The answer of an authorizer that lets a request pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Grant {
    by: Cow<'static, str>,
}

impl Grant {
    /// A grant that names the rule it comes from, for example ``scope `system/*.rs` ``.
    pub fn by(rule: impl Into<Cow<'static, str>>) -> Self {
        Self { by: rule.into() }
    }

    /// One grant for two, where both rules were needed.
    pub fn and(self, other: &Self) -> Self {
        Self::by(format!("{}, {}", self.by, other.by))
    }
}

/// The answer of an authorizer that does not let a request pass.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Denial {
    summary: Cow<'static, str>,
    /// Scope tokens of RFC 6749 that would have been enough, together.
    scopes: Vec<String>,
    found: Option<String>,
    expected: Option<String>,
}

impl Denial {
    /// A denial with a one-line reason, in lower case and without a full stop.
    pub fn new(summary: impl Into<Cow<'static, str>>) -> Self {
        Self { summary: summary.into(), scopes: Vec::new(), found: None, expected: None }
    }

    /// The scopes that would have been enough, for the `scope` attribute of the challenge
    /// (RFC 6750 section 3).
    pub fn required_scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// What is needed, where what the token has must not be told: roles.
    pub fn needs(mut self, expected: impl AsRef<str>) -> Self {
        self.expected = Some(shown(expected.as_ref()));
        self
    }

    /// Both sides: the scopes that the token has, and those that are needed.
    pub fn sides(mut self, found: impl AsRef<str>, expected: impl AsRef<str>) -> Self {
        self.found = Some(shown(found.as_ref()));
        self.expected = Some(shown(expected.as_ref()));
        self
    }

    /// The reason.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The scopes that would have been enough.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }

    pub(crate) fn found_and_expected(&self) -> (Option<&str>, Option<&str>) {
        (self.found.as_deref(), self.expected.as_deref())
    }

    /// One denial for two, where either rule would have been enough: the scopes of the first
    /// rule that scopes can meet are the ones named.
    pub fn or(mut self, other: Self) -> Self {
        self.summary = format!("{}; and {}", self.summary, other.summary).into();
        if self.scopes.is_empty() {
            self.scopes = other.scopes;
        }
        self.found = join(self.found, other.found, "; ");
        self.expected = join(self.expected, other.expected, "; or ");
        self
    }
}

fn join(a: Option<String>, b: Option<String>, between: &str) -> Option<String> {
    match (a, b) {
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(a), Some(b)) => Some(format!("{a}{between}{b}")),
        (one, None) | (None, one) => one,
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary)
    }
}

impl std::error::Error for Denial {}
