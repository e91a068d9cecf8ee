//! The configuration of a layer that decides now, and what became of others that were to take its place.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::gate::Gate;
use super::interior::LayerId;
use crate::authentication::Authenticator;
use crate::hot_swap::{Current, Replaceable};

/// The configuration that decides, for a layer and all its services. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Gates(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    layer: LayerId,
    current: Replaceable<Gate>,
    replacements: Mutex<Replacements>,
}

/// The replacements of a configuration.
#[derive(Debug, Default)]
pub(super) struct Replacements {
    /// The mistake in the last one, which was refused; `None` when it was put in force.
    pub(super) fault: Option<Arc<str>>,
}

impl Gates {
    pub(super) fn new(first: Gate) -> Self {
        let layer = first.interior.layer;
        let current = Replaceable::new(Arc::new(first));
        Self(Arc::new(Shared { layer, current, replacements: Mutex::default() }))
    }

    pub(crate) fn layer(&self) -> LayerId {
        self.0.layer
    }

    /// Returns the configuration that decides now, for one request. Not to be held across an `await`.
    pub(crate) fn current(&self) -> Current<Gate> {
        self.0.current.load()
    }

    /// Returns the configuration that decides now, to be kept.
    pub(crate) fn keep(&self) -> Arc<Gate> {
        self.0.current.keep()
    }

    pub(super) fn authenticator(&self) -> AuthenticatorOf {
        AuthenticatorOf(self.keep())
    }

    pub(super) fn replace(&self, gate: Gate) {
        self.0.current.replace(Arc::new(gate));
    }

    /// Returns the replacements, which are made one after the other: under this lock.
    pub(super) fn replacements(&self) -> MutexGuard<'_, Replacements> {
        // One that panics has replaced nothing.
        self.0.replacements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The authenticator of a configuration, which lives as long as that.
#[derive(Clone, Debug)]
pub(super) struct AuthenticatorOf(Arc<Gate>);

impl Deref for AuthenticatorOf {
    type Target = Authenticator;

    fn deref(&self) -> &Authenticator {
        &self.0.authenticator
    }
}
