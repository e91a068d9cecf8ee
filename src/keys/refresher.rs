//! The background task that loads the keys of one issuer.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::error::KeyError;
use super::issuer_keys::{IssuerKeys, Shared};
use super::schedule;
use super::settings::KeySettings;
use super::source::{KeySource, KeyTag, LoadedKeys};
use crate::background_task::BackgroundTask;
use crate::error::BuildError;
use crate::jose::JwkSet;
use crate::telemetry::log;
use crate::time::Clock;

/// The shortest interval at which a source may ask to be polled.
const SHORTEST_POLL: Duration = Duration::from_millis(100);

/// Starts to load keys, and to keep them fresh; `first` are there already.
pub(super) fn start(
    issuer: Arc<str>,
    source: Arc<dyn KeySource>,
    settings: KeySettings,
    first: Option<Arc<JwkSet>>,
    clock: Arc<dyn Clock>,
) -> Result<IssuerKeys, BuildError> {
    let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
    if settings.cooldown < Duration::from_secs(1) {
        log::warn!(
            issuer = &*issuer,
            "with a cooldown below 1 s, tokens with unknown keys can force many loads"
        );
    }
    let poll_every = source.poll_every().map(|pause| pause.max(SHORTEST_POLL));
    // Polled local sources never go stale.
    let max_stale = poll_every.is_none().then_some(settings.max_stale);
    let shared = Arc::new(Shared::new(issuer, settings, max_stale, first, clock));
    let task = BackgroundTask::spawn(&runtime, run(Arc::clone(&shared), source, poll_every));
    Ok(IssuerKeys::refreshed(shared, task))
}

/// Loads keys until the task is aborted: at once, then on schedule, sooner after a failure, and
/// when a request forces a load for an unknown key. Loads follow one another, so an older answer
/// can never replace a newer one.
async fn run(shared: Arc<Shared>, source: Arc<dyn KeySource>, poll_every: Option<Duration>) {
    let mut failures = 0_u32;
    // The tag of the keys in use, never that of a rejected set.
    let mut installed: Option<KeyTag> = None;
    let mut due = Instant::now();
    loop {
        tokio::select! {
            () = sleep_until(due) => {}
            () = shared.forced() => {}
        }
        let began = Instant::now();
        shared.begin();
        let result = match load(&shared, &source, &installed).await.and_then(usable(&installed)) {
            Ok(LoadedKeys { set, max_age, tag }) => {
                failures = 0;
                if set.is_some() {
                    installed = tag;
                }
                due =
                    Instant::now() + schedule::after_success(&shared.settings, max_age, poll_every);
                Ok(set)
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                // Counted from the beginning: a load that hangs does not stretch the pause.
                due = began + schedule::after_failure(failures, poll_every);
                Err(error)
            }
        };
        shared.end(result, due);
    }
}

/// Makes one load, in a task of its own: a source that panics has failed, and the refresher goes
/// on.
async fn load(
    shared: &Shared,
    source: &Arc<dyn KeySource>,
    installed: &Option<KeyTag>,
) -> Result<LoadedKeys, KeyError> {
    let (source, installed) = (Arc::clone(source), installed.clone());
    // Dropping the set aborts its task: at the time-out, or with the refresher.
    let mut task = JoinSet::new();
    task.spawn(async move { source.load(installed).await });
    match timeout(shared.settings.timeout, task.join_next()).await {
        Err(_) => Err(KeyError::Timeout),
        Ok(Some(Ok(result))) => result,
        Ok(Some(Err(_)) | None) => Err(KeyError::other("the source of keys has panicked")),
    }
}

/// Returns the loaded keys if they may replace the last good ones. A provider that publishes no
/// usable key has made a mistake; the last good keys stay. "Unchanged" is valid only in reply to a
/// tag.
fn usable(
    installed: &Option<KeyTag>,
) -> impl FnOnce(LoadedKeys) -> Result<LoadedKeys, KeyError> + '_ {
    |keys| match &keys.set {
        Some(set) if set.is_empty() => {
            let first = set.left_out().first().map(|entry| entry.reason.clone());
            Err(KeyError::Empty { entries: set.left_out().len(), first })
        }
        None if installed.is_none() => {
            Err(KeyError::other("the source answered `unchanged`, but it was sent no tag"))
        }
        Some(_) | None => Ok(keys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::LoadFuture;
    use crate::time::SystemClock;
    use std::sync::Mutex;

    const KEY: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

    fn loaded(key: &str) -> LoadedKeys {
        LoadedKeys::new(JwkSet::parse(format!("{{\"keys\":[{key}]}}").as_bytes()).unwrap())
    }

    #[test]
    fn keys_are_taken_if_there_is_one_and_unchanged_only_in_reply_to_a_tag() {
        let tag = Some(KeyTag::new(*b"tag"));
        let unusable = r#"{"kty":"oct","k":"eA"}"#;
        for (installed, keys, is_taken) in [
            (None, loaded(KEY), true),
            (tag.clone(), loaded(KEY), true),
            (None, loaded(unusable), false),
            (tag.clone(), loaded(unusable), false),
            (None, LoadedKeys::unchanged(), false),
            (tag, LoadedKeys::unchanged(), true),
        ] {
            let told = format!("{installed:?} {keys:?}");
            assert_eq!(usable(&installed)(keys).is_ok(), is_taken, "{told}");
        }
    }

    /// A source that confirms its keys whenever it is sent their tag, and notes what it is sent.
    #[derive(Debug, Default)]
    struct Tagged(Mutex<Vec<Option<KeyTag>>>);

    impl KeySource for Tagged {
        fn load(&self, installed: Option<KeyTag>) -> LoadFuture<'_> {
            let keys = match &installed {
                None => loaded(KEY).tag(KeyTag::new(*b"tag")),
                Some(_) => LoadedKeys::unchanged(),
            };
            self.0.lock().unwrap().push(installed);
            let answer: Result<LoadedKeys, KeyError> = Ok(keys);
            Box::pin(std::future::ready(answer))
        }
    }

    #[tokio::test]
    async fn keys_that_were_confirmed_keep_their_tag() {
        let source = Arc::new(Tagged::default());
        let clock = Arc::new(SystemClock);
        let shared = Shared::new("https://a".into(), KeySettings::default(), None, None, clock);
        let pause = Duration::from_millis(1);
        let task = tokio::spawn(run(Arc::new(shared), Arc::<Tagged>::clone(&source), Some(pause)));
        while source.0.lock().unwrap().len() < 4 {
            tokio::time::sleep(pause).await;
        }
        task.abort();
        let sent = source.0.lock().unwrap();
        let has_tag: Vec<bool> = sent.iter().take(4).map(Option::is_some).collect();
        assert_eq!(has_tag, [false, true, true, true]);
    }
}
