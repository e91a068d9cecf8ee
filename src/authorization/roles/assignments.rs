//! Local RBAC: roles that this server gives to callers by who they are.

use std::collections::HashMap;

use crate::authentication::Principal;

/// Roles by issuer, and within it by object id, subject or group. An id of one issuer never stands
/// for another's.
///
/// ```
/// use tower_fhir_auth::authorization::{Assignments, CallerId};
///
/// let issuer = "https://idp.example.org";
/// let assignments = Assignments::new()
///     .assign(issuer, "00000000-aaaa-bbbb-cccc-000000000001", ["globalReader"])
///     .assign(issuer, CallerId::Group("auditors".to_owned()), ["globalReader"])
///     .assign(issuer, "sub:alice", ["globalWriter"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Assignments(HashMap<String, Ids>);

/// The identity of a caller in an assignment.
///
/// As text it is `oid:`, `sub:` or `group:` and the value, in which everything after the first
/// colon counts; text without one of these prefixes is any of the three.
///
/// ```
/// use tower_fhir_auth::authorization::CallerId;
///
/// assert_eq!(CallerId::from("sub:auth0|a:b"), CallerId::Subject("auth0|a:b".to_owned()));
/// assert_eq!(CallerId::from("auth0|a:b"), CallerId::Any("auth0|a:b".to_owned()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallerId {
    /// Any of the three.
    Any(String),
    /// The object id (`oid`).
    ObjectId(String),
    /// The subject (`sub`).
    Subject(String),
    /// A group (`groups`).
    Group(String),
}

/// The callers of one issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ids {
    any: RolesById,
    object_ids: RolesById,
    subjects: RolesById,
    groups: RolesById,
}

type RolesById = HashMap<String, Vec<String>>;

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
        caller: impl Into<CallerId>,
        roles: impl IntoIterator<Item = R>,
    ) -> Self {
        let ids = self.0.entry(issuer.into()).or_default();
        let (ids, id) = match caller.into() {
            CallerId::Any(id) => (&mut ids.any, id),
            CallerId::ObjectId(id) => (&mut ids.object_ids, id),
            CallerId::Subject(id) => (&mut ids.subjects, id),
            CallerId::Group(id) => (&mut ids.groups, id),
        };
        ids.entry(id).or_default().extend(roles.into_iter().map(Into::into));
        self
    }

    /// Reports whether there are assignments for callers of this one's issuer.
    pub(crate) fn are_of(&self, caller: &Principal) -> bool {
        self.0.contains_key(caller.issuer())
    }

    /// The roles that a caller is given.
    pub(crate) fn roles_of<'a>(&'a self, caller: &'a Principal) -> impl Iterator<Item = &'a str> {
        let ids = self.0.get(caller.issuer());
        ids.into_iter().flat_map(|ids| {
            let object_id = caller.object_id().into_iter().map(|id| (&ids.object_ids, id));
            let subject = caller.subject().into_iter().map(|id| (&ids.subjects, id));
            let groups = caller.groups().map(|id| (&ids.groups, id));
            let known = object_id.chain(subject).chain(groups);
            let given = known.flat_map(|(own, id)| [own.get(id), ids.any.get(id)]);
            given.flatten().flatten().map(String::as_str)
        })
    }
}

impl CallerId {
    /// The exact value of the claim.
    #[must_use]
    pub fn value(&self) -> &str {
        match self {
            Self::Any(id) | Self::ObjectId(id) | Self::Subject(id) | Self::Group(id) => id,
        }
    }
}

impl From<String> for CallerId {
    fn from(text: String) -> Self {
        match text.split_once(':') {
            Some(("oid", id)) => Self::ObjectId(id.to_owned()),
            Some(("sub", id)) => Self::Subject(id.to_owned()),
            Some(("group", id)) => Self::Group(id.to_owned()),
            Some(_) | None => Self::Any(text),
        }
    }
}

impl From<&str> for CallerId {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<&String> for CallerId {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}
