//! Denials: the reason, and what would have been enough.

use std::borrow::Cow;
use std::fmt;

use super::Enforcement;
use super::role_names::role_names;
use super::step_up::Insufficient;
use crate::display_safe::sanitize;
use crate::explanation::{Check, Finding, Grounds, Reason, Requirement, StepUpReason};
use crate::fhir::AddressFault;

/// The answer of an authorizer that does not let a request pass.
///
/// ```
/// use tower_fhir_auth::Denial;
///
/// let denial = Denial::new("no scope of the token grants this").required_scopes(["orders.read"]);
/// assert_eq!(denial.scopes().collect::<Vec<_>>(), ["orders.read"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Denial {
    grounds: Grounds,
    /// The version for operators, where it tells more.
    to_operators: Option<Box<Grounds>>,
    /// Scope tokens of RFC 6749 that would have been enough, together.
    scopes: Vec<String>,
    requirements: Vec<Requirement>,
    /// True if the only requirement is what `expected` says.
    has_words_alone: bool,
    /// The token grants it, and its user has to be authenticated in another way.
    step_up: Option<Box<(StepUpReason, Insufficient)>>,
}

impl Denial {
    /// A denial with a one-line reason, in lower case and without a full stop.
    pub fn new(summary: impl Into<Cow<'static, str>>) -> Self {
        Self {
            grounds: Grounds::new(summary),
            to_operators: None,
            scopes: Vec::new(),
            requirements: Vec::new(),
            has_words_alone: false,
            step_up: None,
        }
    }

    /// A denial of what the token grants, for how its user was authenticated.
    pub(super) fn of_step_up(reason: StepUpReason, how: Insufficient) -> Self {
        let denial = Self::new(reason.sentence());
        Self { step_up: Some(Box::new((reason, how))), ..denial }
    }

    /// Returns how the authentication of the user falls short, where that is the reason.
    pub(crate) fn insufficient(&self) -> Option<&Insufficient> {
        self.step_up.as_deref().map(|(_, how)| how)
    }

    /// Reports whether the token grants what was asked for, and only its user has to be authenticated
    /// in another way, or anew (RFC 9470): then the answer is 401, not 403.
    #[must_use]
    pub fn asks_for_step_up(&self) -> bool {
        self.step_up.is_some()
    }

    /// A denial of a request that is no interaction of FHIR: no scope and no role is missing.
    pub(crate) fn of_address(fault: AddressFault) -> Self {
        Self::new(fault.to_string()).requires([Requirement::Address(fault)])
    }

    /// Returns the check that failed: where the address alone is the reason, it was looked at before
    /// any right.
    pub(crate) fn check(&self) -> Check {
        if self.asks_for_step_up() {
            return Check::StepUp;
        }
        match self.requirements() {
            [Requirement::Address(_)] => Check::Interaction,
            _ => Check::Authorization,
        }
    }

    /// The scopes that would have been enough, for the `scope` attribute of the challenge
    /// (RFC 6750 section 3).
    pub fn required_scopes<S: Into<String>>(self, scopes: impl IntoIterator<Item = S>) -> Self {
        let scopes: Vec<String> = scopes.into_iter().map(Into::into).collect();
        let required = (!scopes.is_empty()).then(|| Requirement::Scopes(scopes.clone()));
        self.challenging(scopes).requires(required)
    }

    /// Names scopes in the challenge alone, where others would have been enough, too.
    pub(crate) fn challenging(mut self, scopes: Vec<String>) -> Self {
        self.scopes = scopes;
        self
    }

    /// Names the roles that would have been enough, together. A challenge cannot tell them.
    ///
    /// ```
    /// use tower_fhir_auth::Denial;
    ///
    /// let denial = Denial::new("only clerks may do this").required_roles(["clerk"]);
    /// ```
    pub fn required_roles<R: Into<String>>(self, roles: impl IntoIterator<Item = R>) -> Self {
        let roles: Vec<String> = roles.into_iter().map(Into::into).collect();
        if roles.is_empty() {
            return self;
        }
        let expected = role_names(&roles, true);
        self.requires([Requirement::Roles(roles)]).with_expected(expected)
    }

    /// Sets the token's side of the message, such as the scopes that it has: shown to the client,
    /// where the [`Disclosure`](crate::rejection::Disclosure) allows.
    ///
    /// ```
    /// use tower_fhir_auth::Denial;
    ///
    /// let denial = Denial::new("the ward is closed at night")
    ///     .with_found("02:14")
    ///     .with_expected("06:00 to 22:00");
    /// ```
    pub fn with_found(mut self, found: impl AsRef<str>) -> Self {
        self.grounds.evidence.found = Some(sanitize(found.as_ref()));
        self
    }

    /// Sets this server's side of the message: what would have been enough, in words. They count
    /// as a [`Requirement`] where nothing else does: scopes and roles have setters of their own,
    /// [`required_scopes`](Self::required_scopes) and [`required_roles`](Self::required_roles).
    pub fn with_expected(mut self, expected: impl AsRef<str>) -> Self {
        let expected = expected.as_ref();
        self.grounds.evidence.expected = Some(sanitize(expected));
        if (self.requirements.is_empty() || self.has_words_alone) && !expected.is_empty() {
            self.requirements = vec![Requirement::Other(expected.to_owned())];
            self.has_words_alone = true;
        }
        self
    }

    /// Adds requirements as data, which advice is made of. They take the place of mere words.
    pub(crate) fn requires(mut self, more: impl IntoIterator<Item = Requirement>) -> Self {
        let mut more = more.into_iter().peekable();
        if more.peek().is_some() && self.has_words_alone {
            self.requirements.clear();
            self.has_words_alone = false;
        }
        self.requirements.extend(more);
        self
    }

    /// Adds to the reason what the application would have had to declare.
    pub(crate) fn undeclared(self, missing: Enforcement) -> Self {
        let missing = missing.to_string();
        self.note(format!("the application has not declared that its handlers enforce {missing}"))
            .requires([Requirement::Declaration(missing)])
    }

    /// Adds a circumstance to the reason.
    pub(crate) fn note(mut self, note: impl AsRef<str>) -> Self {
        let operators = self.to_operators.as_deref_mut();
        for grounds in std::iter::once(&mut self.grounds).chain(operators) {
            grounds.summary = format!("{} ({})", grounds.summary, note.as_ref()).into();
        }
        self
    }

    /// Tells operators more than clients.
    pub(crate) fn for_operators(mut self, grounds: Grounds) -> Self {
        self.to_operators = Some(Box::new(grounds));
        self
    }

    /// Leaves out the data actions that would have been enough: they would be of all patients, for a
    /// caller who asked for the record of one.
    pub(crate) fn without_data_actions(mut self) -> Self {
        self.requirements.retain(|one| {
            !matches!(one, Requirement::DataActions { .. } | Requirement::RoleDefinitions { .. })
        });
        let operators = self.to_operators.as_deref_mut();
        std::iter::once(&mut self.grounds)
            .chain(operators)
            .for_each(|grounds| grounds.evidence.expected = None);
        self
    }

    /// The reason.
    #[must_use]
    pub fn summary(&self) -> &str {
        &self.grounds.summary
    }

    /// The scopes that would have been enough.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().map(String::as_str)
    }

    /// Returns the requirements that were not met: all of them count where rules were joined by
    /// [`and`](Self::and), one of them where they were joined by [`or`](Self::or).
    #[must_use]
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Returns the denial as the failure of a check, as operators may know it.
    pub(crate) fn finding(&self) -> Finding {
        let (to_clients, to_operators) = self.grounds();
        let Grounds { summary, evidence } = to_operators.unwrap_or(to_clients).clone();
        let reason = match self.step_up.as_deref() {
            Some((reason, _)) => Reason::StepUp(*reason),
            None => Reason::Denied { summary, requirements: self.requirements.clone() },
        };
        Finding::new(self.check(), reason, evidence)
    }

    /// Returns the reason for clients, and the one for operators where that tells more.
    pub(crate) fn grounds(&self) -> (&Grounds, Option<&Grounds>) {
        (&self.grounds, self.to_operators.as_deref())
    }

    /// Joins what is told of two denials.
    fn join(&mut self, other: &Self, between: &str) {
        self.to_operators = match (self.grounds(), other.grounds()) {
            ((_, None), (_, None)) => None,
            ((client, operator), (other, of_operator)) => {
                let joined = operator.unwrap_or(client).join(of_operator.unwrap_or(other), between);
                Some(Box::new(joined))
            }
        };
        self.grounds = self.grounds.join(&other.grounds, between);
    }

    /// One denial for two, where both rules were needed: scopes are named only if they would have
    /// been enough for both, and requirements only where both rules have some. To meet those of one is
    /// of no use while nothing is known that the other would grant by.
    pub fn and(mut self, other: Self) -> Self {
        if self == other {
            return self;
        }
        self.join(&other, "; and ");
        if self.scopes.is_empty() || other.scopes.is_empty() {
            self.scopes.clear();
        } else {
            let more = other.scopes.into_iter().filter(|scope| !self.scopes.contains(scope));
            self.scopes = self.scopes.iter().cloned().chain(more).collect();
        }
        if self.requirements.is_empty() || other.requirements.is_empty() {
            self.requirements.clear();
            return self.joined_with(Vec::new());
        }
        self.joined_with(other.requirements)
    }

    /// One denial for two, where either rule would have been enough: the scopes of the first
    /// rule that scopes can meet are the ones named.
    pub fn or(mut self, other: Self) -> Self {
        if self == other {
            return self;
        }
        self.join(&other, "; or ");
        if self.scopes.is_empty() {
            self.scopes = other.scopes;
        }
        self.joined_with(other.requirements)
    }

    fn joined_with(mut self, requirements: Vec<Requirement>) -> Self {
        self.requirements.extend(requirements);
        self.has_words_alone = false;
        self
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.grounds.summary)
    }
}

impl std::error::Error for Denial {}
