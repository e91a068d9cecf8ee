//! The extensions of a request while it is decided on.

use http::Extensions;

use super::layer_parts::{LetInWithoutAccess, strip_untrusted};
use crate::authentication::Principal;
use crate::authorization::Access;

/// Puts into the extensions of a request what its layer has found. A [`Principal`] or [`Access`] that came in
/// proves nothing: it is replaced or removed, whatever the decision.
pub(super) struct Admission<'e> {
    extensions: &'e mut Extensions,
    is_stripped: bool,
    has_access: bool,
}

impl<'e> Admission<'e> {
    pub(super) fn new(extensions: &'e mut Extensions) -> Self {
        Self { extensions, is_stripped: false, has_access: false }
    }

    /// Returns the extensions as they came in, for the connection that the request is of.
    pub(super) fn extensions(&self) -> &Extensions {
        self.extensions
    }

    /// Lets a request in that was granted something.
    pub(super) fn grant(&mut self, access: Access, principal: Principal) {
        // Both replace what came in, and whoever finds an `Access` does not look for a mark: three removals
        // are 150 of the 5,400 instructions of a token that was seen before.
        self.extensions.insert(access);
        self.extensions.insert(principal);
        self.has_access = true;
    }

    /// Marks a request that may be let in without an [`Access`].
    pub(super) fn mark_without_access(&mut self, mark: LetInWithoutAccess) {
        self.strip();
        self.extensions.insert(mark);
    }

    /// Lets a request of a known caller in where nothing is granted.
    pub(super) fn admit_caller(&mut self, principal: Principal) {
        self.strip();
        self.extensions.insert(principal);
    }

    /// Ends the decision. Returns `true` if an [`Access`] was granted.
    pub(super) fn end(mut self) -> bool {
        if !self.has_access {
            self.strip();
        }
        self.has_access
    }

    fn strip(&mut self) {
        if !self.is_stripped {
            strip_untrusted(self.extensions);
            self.is_stripped = true;
        }
    }
}
