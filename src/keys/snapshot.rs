//! The keys of an issuer as they are at one moment, for the decision on one request.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::hot_swap;
use crate::jose::jwk_set::{Candidates, NoKey};
use crate::jose::{Algorithm, ExpectedKeyIssuer, JwkSet};

/// A number that tells the key sets of one issuer apart: a signature verified under one set counts
/// for nothing under the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeySetId(pub(super) u64);

/// Keys that were loaded, and when.
#[derive(Debug)]
pub(crate) struct GoodKeys {
    pub(crate) set: Arc<JwkSet>,
    pub(crate) set_id: KeySetId,
    pub(crate) loaded_at: Instant,
}

/// The keys in use at one moment. Not to be held across an `await`.
pub(crate) struct KeySnapshot {
    pub(super) keys: hot_swap::Snapshot<GoodKeys>,
    pub(super) max_stale: Option<Duration>,
}

/// The usable keys that match a token.
pub(crate) struct Selected<'a> {
    pub(crate) candidates: Result<Candidates<'a>, NoKey>,
    pub(crate) set: &'a JwkSet,
    pub(crate) set_id: KeySetId,
}

impl GoodKeys {
    pub(super) fn loaded_now(set: Arc<JwkSet>, set_id: KeySetId) -> Self {
        // Monotonic: a wall clock that is set back would keep withdrawn keys in use.
        Self { set, set_id, loaded_at: Instant::now() }
    }
}

impl KeySnapshot {
    /// Returns the keys that a token means, see [`JwkSet::select`], where there are usable keys.
    pub(crate) fn select(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        expected: Option<&ExpectedKeyIssuer>,
    ) -> Option<Selected<'_>> {
        let GoodKeys { set, set_id, .. } = self.usable()?;
        let candidates = set.select(kid, algorithm, expected);
        Some(Selected { candidates, set, set_id: *set_id })
    }

    /// Returns the keys, unless there are none or they are too old to be trusted. Reads a clock.
    pub(crate) fn usable(&self) -> Option<&GoodKeys> {
        let is_stale =
            |good: &&GoodKeys| self.max_stale.is_some_and(|bound| good.loaded_at.elapsed() > bound);
        self.last_good().filter(|good| !is_stale(good))
    }

    /// Returns the last good keys, however old.
    pub(crate) fn last_good(&self) -> Option<&GoodKeys> {
        self.keys.get()
    }
}

impl Selected<'_> {
    /// Reports whether the token's key is unknown, so that a load may bring it.
    pub(crate) fn has_no_match(&self) -> bool {
        self.candidates.as_ref().is_err_and(|why| why.is_unknown())
    }
}
