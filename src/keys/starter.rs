//! The start of the keys of one layer's issuers.

use std::sync::Arc;

use super::origin::{KeyPlan, KeyStart, StartedKeys};
use super::settings::KeySettings;
use super::shared_keys::SharedKeys;
use crate::error::BuildError;
use crate::time::Clock;

/// Starts the plans of the issuers of one authenticator, each once.
pub(crate) struct KeyStarter {
    clock: Arc<dyn Clock>,
    shared: SharedKeys,
    started: Vec<(Arc<KeyPlan>, StartedKeys)>,
}

impl KeyStarter {
    pub(crate) fn new(clock: Arc<dyn Clock>, shared: SharedKeys) -> Self {
        Self { clock, shared, started: Vec::new() }
    }

    /// Returns the clock of the layer.
    #[cfg(feature = "client")]
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }

    /// Starts a plan, or returns the keys of one that was started. The settings of the first issuer
    /// that has it count.
    pub(crate) fn start(
        &mut self,
        plan: &Arc<KeyPlan>,
        settings: KeySettings,
    ) -> Result<StartedKeys, BuildError> {
        if let Some((_, keys)) = self.started.iter().find(|(one, _)| Arc::ptr_eq(one, plan)) {
            return Ok(keys.clone());
        }
        let keys = self.shared.start(KeyStart::new(plan, settings, &self.clock))?;
        self.started.push((Arc::clone(plan), keys.clone()));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::super::origin::KeyOrigin;
    use super::*;
    use crate::keys::{KeyError, KeySource, KeyTag, LoadFuture, LoadedKeys};
    use crate::time::SystemClock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// A source that counts how often it is asked, and never answers.
    #[derive(Clone, Debug, Default)]
    struct Silent(Arc<AtomicU64>);

    impl KeySource for Silent {
        fn load(&self, _: Option<KeyTag>) -> LoadFuture<'_> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::pending::<Result<LoadedKeys, KeyError>>())
        }
    }

    impl Silent {
        fn plan(&self) -> Arc<KeyPlan> {
            KeyPlan::new("keys", Vec::new(), KeyOrigin::Source(Arc::new(self.clone())))
        }
    }

    #[tokio::test]
    async fn issuers_of_one_plan_share_its_keys_and_those_of_equal_plans_do_not() {
        let source = Silent::default();
        let mut starter = KeyStarter::new(Arc::new(SystemClock), SharedKeys::new());
        let (plan, equal) = (source.plan(), source.plan());
        let started = [&plan, &plan, &equal]
            .map(|plan| starter.start(plan, KeySettings::default()).unwrap().keys);
        // The first load is due at once, which a timer tells: a third would come with the others.
        while source.0.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(source.0.load(Ordering::SeqCst), 2);
        assert_eq!(started.map(|keys| keys.health().loads), [1, 1, 1]);
    }

    #[test]
    fn a_plan_that_cannot_be_started_is_an_error_each_time() {
        let mut starter = KeyStarter::new(Arc::new(SystemClock), SharedKeys::new());
        let plan = Silent::default().plan();
        for _ in 0..2 {
            let error = starter.start(&plan, KeySettings::default()).unwrap_err();
            assert_eq!(error, BuildError::NoRuntime);
        }
    }
}
