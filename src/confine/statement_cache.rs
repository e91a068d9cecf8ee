//! Statements of the upstream server, which everybody may ask for: one question at a time, and its answer serves for a
//! while.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::{Mutex, MutexGuard};

use crate::middleware::LayerParts;
use crate::time::UnixTime;

/// The time for which a statement serves.
const TTL: Duration = Duration::from_secs(5);

/// The largest one that is kept. One that is larger is asked for each time, and still once at a time.
const MAX_KEPT: usize = 4 * 1024 * 1024;

/// The values of `mode` that ask for another statement.
const MODES: [&str; 3] = ["full", "normative", "terminology"];

/// Statements as they were written anew not long ago: one without a mode, and one of each. They go with the
/// configuration that they were written by.
#[derive(Debug, Default)]
pub(super) struct StatementCache([ModeCache; 1 + MODES.len()]);

#[derive(Debug, Default)]
pub(super) struct ModeCache {
    kept: Mutex<Option<Statement>>,
    /// Counts failed requests, so that callers that waited for one fail with it instead of retrying one after the
    /// other.
    failures: AtomicUsize,
}

#[derive(Debug)]
struct Statement {
    body: Bytes,
    /// The part that is ours, which changes with what is known of issuers.
    security: Value,
    built_by: Weak<LayerParts>,
    read_at: UnixTime,
}

/// The answer to somebody who asks.
pub(super) enum CachedStatement<'a> {
    Hit(Bytes),
    /// The turn to ask the upstream server, which nobody else does at the same time.
    Miss(FetchPermit<'a>),
    /// The question of somebody else had no answer in the meantime.
    Failed,
}

/// A turn to ask.
pub(super) struct FetchPermit<'a> {
    kept: MutexGuard<'a, Option<Statement>>,
    failures: &'a AtomicUsize,
}

impl StatementCache {
    /// Returns those that a `mode` asks for, and the mode as it is sent on.
    pub(super) fn for_mode(&self, mode: Option<&str>) -> (&ModeCache, Option<&'static str>) {
        let [plain, others @ ..] = &self.0;
        let found = others.iter().zip(MODES).find(|(_, known)| Some(*known) == mode);
        // An unknown mode is not sent on: strangers could invent modes and have each of them asked.
        found.map_or((plain, None), |(one, known)| (one, Some(known)))
    }
}

impl ModeCache {
    pub(super) async fn find(
        &self,
        layer_parts: &Arc<LayerParts>,
        security: &Value,
    ) -> CachedStatement<'_> {
        let before = self.failures.load(Ordering::Relaxed);
        let kept = self.kept.lock().await;
        let now = layer_parts.now();
        let found = kept.as_ref().filter(|one| {
            // A `Weak` keeps the allocation, so no later configuration can have the same address.
            one.built_by.as_ptr() == Arc::as_ptr(layer_parts)
                && one.security == *security
                // A clock that was set back must not prolong it.
                && one.read_at <= now
                && now < one.read_at.saturating_add(TTL)
        });
        match found {
            Some(found) => CachedStatement::Hit(found.body.clone()),
            None if self.failures.load(Ordering::Relaxed) != before => CachedStatement::Failed,
            None => CachedStatement::Miss(FetchPermit { kept, failures: &self.failures }),
        }
    }
}

impl FetchPermit<'_> {
    /// Keeps what has been asked for.
    pub(super) fn keep(mut self, body: &Bytes, layer_parts: &Arc<LayerParts>, security: Value) {
        *self.kept = (body.len() <= MAX_KEPT).then(|| Statement {
            body: body.clone(),
            security,
            built_by: Arc::downgrade(layer_parts),
            read_at: layer_parts.now(),
        });
    }

    /// Notes that there was no answer, for all who have waited for it.
    pub(super) fn failed(self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}
