//! Local RBAC in the file: `[roles.assign]`, and `assign` of an issuer.

use super::reader::Reader;

/// Ids, each with its roles.
pub(crate) type Assigned = Vec<(String, Vec<String>)>;

/// Object id, subject or group → roles.
pub(crate) fn assignments(mut assign: Reader<'_>) -> Assigned {
    let mut assigned = Assigned::new();
    for (id, roles) in assign.rest() {
        let texts = roles
            .as_array()
            .map(|roles| roles.iter().map(|role| role.as_str().filter(|role| !role.is_empty())));
        match texts.and_then(|texts| texts.map(|role| role.map(str::to_owned)).collect()) {
            Some(roles) => assigned.push((id, roles)),
            None => assign.reject(&id, "expected a list of roles"),
        }
    }
    assigned
}
