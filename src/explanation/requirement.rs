//! Requirements that a denied request did not meet, apart by who can see to each.

use super::{Advice, Side};
use crate::display_safe::sanitize;

/// One thing that a caller would have needed to be granted a request.
///
/// A [`Denial`](crate::Denial) keeps them as data, so that advice never takes a role for a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// These scopes, together (RFC 6749 section 3.3).
    Scopes(Vec<String>),
    /// One of these scopes.
    AnyScope(Vec<String>),
    /// These roles, together.
    Roles(Vec<String>),
    /// One of these roles.
    AnyRole(Vec<String>),
    /// A role with data actions, such as `read, or readById`.
    DataActions(String),
    /// Data actions within the limits of the issuer ([`IssuerLimits`](crate::IssuerLimits)).
    IssuerLimit(String),
    /// A declaration of what the handlers enforce ([`Enforcement`](crate::Enforcement)).
    Declaration(String),
    /// Anything else, in the words of the rule that denied.
    Other(String),
}

/// The number of scopes or roles that advice names.
const MAX_NAMED: usize = 8;

impl Requirement {
    /// Says what would meet the requirement, and who can see to it.
    pub(super) fn advice(&self) -> Advice {
        let advice = |side, text| Advice { side, text };
        match self {
            Self::Scopes(scopes) => {
                advice(Side::Client, format!("ask for {}", named("scope", scopes, "and")))
            }
            Self::AnyScope(scopes) => {
                advice(Side::Client, format!("ask for {}", named("scope", scopes, "or")))
            }
            Self::Roles(roles) => {
                let roles = named("role", roles, "and");
                advice(Side::Provider, format!("assign {roles} to the caller"))
            }
            Self::AnyRole(roles) => {
                let roles = named("role", roles, "or");
                advice(Side::Provider, format!("assign {roles} to the caller"))
            }
            Self::DataActions(actions) => advice(
                Side::Server,
                format!(
                    "grant the caller an app role, or assign one, with the data action {actions}"
                ),
            ),
            Self::IssuerLimit(actions) => advice(
                Side::Server,
                format!("allow its callers the data action {actions}, in the limits of the issuer"),
            ),
            Self::Declaration(missing) => advice(
                Side::Server,
                format!(
                    "declare that the handlers enforce {missing}, once they do \
                     (`handlers_enforce`)"
                ),
            ),
            Self::Other(words) => advice(
                Side::Server,
                format!(
                    "the rule of this server asks for `{}`: see that it is met",
                    sanitize(words)
                ),
            ),
        }
    }
}

/// ``the scope `a` ``, ``the scopes `a` and `b` ``.
fn named(what: &str, names: &[String], between: &str) -> String {
    let plural = if names.len() > 1 && between == "and" { "s" } else { "" };
    let names: Vec<String> =
        names.iter().take(MAX_NAMED).map(|name| format!("`{}`", sanitize(name))).collect();
    let listed = match names.as_slice() {
        [earlier @ .., last] if !earlier.is_empty() => {
            format!("{} {between} {last}", earlier.join(", "))
        }
        names => names.concat(),
    };
    format!("the {what}{plural} {listed}")
}
