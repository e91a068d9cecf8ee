//! Requirements that a denied request did not meet, apart by who can see to each.

use super::address;
use super::conjunction::joined;
use super::held_role::{HeldRole, RoleStanding};
use super::side::{Advice, Side};
use crate::display_safe::sanitize;
use crate::fhir::AddressFault;

/// One thing that a caller would have needed to be granted a request.
///
/// A [`Denial`](crate::Denial) keeps them as data, so that advice never takes a role for a scope.
///
/// ```
/// use tower_fhir_auth::explanation::{Reason, Requirement};
///
/// /// Returns the scopes that would have been enough, for a client that may ask for them.
/// fn scopes(reason: &Reason) -> Vec<String> {
///     let Reason::Denied { requirements, .. } = reason else { return Vec::new() };
///     let mut scopes = Vec::new();
///     for requirement in requirements {
///         if let Requirement::Scopes(needed) | Requirement::AnyScope(needed) = requirement {
///             scopes.extend(needed.iter().cloned());
///         }
///     }
///     scopes
/// }
/// ```
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
    /// Data actions in the union of the caller's roles.
    #[non_exhaustive]
    DataActions {
        /// The fewest that are missing, together: `["readById"]`.
        least: Vec<&'static str>,
        /// The first roles of the caller.
        roles: Vec<HeldRole>,
    },
    /// Role definitions, of which this server has none, so that no role grants anything.
    #[non_exhaustive]
    RoleDefinitions {
        /// The fewest data actions that would be enough, together.
        least: Vec<&'static str>,
        /// The first roles of the caller.
        roles: Vec<HeldRole>,
    },
    /// The fewest data actions that are missing within the limits of the issuer
    /// ([`IssuerLimits`](crate::authorization::IssuerLimits)), together.
    IssuerLimit(Vec<&'static str>),
    /// An operation that the table of data actions lists; this one, by its name, it does not.
    ListedOperation(String),
    /// A declaration of what the handlers enforce ([`Enforcement`](crate::Enforcement)).
    Declaration(String),
    /// An address that is an interaction of FHIR: no right of the caller is missing.
    Address(AddressFault),
    /// A search parameter by which the application can confine, for the constraint of a scope
    /// ([`ConstraintMatcher`](crate::authorization::ConstraintMatcher)).
    #[non_exhaustive]
    Parameter {
        /// The type that has it in R4.
        resource_type: String,
        /// Its name.
        name: String,
    },
    /// A patient in one of these claims, from a provider that has no launch context to ask for.
    Patient(Vec<String>),
    /// Anything else, in the words of the rule that denied.
    Other(String),
}

/// The number of scopes or roles that advice names: no fewer than a rule of this crate requires, so
/// that it is enough.
const MAX_NAMED: usize = 64;

impl Requirement {
    /// Says what would meet the requirement, and who can see to it: most likely first.
    pub(super) fn advice(&self) -> Vec<Advice> {
        let advice = |side, text| vec![Advice { side, text }];
        let client = |text| advice(Side::Client, text);
        let provider = |text| advice(Side::Provider, text);
        let server = |text| advice(Side::Server, text);
        match self {
            Self::Scopes(scopes) => client(format!("ask for {}", named("scope", scopes, "and"))),
            Self::AnyScope(scopes) => client(format!("ask for {}", named("scope", scopes, "or"))),
            Self::Roles(roles) => {
                provider(format!("assign {} to the caller", named("role", roles, "and")))
            }
            Self::AnyRole(roles) => {
                provider(format!("assign {} to the caller", named("role", roles, "or")))
            }
            Self::DataActions { least, roles } => server(data_actions(least, roles)),
            Self::RoleDefinitions { least, roles } => server(role_definitions(least, roles)),
            Self::IssuerLimit(least) => server(format!(
                "allow its callers {}, in the limits of the issuer",
                named("data action", least, "and")
            )),
            Self::ListedOperation(name) => server(format!(
                "no single data action stands for the operation `{}`: let a rule of this server's \
                 own grant it (`authorize_fn`)",
                sanitize(name)
            )),
            Self::Declaration(missing) => server(format!(
                "declare that the handlers enforce {missing}, once they do (`handlers_enforce`)"
            )),
            Self::Address(fault) => address::advice(fault),
            Self::Parameter { resource_type, name } => server(format!(
                "support the search parameter `{}` of {} in the `ConstraintMatcher`, once the \
                 handlers can confine by it",
                sanitize(name),
                sanitize(resource_type)
            )),
            Self::Patient(claims) => provider(format!(
                "put the patient into access tokens, as {}: Microsoft Entra ID has no launch context",
                named("claim", claims, "or")
            )),
            Self::Other(words) => server(format!(
                "the rule of this server asks for `{}`: see that it is met",
                sanitize(words)
            )),
        }
    }
}

/// Names the least that would be enough; what is mostly wrong is the name of a role.
fn data_actions(least: &[&str], roles: &[HeldRole]) -> String {
    let least = named("data action", least, "and");
    let of = |standing| roles.iter().find(|role: &&HeldRole| role.standing == standing);
    match of(RoleStanding::Undefined).or_else(|| of(RoleStanding::Conditional)) {
        Some(HeldRole { name, standing: RoleStanding::Conditional, .. }) => format!(
            "the role `{name}` counts under a condition that the token does not meet (`[[roles.when]]`): \
             let the client ask for a token that does, or give the caller a role with {least} and no more"
        ),
        Some(HeldRole { name, .. }) => format!(
            "define the role `{name}` with {least}, or give the caller a defined role that has no \
             more than that"
        ),
        None => format!(
            "give the caller a role with {least} and no more, in the token or by an assignment \
             (`[roles.assign]`)"
        ),
    }
}

fn role_definitions(least: &[&str], roles: &[HeldRole]) -> String {
    let least = named("data action", least, "and");
    match roles.first() {
        Some(HeldRole { name, .. }) => {
            format!("set `[roles] definitions`, with {least} for the role `{name}`")
        }
        None => format!(
            "set `[roles] definitions`, with a role that has {least}, and give the caller this role"
        ),
    }
}

/// ``the scope `a` ``, ``the scopes `a` and `b` ``.
fn named(what: &str, names: &[impl AsRef<str>], between: &str) -> String {
    let plural = if names.len() > 1 && between == "and" { "s" } else { "" };
    let names = names.iter().take(MAX_NAMED);
    let names: Vec<String> = names.map(|name| format!("`{}`", sanitize(name.as_ref()))).collect();
    format!("the {what}{plural} {}", joined(&names, between))
}
