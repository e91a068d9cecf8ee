//! The configuration of a layer that decides now, and what became of others that were to take its place.

use std::future::{Future, poll_fn};
use std::ops::Deref;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::watch;

use super::gate::Gate;
use super::layer_parts::LayerId;
use crate::authentication::Authenticator;
use crate::hot_swap::{Current, Replaceable};

/// The configuration that decides, for a layer and all its services. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct ActiveGate(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    layer: LayerId,
    current: Replaceable<Gate>,
    /// Tells those who wait for a configuration of the next one.
    replaced: watch::Sender<()>,
    /// Held while a configuration is built and put in force: one after the other.
    turn: Mutex<()>,
    /// The mistake in the last configuration that was to be put in force; `None` when it was.
    fault: Mutex<Option<Arc<str>>>,
}

/// The turn to replace a configuration, until it is dropped.
pub(super) struct ReplacementGuard<'g> {
    shared: &'g Shared,
    _held: MutexGuard<'g, ()>,
}

impl ActiveGate {
    pub(super) fn new(first: Gate) -> Self {
        let layer = first.layer_parts.layer;
        let current = Replaceable::new(Arc::new(first));
        let (turn, fault) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Shared { layer, current, replaced: watch::Sender::new(()), turn, fault }))
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

    /// Resolves when the configuration that decides by then has all of its keys.
    pub(super) async fn ready(&self) {
        let mut replaced = self.0.replaced.subscribe();
        loop {
            // Seen before the configuration is read: one that is put in force in between wakes this again.
            replaced.borrow_and_update();
            let gate = self.keep();
            let (mut ready, mut next) =
                (pin!(gate.authenticator.ready()), pin!(replaced.changed()));
            // Polled first: a configuration that has been replaced must not report that it is ready.
            let is_ready = poll_fn(|context| match next.as_mut().poll(context) {
                Poll::Ready(_) => Poll::Ready(false),
                Poll::Pending => ready.as_mut().poll(context).map(|()| true),
            });
            if is_ready.await {
                return;
            }
        }
    }

    /// Waits for the turn to build a configuration and to put it in force.
    pub(super) fn turn(&self) -> ReplacementGuard<'_> {
        // One that panics has replaced nothing.
        let held = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        ReplacementGuard { shared: &self.0, _held: held }
    }

    /// Returns the mistake in the last configuration that was to be put in force. Does not wait for one that is
    /// being built.
    pub(super) fn fault(&self) -> Option<Arc<str>> {
        self.0.fault().clone()
    }

    /// Takes note of a configuration that was to be put in force and was refused.
    pub(super) fn refused(&self, fault: Arc<str>) {
        *self.0.fault() = Some(fault);
    }
}

impl ReplacementGuard<'_> {
    /// Puts a configuration in force.
    pub(super) fn replace(self, gate: Gate) {
        self.shared.current.replace(Arc::new(gate));
        *self.shared.fault() = None;
        self.shared.replaced.send_replace(());
    }
}

impl Shared {
    fn fault(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner)
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
