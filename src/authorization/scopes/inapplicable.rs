//! The reasons why scopes that are about a permission and a type do not apply.

use std::borrow::Cow;
use std::fmt;

use smallvec::SmallVec;

use super::no_patient::{NoPatient, UserFault};
use crate::display_safe::sanitize;
use crate::smart::SmartScope;

/// The reason for which a scope that is about a permission and a type does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inapplicable<'a> {
    /// The handlers would have to enforce what is not declared.
    Undeclared(&'static str, &'static str),
    ScopeWithoutPatient(NoPatient<'a>, &'a SmartScope),
    /// There is no patient for any scope of the context.
    ContextWithoutPatient(NoPatient<'a>),
    UnreadableUser(UserFault),
    OtherPatient,
    /// No patient writes resources of this type.
    NotWrittenByPatients(&'a str),
    /// R4 has the search parameter for the type, and the application cannot confine by it.
    UndeclaredParameter(&'a SmartScope, &'a str, &'a str),
    /// The type has no such search parameter in R4.
    UnknownParameter(&'a SmartScope, &'a str, &'a str),
    /// A scope with a constraint is not enough for every type at once.
    ConstraintOnEveryType(&'a SmartScope),
    /// A constraint cannot be seen through a chain.
    ConstrainedLink(&'a SmartScope),
    NotOfSystem,
    /// Nobody checks what is deleted beside the resource.
    Cascade,
    /// Its constraint cannot be read.
    UnreadableConstraint(&'a SmartScope),
    /// A query names a type that the server does not have, which only wildcards cover.
    UnknownType(&'a str),
}

/// The first few reasons, each once: a token may have very many scopes.
#[derive(Debug, Default)]
pub(super) struct Reasons<'a>(SmallVec<[Inapplicable<'a>; MAX_REASONS]>);

/// The number of reasons that a refusal gives.
const MAX_REASONS: usize = 3;

impl<'a> Reasons<'a> {
    pub(super) fn add(&mut self, reason: Inapplicable<'a>) {
        if self.0.len() < MAX_REASONS && !self.0.contains(&reason) {
            self.0.push(reason);
        }
    }

    pub(super) fn extend(&mut self, more: Self) {
        more.0.into_iter().for_each(|reason| self.add(reason));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Inapplicable<'a>> {
        self.0.iter()
    }
}

impl fmt::Display for Inapplicable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text =
            |scope: &SmartScope| -> Cow<'static, str> { sanitize(&scope.to_string()).into() };
        match self {
            Self::Undeclared(scopes, missing) => write!(
                f,
                "{scopes} do not count for this, because the application has not declared that \
                 its handlers enforce {missing}"
            ),
            Self::ScopeWithoutPatient(reason, scope) => {
                write!(f, "`{}` needs a patient: {reason}", text(scope))
            }
            Self::ContextWithoutPatient(reason) => write!(f, "a patient is needed: {reason}"),
            Self::UnreadableUser(reason) => write!(f, "`user/` scopes need a readable user: {reason}"),
            Self::OtherPatient => {
                f.write_str(
                "scopes that confine to a patient do not count here: the address names another",
            )
            }
            Self::NotWrittenByPatients("Patient") => f.write_str(
                "a scope that confines to a patient cannot create a Patient, and can change its own \
                 alone",
            ),
            Self::NotWrittenByPatients(name) => {
                write!(f, "a scope that confines to a patient cannot write {name}")
            }
            Self::UndeclaredParameter(scope, on, name) => {
                let (scope, on, name) = (text(scope), sanitize(on), sanitize(name));
                write!(
                    f,
                    "`{scope}` grants nothing here: `{name}` is a search parameter of {on} that \
                     this application does not declare"
                )
            }
            Self::UnknownParameter(scope, on, name) => {
                let (scope, on, name) = (text(scope), sanitize(on), sanitize(name));
                write!(f, "`{scope}` grants nothing here: {on} has no search parameter `{name}`")
            }
            Self::ConstraintOnEveryType(scope) => {
                let scope = text(scope);
                write!(f, "`{scope}` has a constraint, so it is not enough for all types at once")
            }
            Self::ConstrainedLink(scope) => {
                let scope = text(scope);
                write!(f, "`{scope}` has a constraint, so nothing may depend on what it hides")
            }
            Self::Cascade => f.write_str(
                "scopes that confine do not count for a cascading deletion, for nobody checks what \
                 is deleted with the resource",
            ),
            Self::UnreadableConstraint(scope) => {
                write!(f, "`{}` has a constraint that cannot be read", text(scope))
            }
            Self::NotOfSystem => f.write_str("only unconstrained `system/` scopes export"),
            Self::UnknownType(name) => {
                write!(f, "`{}` is not a resource type of this server", sanitize(name))
            }
        }
    }
}
