//! The issuers that apps are sent to.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::issuer::Issuer;
use crate::keys::Provider;

/// What the well-known documents say of issuers, in the order in which these were named.
#[derive(Debug, Default)]
pub(crate) struct Advertisement {
    names: Vec<Arc<str>>,
    /// Of the first of them.
    provider: Option<Arc<Provider>>,
}

impl Advertisement {
    pub(super) fn add(&mut self, issuer: &Issuer) {
        let name = &issuer.settings.advertised.name;
        if !self.names.contains(name) {
            self.names.push(Arc::clone(name));
        }
        self.provider.get_or_insert_with(|| Arc::clone(&issuer.provider));
    }

    /// Their names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// What the first of them says of itself, as far as it is known. Where it is not, nobody else's
    /// endpoints stand for it: apps would send their users there.
    pub(crate) fn provider(&self) -> Option<Map<String, Value>> {
        self.provider.as_ref()?.members()
    }
}
