//! Chains and `_has` of callers whose results are not confined: what they may look into.

use crate::authorization::Access;
use crate::smart::Permissions;

/// Reports whether every type that a chain may reach can be searched without a patient or a constraint. A link
/// whose type is not spelled out may reach any, but for those that name one type in all of R4.
pub(super) fn is_open(access: &Access, name: &str) -> bool {
    let is_open = |name: &str| access.may(Permissions::SEARCH, name).is_open();
    let types = access.interaction().resource_types();
    let mut rest = name;
    while let Some(reverse) = rest.strip_prefix("_has:") {
        let mut parts = reverse.splitn(3, ':');
        if !parts.next().is_some_and(|name| types.contains(name) && is_open(name)) {
            return false;
        }
        rest = parts.nth(1).unwrap_or_default();
    }
    let Some((links, _)) = rest.rsplit_once('.') else { return rest.len() < name.len() };
    links.split('.').all(|link| match link.split_once(':') {
        Some((_, name)) => types.contains(name) && is_open(name),
        None if matches!(link, "patient") => is_open("Patient"),
        None => false,
    })
}
