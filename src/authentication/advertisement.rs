//! The issuers that apps are sent to.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::issuer_in_use::Issuer;
use crate::hot_swap::HotSwap;

/// The issuers that the well-known documents name, in the order of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Advertisement {
    names: Vec<Arc<str>>,
    /// The metadata of the first of them.
    provider: Option<Arc<HotSwap<Map<String, Value>>>>,
}

impl Advertisement {
    pub(super) fn add(&mut self, issuer: &Issuer) {
        let name = &issuer.settings.advertised.name;
        if !self.names.contains(name) {
            self.names.push(Arc::clone(name));
        }
        self.provider.get_or_insert_with(|| Arc::clone(&issuer.provider));
    }

    /// Returns their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// Returns the metadata of the first of them, as far as it is known. Another issuer's
    /// endpoints never take their place: apps would send their users there.
    pub(crate) fn provider(&self) -> Option<Map<String, Value>> {
        self.provider.as_ref()?.snapshot().get().cloned()
    }
}
