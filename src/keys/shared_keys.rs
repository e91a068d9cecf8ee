//! Keys that several layers have in common.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;

use super::clients::Clients;
use super::origin::{KeyStart, StartedKeys, WeakKeys};
use crate::error::BuildError;

/// Lets layers load the keys of an issuer once: one refresher, one cooldown, one load for all of them. Pass
/// clones of one to their builders ([`FhirAuthLayerBuilder::shared_keys`]).
///
/// Layers share the keys of an issuer where the address or file that these come from, the settings by which
/// they are loaded and the clock are the same, so that neither notices the other. A [`KeySource`] of your
/// own is shared by clones of one [`TrustedIssuer`]. Nothing else is shared: verified tokens, proofs that
/// were seen and answers of providers are each layer's own. The keys of an issuer are given up with the
/// last layer that trusts it.
///
/// ```
/// use tower_fhir_auth::keys::SharedKeys;
/// use tower_fhir_auth::{FhirAuthLayer, TrustedIssuer, authenticated};
///
/// # #[cfg(feature = "client")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let shared = SharedKeys::new();
/// let layer = |base: &str| {
///     FhirAuthLayer::builder(base)
///         .issuer(TrustedIssuer::discover("https://idp.example.org/realms/fhir"))
///         .authorizer(authenticated())
///         .shared_keys(&shared)
///         .build()
/// };
/// let internal = layer("https://fhir.example.org/a")?;
/// let external = layer("https://fhir.example.org/b")?;
/// assert_eq!(shared.len(), 1);
/// # drop((internal, external)); Ok(()) }
/// # #[cfg(not(feature = "client"))]
/// # fn main() {}
/// ```
///
/// [`FhirAuthLayerBuilder::shared_keys`]: crate::FhirAuthLayerBuilder::shared_keys
/// [`KeySource`]: crate::keys::KeySource
/// [`TrustedIssuer`]: crate::TrustedIssuer
#[derive(Clone, Default)]
#[must_use]
pub struct SharedKeys(Arc<Mutex<Started>>);

/// The keys that were started, by the names of their plans.
#[derive(Default)]
struct Started {
    by_name: HashMap<Arc<str>, Vec<(KeyStart, WeakKeys)>>,
    /// The number of names at which those that are given up are looked for next.
    tidy_at: usize,
    clients: Clients,
}

impl SharedKeys {
    /// Makes a place for keys, which holds none yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of key sets that are kept fresh for the layers that share them.
    #[must_use]
    pub fn len(&self) -> usize {
        let started = self.started();
        let alive = |(_, keys): &&(KeyStart, WeakKeys)| keys.upgrade().is_some();
        started.by_name.values().flatten().filter(alive).count()
    }

    /// Reports whether no keys are kept fresh.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the keys of a plan that was started in the same way and is still in use, or starts it.
    pub(super) fn start(&self, start: KeyStart) -> Result<StartedKeys, BuildError> {
        // Nobody else starts the same keys meanwhile.
        let mut started = self.started();
        if !start.plan.loads() {
            return start.begin(&mut started.clients);
        }
        let known = started.by_name.get(start.plan.name()).into_iter().flatten();
        let known = known.filter(|(other, _)| start.is_same_as(other));
        if let Some(keys) = known.filter_map(|(_, keys)| keys.upgrade()).next() {
            return Ok(keys);
        }
        let keys = start.begin(&mut started.clients)?;
        started.tidy();
        if let Some(weak) = keys.downgrade() {
            let of_name = started.by_name.entry(start.plan.name().clone()).or_default();
            of_name.retain(|(_, keys)| keys.upgrade().is_some());
            of_name.push((start, weak));
        }
        Ok(keys)
    }

    fn started(&self) -> MutexGuard<'_, Started> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Started {
    /// Forgets what is given up, each time the number of names has doubled.
    fn tidy(&mut self) {
        if self.by_name.len() < self.tidy_at {
            return;
        }
        self.by_name.retain(|_, of_name| {
            of_name.retain(|(_, keys)| keys.upgrade().is_some());
            !of_name.is_empty()
        });
        self.tidy_at = (self.by_name.len() * 2).max(16);
    }
}

impl fmt::Debug for SharedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedKeys").field("keys", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::origin::tests::Silent;
    use super::super::origin::{KeyOrigin, KeyPlan};
    use super::*;
    use crate::keys::KeySettings;
    use crate::time::{Clock, SystemClock};

    #[tokio::test]
    async fn names_whose_keys_are_given_up_are_forgotten() {
        let shared = SharedKeys::new();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        for number in 0..100 {
            let origin = KeyOrigin::Source(Arc::new(Silent));
            let plan = KeyPlan::new(format!("https://{number}"), Vec::new(), origin);
            let start = KeyStart::new(&plan, KeySettings::default(), &clock);
            drop(shared.start(start).unwrap());
        }
        assert!(shared.is_empty());
        let names = shared.started().by_name.len();
        assert!(names <= 16, "{names}");
    }
}
