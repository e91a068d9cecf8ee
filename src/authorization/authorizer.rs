//! The trait that decides, and rules made of rules.

use std::fmt;
use std::sync::Arc;

use super::access_request::AccessRequest;
use super::denial::Denial;
use super::grant::Grant;

/// Decides whether a caller may do an interaction.
///
/// Implement it for rules of your own, or make one of a closure with [`authorize_fn`](super::authorize_fn). It does not
/// wait for anything; a decision that needs a database belongs in a layer inside this one, which
/// finds the [`Principal`](crate::Principal) in the request.
///
/// ```
/// use tower_fhir_auth::{AccessRequest, Authorizer, Denial, Grant, InteractionKind};
///
/// #[derive(Debug)]
/// struct ReadOnly;
///
/// impl Authorizer for ReadOnly {
///     fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
///         match request.interaction().kind() {
///             InteractionKind::Read | InteractionKind::SearchType => Ok(Grant::by("read only")),
///             _ => Err(Denial::new("this server is read only")),
///         }
///     }
/// }
/// ```
///
/// Rules are put together by [`or`](Self::or) and [`and`](Self::and):
///
/// ```
/// use tower_fhir_auth::{Authorizer, require_role, require_scope};
///
/// let rule = require_role("admin").or(require_role("clerk").and(require_scope("orders.read")));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an `Authorizer`",
    label = "this does not say who may do what",
    note = "wrap a function in `authorize_fn(|request| ..)`",
    note = "for a scope or a role by its name there are `require_scope(..)` and `require_role(..)`"
)]
pub trait Authorizer: fmt::Debug + Send + Sync + 'static {
    /// Grants or denies.
    ///
    /// # Errors
    ///
    /// A [`Denial`] that says what would have been enough.
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial>;

    /// Reports whether this rule grants a request and leaves nothing to be confined. It has to say what
    /// [`authorize`](Self::authorize) says, and is there for rules that can say it without making a grant or a denial:
    /// with each request a layer that confines asks about reading, searching and changing every type
    /// ([`Access::is_unconfined`](super::Access::is_unconfined)). A wrong `true` lets everything pass unjudged.
    fn grants_unconfined(&self, request: &AccessRequest<'_>) -> bool {
        self.authorize(request).is_ok_and(|grant| grant.confinement().is_open())
    }

    /// Reports whether this rule treats all resource types alike, but those that it, a role or a scope names,
    /// so that one question about a type that nothing names stands for all of them
    /// ([`Access::is_unconfined`](super::Access::is_unconfined)). `false` is always right: it costs a question
    /// for each type. The rules of this crate say `true`, and those made of rules if all of these do.
    fn treats_unnamed_types_alike(&self) -> bool {
        false
    }

    /// Reports whether this rule may grant an operation of FHIR, such as `validate`, to anybody: a
    /// CapabilityStatement leaves out what is always refused. `true` is always right.
    fn may_grant_operation(&self, name: &str) -> bool {
        let _ = name;
        true
    }

    /// Grants when this rule or the other one does. Where both do, the handler gets the alternatives
    /// of both.
    fn or(self, other: impl Authorizer) -> AnyOf
    where
        Self: Sized,
    {
        AnyOf(vec![Arc::new(self), Arc::new(other)])
    }

    /// Grants when this rule and the other one do.
    fn and(self, other: impl Authorizer) -> AllOf
    where
        Self: Sized,
    {
        AllOf(vec![Arc::new(self), Arc::new(other)])
    }

    /// Makes this rule one of a list of rules of several kinds, for [`any_of`] and [`all_of`].
    fn boxed(self) -> Box<dyn Authorizer>
    where
        Self: Sized,
    {
        Box::new(self)
    }
}

/// Grants when any of its rules does. Made by [`Authorizer::or`] and [`any_of`].
///
/// ```
/// use tower_fhir_auth::authorization::AnyOf;
/// use tower_fhir_auth::{Authorizer, require_role, require_scope};
///
/// let either: AnyOf = require_role("admin").or(require_scope("orders.read"));
/// ```
#[derive(Clone, Debug)]
pub struct AnyOf(Vec<Arc<dyn Authorizer>>);

/// Grants when all of its rules do. Made by [`Authorizer::and`] and [`all_of`].
///
/// ```
/// use tower_fhir_auth::authorization::AllOf;
/// use tower_fhir_auth::{Authorizer, require_role, require_scope};
///
/// let both: AllOf = require_role("clerk").and(require_scope("orders.read"));
/// ```
#[derive(Clone, Debug)]
pub struct AllOf(Vec<Arc<dyn Authorizer>>);

/// Grants when any of `rules` does; with no rules, never. Where several do, the handler gets the
/// alternatives of all of them. For two rules that are known there is [`Authorizer::or`].
///
/// ```
/// use tower_fhir_auth::authorization::any_of;
/// use tower_fhir_auth::{Authorizer, require_role};
///
/// # let from_the_database = ["admin", "auditor"];
/// let rule = any_of(from_the_database.map(|role| require_role(role).boxed()));
/// ```
pub fn any_of(rules: impl IntoIterator<Item = Box<dyn Authorizer>>) -> AnyOf {
    AnyOf(rules.into_iter().map(Arc::from).collect())
}

/// Grants when all of `rules` do; with no rules, never, because nothing would be checked. For two
/// rules that are known there is [`Authorizer::and`].
///
/// ```
/// use tower_fhir_auth::authorization::all_of;
/// use tower_fhir_auth::{Authorizer, require_role, require_scope};
///
/// let rule = all_of([require_role("clerk").boxed(), require_scope("orders.read").boxed()]);
/// ```
pub fn all_of(rules: impl IntoIterator<Item = Box<dyn Authorizer>>) -> AllOf {
    AllOf(rules.into_iter().map(Arc::from).collect())
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
pub(super) fn authorize_all<'a>(
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

    fn grants_unconfined(&self, request: &AccessRequest<'_>) -> bool {
        self.0.iter().any(|rule| rule.grants_unconfined(request))
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        self.0.iter().all(|rule| rule.treats_unnamed_types_alike())
    }

    fn may_grant_operation(&self, name: &str) -> bool {
        self.0.iter().any(|rule| rule.may_grant_operation(name))
    }
}

impl Authorizer for AllOf {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        authorize_all(self.0.iter().map(|rule| &**rule), request)
    }

    fn grants_unconfined(&self, request: &AccessRequest<'_>) -> bool {
        !self.0.is_empty() && self.0.iter().all(|rule| rule.grants_unconfined(request))
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        self.0.iter().all(|rule| rule.treats_unnamed_types_alike())
    }

    fn may_grant_operation(&self, name: &str) -> bool {
        self.0.iter().all(|rule| rule.may_grant_operation(name))
    }
}

impl<A: Authorizer + ?Sized> Authorizer for Arc<A> {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        (**self).authorize(request)
    }

    fn grants_unconfined(&self, request: &AccessRequest<'_>) -> bool {
        (**self).grants_unconfined(request)
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        (**self).treats_unnamed_types_alike()
    }

    fn may_grant_operation(&self, name: &str) -> bool {
        (**self).may_grant_operation(name)
    }
}

impl<A: Authorizer + ?Sized> Authorizer for Box<A> {
    fn authorize(&self, request: &AccessRequest<'_>) -> Result<Grant, Denial> {
        (**self).authorize(request)
    }

    fn grants_unconfined(&self, request: &AccessRequest<'_>) -> bool {
        (**self).grants_unconfined(request)
    }

    fn treats_unnamed_types_alike(&self) -> bool {
        (**self).treats_unnamed_types_alike()
    }

    fn may_grant_operation(&self, name: &str) -> bool {
        (**self).may_grant_operation(name)
    }
}

fn no_rule() -> Denial {
    Denial::new("no rule grants this")
}
