//! The CapabilityStatement of the upstream server, as it is with this layer before it.

use std::cell::Cell;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::handling;
use super::members::Members;
use crate::fhir::search;

/// Parameters of results, which a statement may list among those of searches.
const OF_RESULTS: [&str; 12] = [
    "_at",
    "_count",
    "_elements",
    "_format",
    "_include",
    "_pretty",
    "_revinclude",
    "_since",
    "_sort",
    "_summary",
    "_total",
    "_type",
];

/// Rewrites a CapabilityStatement for this server: the facts that it is written anew with.
#[derive(Debug)]
pub(super) struct StatementRewriter<'a> {
    /// The base that clients know, without a slash at its end.
    base: &'a str,
    security: Value,
    /// True if what cannot be confined is refused.
    is_confined: bool,
    /// The bytes that may still be written; `None` where there were not enough.
    room: Cell<Option<usize>>,
}

impl<'a> StatementRewriter<'a> {
    /// Makes those of a statement of no more than so many bytes.
    pub(super) fn new(base: &'a str, security: Value, is_confined: bool, limit: usize) -> Self {
        Self { base, security, is_confined, room: Cell::new(Some(limit)) }
    }

    /// Reports whether a statement was not written because it would be too long.
    pub(super) fn is_full(&self) -> bool {
        self.room.get().is_none()
    }

    /// Writes a statement with the address and the security of this server, and without what is always refused
    /// here. `None` for what is no statement.
    pub(super) fn rewritten(
        &self,
        text: &str,
        may_grant: impl Fn(&str) -> bool,
    ) -> Option<Box<RawValue>> {
        let mut statement = Members::parse(text)?;
        let kind = statement.string("resourceType")?;
        if !matches!(&*kind, "CapabilityStatement" | "TerminologyCapabilities") {
            return None;
        }
        let implementation = statement.get("implementation").map(str::to_owned);
        let implementation = implementation.as_deref().and_then(Members::parse);
        match implementation {
            Some(mut implementation) => {
                implementation.set("url", &self.base)?;
                let written = implementation.write()?;
                statement.set("implementation", &written)?;
            }
            None => {
                let own = json!({"description": "a FHIR server", "url": self.base});
                statement.set("implementation", &own)?;
            }
        }
        // Messages are operations that nobody may call, at addresses of the upstream server.
        statement.remove("messaging");
        statement.edit_list("rest", |rest| self.rest(rest, &may_grant));
        statement.write()
    }

    fn rest(
        &self,
        mut rest: Members<'_>,
        may_grant: &impl Fn(&str) -> bool,
    ) -> Option<Box<RawValue>> {
        if self.is_full() {
            return None;
        }
        if rest.string("mode").as_deref() == Some("client") {
            return rest.write();
        }
        // Each of them gets the security of this server, however short it is.
        rest.set("security", &self.security)?;
        self.edit(&mut rest, "", may_grant);
        rest.edit_list("resource", |mut resource| {
            let name = resource.string("type")?;
            self.edit(&mut resource, &name, may_grant);
            resource.write()
        });
        let written = rest.write()?;
        let left = self.room.get().and_then(|room| room.checked_sub(written.get().len()));
        self.room.set(left);
        left.map(|_| written)
    }

    /// Leaves out what is always refused: operations that no rule grants, and where answers are confined search
    /// parameters that look into what may be hidden, or of which nobody can tell what they do.
    fn edit(
        &self,
        members: &mut Members<'_>,
        resource_type: &str,
        may_grant: &impl Fn(&str) -> bool,
    ) {
        members.edit_list("operation", |operation| {
            let name = operation.string("name")?;
            let name = name.trim_start_matches('$');
            let is_refused = self.is_confined && handling::is_always_refused(name);
            (!is_refused && may_grant(name)).then(|| operation.write()).flatten()
        });
        if !self.is_confined {
            return;
        }
        members.edit_list("searchParam", |parameter| {
            let name = parameter.string("name")?;
            let is_asked = OF_RESULTS.contains(&&*name) || search::is_known(resource_type, &name);
            is_asked.then(|| parameter.write()).flatten()
        });
    }
}
