//! Requirements that a denied request did not meet, apart by who can see to each.

use super::{Advice, Side, address};
use crate::display_safe::sanitize;
use crate::fhir::AddressFault;

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
    /// An address that is an interaction of FHIR: no right of the caller is missing.
    Address(AddressFault),
    /// A search parameter by which the application can confine, for the constraint of a scope
    /// ([`ConstraintMatcher`](crate::ConstraintMatcher)).
    #[non_exhaustive]
    Parameter {
        /// The type that has it in R4.
        resource_type: String,
        /// Its name.
        name: String,
    },
    /// Anything else, in the words of the rule that denied.
    Other(String),
}

/// The number of scopes or roles that advice names: no fewer than a rule of this crate requires, so
/// that it is enough.
const MAX_NAMED: usize = 64;

impl Requirement {
    /// Says what would meet the requirement, and who can see to it: most likely first.
    pub(super) fn advices(&self) -> Vec<Advice> {
        let advice = |side, text| vec![Advice { side, text }];
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
            Self::Address(fault) => address::advices(fault),
            Self::Parameter { resource_type, name } => advice(
                Side::Server,
                format!(
                    "support the search parameter `{}` of {} in the `ConstraintMatcher`, once the \
                     handlers can confine by it",
                    sanitize(name),
                    sanitize(resource_type)
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
