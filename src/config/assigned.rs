//! Role assignments in the file: `[roles.assign]`, and `assign` of an issuer.

use super::reader::SectionReader;
use crate::authentication::entra::is_guid;
use crate::authorization::CallerId;
use crate::telemetry::log;

/// Keys, each with its roles.
pub(crate) type Assigned = Vec<(AssignedKey, Vec<String>)>;

/// The key of an assignment: `[<tid>/]`, and then the caller.
#[derive(Debug)]
pub(crate) struct AssignedKey {
    /// The key as it was written.
    pub(crate) text: String,
    pub(crate) tenant: Option<String>,
    pub(crate) caller: CallerId,
}

impl AssignedKey {
    fn read(text: String) -> Self {
        // Subjects and groups may contain a slash; only a GUID before it is a tenant.
        let (tenant, caller) = match text.split_once('/') {
            Some((tenant, caller)) if is_guid(tenant) => (Some(tenant.to_owned()), caller),
            Some(_) | None => (None, text.as_str()),
        };
        Self { tenant, caller: CallerId::from(caller), text }
    }

    /// Warns of a key that may match more than was meant: a provider may give the same name to a
    /// group and to a user, but never the same GUID.
    pub(crate) fn warn_if_ambiguous(&self) {
        if matches!(&self.caller, CallerId::Any(id) if !is_guid(id)) {
            log::warn!(
                key = self.text.as_str(),
                "the key of this assignment is not a GUID, so it matches object ids, subjects and \
                 groups: prefix it with `oid:`, `sub:` or `group:` to match only one of these"
            );
        }
    }
}

/// Reads assignments: object id, subject or group → roles.
pub(crate) fn assignments(mut assign: SectionReader<'_>) -> Assigned {
    let mut assigned = Assigned::new();
    for (key, roles) in assign.rest() {
        let texts = roles
            .as_array()
            .map(|roles| roles.iter().map(|role| role.as_str().filter(|role| !role.is_empty())));
        let roles = texts.and_then(|texts| texts.map(|role| role.map(str::to_owned)).collect());
        let read = AssignedKey::read(key);
        if read.caller.value().is_empty() {
            assign.reject(&read.text, "expected an object id, a subject or a group");
        }
        match roles {
            Some(roles) => assigned.push((read, roles)),
            None => assign.reject(&read.text, "expected an array of roles"),
        }
    }
    assigned
}
