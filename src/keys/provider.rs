//! A provider's metadata, for those who publish it on.

use serde_json::{Map, Value};

use crate::swap::Swap;

/// The members of an issuer's discovery document as last read; none until then.
#[derive(Debug)]
pub(crate) struct Provider(Swap<Map<String, Value>>);

impl Provider {
    pub(crate) fn unknown() -> Self {
        Self(Swap::new(None))
    }

    #[cfg(feature = "client")]
    pub(crate) fn replace(&self, members: Map<String, Value>) {
        self.0.replace(members);
    }

    /// Returns a copy, if there is one. Well-known documents are rarely asked for.
    pub(crate) fn members(&self) -> Option<Map<String, Value>> {
        self.0.snapshot().get().cloned()
    }
}
