//! Local RBAC: roles that this server gives to callers by who they are.

use std::collections::HashMap;

use crate::authentication::Principal;

/// Roles by issuer, and within it by object id, subject or group. An id of one issuer never stands
/// for another's.
///
/// ```
/// use tower_fhir_auth::Assignments;
///
/// let assignments = Assignments::new()
///     .assign("https://idp.example.org", "00000000-aaaa-bbbb-cccc-000000000001", ["globalReader"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Assignments(HashMap<String, HashMap<String, Vec<String>>>);

impl Assignments {
    /// No assignments.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives roles to whoever has an id with an issuer: an object id (`oid`), a subject (`sub`) or
    /// a group (`groups`), compared exactly. Roles of several calls add up.
    pub fn assign<R: Into<String>>(
        mut self,
        issuer: impl Into<String>,
        id: impl Into<String>,
        roles: impl IntoIterator<Item = R>,
    ) -> Self {
        let ids = self.0.entry(issuer.into()).or_default();
        ids.entry(id.into()).or_default().extend(roles.into_iter().map(Into::into));
        self
    }

    /// Whether there are assignments for callers of this one's issuer.
    pub(crate) fn are_of(&self, caller: &Principal) -> bool {
        self.0.contains_key(caller.issuer())
    }

    /// The roles that a caller is given.
    pub(crate) fn roles_of<'a>(&'a self, caller: &'a Principal) -> impl Iterator<Item = &'a str> {
        let ids = self.0.get(caller.issuer());
        let own = caller.object_id().into_iter().chain(caller.subject()).chain(caller.groups());
        own.filter_map(move |id| ids?.get(id)).flatten().map(String::as_str)
    }
}
