//! The caller of a request that was let in, for layers outside.

use http::{Extensions, Request};

use super::gate::Gate;
use crate::authentication::Principal;
use crate::authorization::Access;

/// A caller who was let in, on the way to the extensions of the response.
pub(super) struct LetIn {
    caller: Principal,
    access: Option<Access>,
}

impl LetIn {
    /// Returns the caller of a request, where responses are to name it.
    pub(super) fn of<B>(request: &Request<B>, gate: &Gate) -> Option<Box<Self>> {
        let caller = request.extensions().get::<Principal>().filter(|_| gate.names_callers)?;
        let access = request.extensions().get().cloned();
        Some(Box::new(Self { caller: caller.clone(), access }))
    }

    pub(super) fn put_into(self, extensions: &mut Extensions) {
        extensions.insert(self.caller);
        self.access.map(|access| extensions.insert(access));
    }
}
