//! Grants: the rule behind them, and what they leave to the handler.

use std::borrow::Cow;
use std::fmt;

use smallvec::{SmallVec, smallvec};
use smol_str::SmolStr;

use super::{Confinement, Denial, Enforcement};
use crate::smart::SmartScope;

/// The answer of an authorizer that lets a request pass.
///
/// ```
/// use tower_fhir_auth::Grant;
/// use tower_fhir_auth::authorization::Alternative;
///
/// let grant = Grant::by("portal").confined_to(Alternative::new(Some("amara"), None));
/// assert_eq!(grant.rule().to_string(), "portal");
/// assert!(!grant.confinement().is_open());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Grant {
    by: SmallVec<[Rule; 1]>,
    confinement: Confinement,
}

/// The origin of a grant. It is written out for those who ask, not for every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    Named(Cow<'static, str>),
    Role(SmolStr),
    Scope(SmartScope),
}

impl Grant {
    /// A grant that names the rule it comes from, for example ``scope `system/*.rs` ``. It is open:
    /// nothing is left for the handler to confine.
    pub fn by(rule: impl Into<Cow<'static, str>>) -> Self {
        Self::by_all(smallvec![Rule::Named(rule.into())])
    }

    /// A grant that several rules make together.
    pub(super) fn by_all(by: SmallVec<[Rule; 1]>) -> Self {
        Self { by, confinement: Confinement::open() }
    }

    /// Confines what is granted: what the handler gets to know of a read, creation, update,
    /// deletion or search of one type. Without an alternative nothing is left of the grant.
    ///
    /// What is made of several of these (a conditional update, a search of all types, a bundle)
    /// is judged for each by the handler, with [`Access::may`](super::Access::may).
    pub fn confined_to(mut self, confinement: impl Into<Confinement>) -> Self {
        self.confinement = confinement.into();
        self
    }

    /// Joins two grants that were both needed.
    pub fn and(mut self, other: Self) -> Self {
        self.by.extend(other.by);
        self.confinement = self.confinement.and(other.confinement);
        self
    }

    /// Joins two grants of which either was enough.
    pub fn or(mut self, other: Self) -> Self {
        self.by.extend(other.by);
        self.confinement = self.confinement.or(other.confinement);
        self
    }

    /// Checks that a grant leaves to the handlers only what they have been declared to enforce. Rules of this crate ask
    /// before they grant; a rule of an application may not.
    // Not by value: moving the grant twice is 1.3 % of the instructions for a token seen before.
    #[inline]
    pub(super) fn check_enforceable(&self, enforced: Enforcement) -> Result<(), Denial> {
        match self.confinement.is_open() {
            true => Ok(()),
            false => self.check_confinement(enforced),
        }
    }

    fn check_confinement(&self, enforced: Enforcement) -> Result<(), Denial> {
        let either = Enforcement::COMPARTMENTS | Enforcement::CONSTRAINTS;
        let mut needed = Enforcement::default();
        for alternative in self.confinement.alternatives() {
            if alternative.patient().is_some() {
                needed |= Enforcement::COMPARTMENTS;
            }
            if alternative.constraint().is_some() {
                needed |= Enforcement::CONSTRAINTS;
            }
        }
        // Nothing is left of it, which handlers that confine by either see.
        if self.confinement.is_none() && !enforced.intersects(either) {
            needed = Enforcement::COMPARTMENTS;
        }
        let missing = needed - enforced;
        match missing.is_empty() {
            true => Ok(()),
            false => {
                Err(Denial::new(format!("{} confines what it grants", self.rule()))
                    .undeclared(missing))
            }
        }
    }

    /// The rule it comes from, to be written: all of them, where several have a part in it.
    #[must_use]
    pub fn rule(&self) -> impl fmt::Display {
        Rules(&self.by)
    }

    /// The SMART scopes that have a part in it.
    pub(super) fn scopes(&self) -> impl Iterator<Item = &SmartScope> {
        self.by.iter().filter_map(|rule| match rule {
            Rule::Scope(scope) => Some(scope),
            Rule::Named(_) | Rule::Role(_) => None,
        })
    }

    /// The resources that it is about.
    #[must_use]
    pub fn confinement(&self) -> &Confinement {
        &self.confinement
    }
}

struct Rules<'a>(&'a [Rule]);

impl fmt::Display for Rules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rule) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match rule {
                Rule::Named(name) => f.write_str(name)?,
                Rule::Role(name) => write!(f, "role `{name}`")?,
                Rule::Scope(scope) => write!(f, "scope `{scope}`")?,
            }
        }
        Ok(())
    }
}
