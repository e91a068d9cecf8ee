//! The claim that holds the roles of the caller.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::claims::{Claims, Items};
use crate::jose::json::{Json, Row};

/// The position of the roles in the claims.
#[derive(Clone, Debug)]
pub(crate) enum RolesClaim {
    /// A claim with this whole name, else a dotted path.
    Named(String),
    /// The names along a path, each of which may contain dots.
    Path(Arc<RolesPath>),
}

/// A path, and whether it was seen to lead nowhere.
pub(crate) struct RolesPath {
    names: Vec<String>,
    was_missed: AtomicBool,
}

/// Roles, one by one.
pub(super) enum Roles<'c> {
    Listed(Items<'c>),
    /// The members of an object.
    Members(Row<'c>),
}

impl RolesClaim {
    pub(crate) fn named(name: String) -> Self {
        Self::Named(name)
    }

    pub(crate) fn path(names: Vec<String>) -> Self {
        Self::Path(Arc::new(RolesPath { names, was_missed: AtomicBool::new(false) }))
    }

    /// Reports whether there is a name, and none is empty.
    pub(super) fn is_valid(&self) -> bool {
        match self {
            Self::Named(name) => !name.is_empty(),
            Self::Path(path) => !path.names.is_empty() && !path.names.iter().any(String::is_empty),
        }
    }

    fn value<'c>(&self, claims: &'c Claims<'_>) -> Option<Json<'c>> {
        match self {
            Self::Named(name) => claims.at(name),
            Self::Path(path) => claims.along(path.names.iter().map(String::as_str)),
        }
    }

    /// Returns the roles: a string, the strings of an array, or the names of an object's members whose
    /// value grants them.
    pub(super) fn roles<'c>(&self, claims: &'c Claims<'_>) -> Roles<'c> {
        match self.value(claims) {
            Some(Json::Object(members)) => Roles::Members(members),
            other => Roles::Listed(Items::of(other)),
        }
    }

    /// Reports, once, that a path leads to nothing in a token that has a claim of one of its names:
    /// it may have been meant as a choice.
    pub(super) fn is_missed_first(&self, claims: &Claims<'_>) -> bool {
        let Self::Path(path) = self else { return false };
        let RolesPath { names, was_missed } = &**path;
        let is_missed =
            || self.value(claims).is_none() && names.iter().any(|name| claims.has(name));
        names.len() > 1
            // Spares the look-ups once it was told; the exchange below decides who tells it.
            && !was_missed.load(Ordering::Relaxed)
            && is_missed()
            && !was_missed.swap(true, Ordering::Relaxed)
    }
}

impl<'c> Iterator for Roles<'c> {
    type Item = &'c str;

    fn next(&mut self) -> Option<&'c str> {
        let members = match self {
            Self::Listed(items) => return items.next(),
            Self::Members(members) => members,
        };
        loop {
            let (name, value) = (members.next()?, members.next()?);
            if let Some(name) = name.as_str().filter(|name| !name.is_empty() && grants(value)) {
                break Some(name);
            }
        }
    }
}

/// Reports whether a role is held of which an object has this to say: Zitadel lists the
/// organizations that granted it.
fn grants(value: Json<'_>) -> bool {
    match value {
        Json::Bool(held) => held,
        Json::Object(mut row) | Json::Array(mut row) => row.next().is_some(),
        Json::Null | Json::Number(_) | Json::String(_) => false,
    }
}

impl fmt::Debug for RolesPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.names.fmt(f)
    }
}
