//! Chains and `_has` of callers whose results are not confined: what they may look into.

use std::collections::HashMap;

use crate::authorization::Access;
use crate::fhir::search_reach::is_odd;
use crate::smart::Permissions;

/// Reports whether a parameter, with a modifier or without, may look at resources of any type.
pub(super) fn looks_elsewhere(name: &str) -> bool {
    is_odd(name.split(':').next().unwrap_or_default())
}

/// The types that the chains of one request reach. Each is judged once, however many links name it.
pub(super) struct ChainRules<'a> {
    access: &'a Access,
    verdicts: HashMap<String, bool>,
}

impl<'a> ChainRules<'a> {
    pub(super) fn of(access: &'a Access) -> Self {
        Self { access, verdicts: HashMap::new() }
    }

    /// Reports whether every type that a chain may reach can be searched without a patient or a constraint. A link
    /// whose type is not spelled out may reach any, but for `patient`, which names one type in all of R4; and so may
    /// a parameter at the end such as `_filter`.
    pub(super) fn allows(&mut self, name: &str) -> bool {
        let mut rest = name;
        loop {
            rest = if let Some(reverse) = rest.strip_prefix("_has:") {
                let mut parts = reverse.splitn(3, ':');
                if !parts.next().is_some_and(|name| self.is_open(name)) {
                    return false;
                }
                parts.nth(1).unwrap_or_default()
            } else if let Some((link, further)) = rest.split_once('.') {
                let is_open = match link.split_once(':') {
                    Some((_, name)) => self.is_open(name),
                    None => link == "patient" && self.is_open("Patient"),
                };
                if !is_open {
                    return false;
                }
                further
            } else {
                return rest.len() < name.len() && !looks_elsewhere(rest);
            };
        }
    }

    fn is_open(&mut self, resource_type: &str) -> bool {
        if let Some(verdict) = self.verdicts.get(resource_type) {
            return *verdict;
        }
        // Nothing is kept of names that are no types: a stranger has as many as an address holds.
        let is_type = self.access.interaction().resource_types().contains(resource_type);
        let is_open = is_type && self.access.may(Permissions::SEARCH, resource_type).is_open();
        if is_type {
            self.verdicts.insert(resource_type.to_owned(), is_open);
        }
        is_open
    }
}
