//! Roles of a caller that was denied, and the reason why each did not grant.

/// A role of a caller that was denied. Operators are shown it, clients are not.
///
/// ```
/// use tower_fhir_auth::explanation::HeldRole;
///
/// fn told(role: &HeldRole) -> String {
///     let way = if role.assigned { "assigned here" } else { "of the token" };
///     format!("{} ({way})", role.name)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeldRole {
    /// Its name, as the token or the assignment has it, made safe to show.
    pub name: String,
    /// True if this server assigned it, false if the token has it.
    pub assigned: bool,
    /// The reason why it did not grant.
    pub standing: RoleStanding,
}

/// The reason why a role did not grant a request.
///
/// ```
/// use tower_fhir_auth::explanation::{HeldRole, RoleStanding};
///
/// fn is_a_typo(role: &HeldRole) -> bool {
///     role.standing == RoleStanding::Undefined
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RoleStanding {
    /// No role of this name is defined.
    Undefined,
    /// It is defined, and counts only under a condition that the token does not meet, such as a purpose of use
    /// ([`RoleCondition`](crate::authorization::RoleCondition)).
    Conditional,
    /// It is defined, but without all of the data actions that the request requires.
    Insufficient,
}

impl HeldRole {
    pub(crate) fn new(name: String, assigned: bool, standing: RoleStanding) -> Self {
        Self { name, assigned, standing }
    }
}
