//! Rules made of rules.

use std::fmt;

use super::{AccessRequest, Authorizer, Denial, Grant};

/// Grants when any of its rules does. Made by [`any_of`].
pub struct AnyOf(Vec<Box<dyn Authorizer>>);

/// Grants when all of its rules do. Made by [`all_of`].
pub struct AllOf(Vec<Box<dyn Authorizer>>);

/// Grants when any of `rules` does; with no rules, never. Where several do, the handler gets the
/// alternatives of all of them.
///
/// ```
/// use tower_fhir_auth::{Authorizer, any_of, require_role, require_scope};
///
/// let rule = any_of([require_role("admin").boxed(), require_scope("orders.read").boxed()]);
/// ```
pub fn any_of(rules: impl IntoIterator<Item = Box<dyn Authorizer>>) -> AnyOf {
    AnyOf(rules.into_iter().collect())
}

/// Grants when all of `rules` do; with no rules, never, because nothing would be checked.
pub fn all_of(rules: impl IntoIterator<Item = Box<dyn Authorizer>>) -> AllOf {
    AllOf(rules.into_iter().collect())
}

/// Asks rules until one grants without leaving anything to the handler.
pub(super) fn any<'a>(
    rules: impl IntoIterator<Item = &'a dyn Authorizer>,
    request: &AccessRequest<'_>,
) -> Result<Grant, Denial> {
    let mut granted: Option<Grant> = None;
    let mut denied: Option<Denial> = None;
    for rule in rules {
        match rule.authorize(request) {
            Ok(grant) if grant.confinement().is_open() => return Ok(grant),
            Ok(grant) => granted = join(granted, grant, Grant::or),
            Err(denial) => denied = join(denied, denial, Denial::or),
        }
    }
    granted.ok_or_else(|| denied.unwrap_or_else(no_rule))
}

/// Asks all rules, so that a denial names all that is missing.
pub(super) fn all<'a>(
    rules: impl IntoIterator<Item = &'a dyn Authorizer>,
    request: &AccessRequest<'_>,
) -> Result<Grant, Denial> {
    let mut granted: Option<Grant> = None;
    let mut denied: Option<Denial> = None;
    for rule in rules {
        match rule.authorize(request) {
            Ok(grant) => granted = join(granted, grant, Grant::and),
            Err(denial) => denied = join(denied, denial, Denial::and),
        }
    }
    match denied {
        Some(denial) => Err(denial),
        None => granted.ok_or_else(no_rule),
    }
}

fn join<T>(earlier: Option<T>, next: T, how: impl FnOnce(T, T) -> T) -> Option<T> {
    Some(match earlier {
        Some(earlier) => how(earlier, next),
        None => next,
    })
}

impl Authorizer for AnyOf {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        any(self.0.iter().map(|rule| &**rule), request)
    }
}

impl Authorizer for AllOf {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        all(self.0.iter().map(|rule| &**rule), request)
    }
}

fn no_rule() -> Denial {
    Denial::new("no rule grants this")
}

impl fmt::Debug for AnyOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyOf({} rules)", self.0.len())
    }
}

impl fmt::Debug for AllOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AllOf({} rules)", self.0.len())
    }
}
