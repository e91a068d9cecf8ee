//! The caller of a request that was let in, for layers outside.

use http::{Extensions, Request};

use super::gate::Gate;
use crate::authentication::Principal;
use crate::authorization::Access;

/// A caller who was let in, on the way to the extensions of the response.
pub(super) struct AdmittedCaller {
    caller: Principal,
    access: Option<Access>,
}

impl AdmittedCaller {
    /// Returns the caller of a request that was decided on, where responses are to name it.
    pub(super) fn of<B>(request: &Request<B>, gate: &Gate) -> Option<Box<Self>> {
        gate.names_callers.then(|| Self::find(request.extensions())).flatten()
    }

    fn find(extensions: &Extensions) -> Option<Box<Self>> {
        let caller = extensions.get::<Principal>()?.clone();
        Some(Box::new(Self { caller, access: extensions.get().cloned() }))
    }

    pub(super) fn put_into(self, extensions: &mut Extensions) {
        extensions.insert(self.caller);
        self.access.map(|access| extensions.insert(access));
    }
}
