//! Findings about a caller that rules make once, and need again for each entry of a bundle.
//!
//! A token may hold thousands of roles, groups and scopes, and a bundle thousands of entries: searching the one for
//! each element of the other would let a stranger choose both factors of the cost.

use std::sync::{Arc, OnceLock};

use super::roles::RolesMemo;
use super::scopes::CallerScopes;

/// The memo of one caller. It takes no room until it is asked for, and a clone made before that is a memo of its own:
/// see [`shared`](Self::shared).
#[derive(Clone, Default)]
pub(crate) struct CallerMemo(OnceLock<Arc<Findings>>);

#[derive(Default)]
struct Findings {
    roles: RolesMemo,
    scopes: CallerScopes,
}

impl CallerMemo {
    /// Returns the same memo, for the access of an entry: what is found out for one serves all.
    pub(super) fn shared(&self) -> Self {
        self.known();
        self.clone()
    }

    pub(super) fn roles(&self) -> &RolesMemo {
        &self.known().roles
    }

    pub(super) fn scopes(&self) -> &CallerScopes {
        &self.known().scopes
    }

    fn known(&self) -> &Findings {
        self.0.get_or_init(Arc::default)
    }
}
