//! The answers that are kept, by a hash of the token.
//!
//! | | |
//! |---|---|
//! | an active token | its answer counts until `max_age` after it was asked for, and never past `exp`. After that it only marks the token as known, so that it is not turned away with unknown ones |
//! | any other token | that it was refused counts for 5 s, and so does an answer by which it has expired |
//! | how many | 10,000 answers of 1 KiB in all, larger ones at the expense of others, and 10,000 refusals. Those that were used again outlive those seen once |
//!
//! The hash is SHA-256: a stranger who could make two tokens of one hash could take the answer to one
//! for the other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{OptionsBuilder, UnitWeighter, Weighter};
use tokio::time::Instant;

use super::answer::{ActiveAnswer, IntrospectionAnswer};
use crate::jose::digest::{Sha256, sha256};
use crate::time::UnixTime;

/// The time that a refusal is kept.
const INACTIVE_TTL: Duration = Duration::from_secs(5);

/// The number of answers, and of refusals, that are kept.
const ENTRIES: usize = 10_000;

/// The share of one answer in the memory of all.
const BYTES_OF_ONE: usize = 1024;

/// A token, as the cache knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TokenHash(Sha256);

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

impl TokenHash {
    pub(super) fn of(token: &[u8]) -> Self {
        Self(sha256(token))
    }
}

type Entries<V, W> = Cache<TokenHash, V, W, DefaultHashBuilder>;

/// The answers of one provider.
pub(super) struct AnswerCache {
    answers: Option<Entries<Arc<ActiveAnswer>, Bytes>>,
    refusals: Option<Entries<Instant, UnitWeighter>>,
    max_age: Duration,
}

/// The cached answer about a token.
#[derive(Debug)]
pub(super) enum CachedAnswer {
    /// An answer that is recent, and says that the token is active, or until when it was.
    Answered(Arc<ActiveAnswer>),
    /// A recent answer that it is not active.
    Inactive,
    /// It was active when it was last asked about: known, and to be asked about again.
    Stale,
    Unknown,
}

impl AnswerCache {
    pub(super) fn new(max_age: Duration) -> Self {
        let bytes = u64::try_from(ENTRIES * BYTES_OF_ONE).unwrap_or(u64::MAX);
        let options = |capacity| {
            let mut options = OptionsBuilder::new();
            options.estimated_items_capacity(ENTRIES).weight_capacity(capacity);
            options.build().ok()
        };
        let hasher = DefaultHashBuilder::default();
        let answers = options(bytes).map(|options| {
            Cache::with_options(options, Bytes, hasher.clone(), DefaultLifecycle::default())
        });
        let entries = u64::try_from(ENTRIES).unwrap_or(u64::MAX);
        let refusals = options(entries).map(|options| {
            Cache::with_options(options, UnitWeighter, hasher, DefaultLifecycle::default())
        });
        Self { answers, refusals, max_age }
    }

    /// Looks up a token. A cached answer is returned only if `counts` accepts it. One by which the token has just
    /// expired is returned as well, so that the provider is not asked again for each request.
    pub(super) fn get(
        &self,
        token: TokenHash,
        (now, leeway): (UnixTime, Duration),
        counts: impl FnOnce(&ActiveAnswer) -> bool,
    ) -> CachedAnswer {
        if let Some(answer) = self.answers.as_ref().and_then(|answers| answers.get(&token)) {
            let is_recent = Instant::now() < self.counts_until(&answer);
            let is_active = is_recent && is_before_expiry(&answer, now);
            let is_refused = answer.asked_at.elapsed() < INACTIVE_TTL
                && answer.expires_at.is_some_and(|at| at.saturating_add(leeway) <= now);
            return match (is_active || is_refused) && counts(&answer) {
                true => CachedAnswer::Answered(answer),
                false => CachedAnswer::Stale,
            };
        }
        let refused_at = self.refusals.as_ref().and_then(|refusals| refusals.get(&token));
        match refused_at.is_some_and(|at| at.elapsed() < INACTIVE_TTL) {
            true => CachedAnswer::Inactive,
            false => CachedAnswer::Unknown,
        }
    }

    /// Keeps an answer in place of the one before.
    pub(super) fn keep(&self, token: TokenHash, answer: &IntrospectionAnswer<Arc<ActiveAnswer>>) {
        match answer {
            IntrospectionAnswer::Active(answer) => {
                if let Some(refusals) = &self.refusals {
                    refusals.remove(&token);
                }
                if let Some(answers) = &self.answers {
                    answers.insert(token, Arc::clone(answer));
                }
            }
            IntrospectionAnswer::Inactive => {
                if let Some(answers) = &self.answers {
                    answers.remove(&token);
                }
                if let Some(refusals) = &self.refusals {
                    refusals.insert(token, Instant::now());
                }
            }
        }
    }

    /// Returns when an answer has to be asked for again.
    pub(super) fn counts_until(&self, answer: &ActiveAnswer) -> Instant {
        answer.asked_at + self.max_age
    }
}

/// Reports whether a token has not expired, without leeway: after `exp` the provider is asked again.
fn is_before_expiry(answer: &ActiveAnswer, now: UnixTime) -> bool {
    answer.expires_at.is_none_or(|expires_at| now < expires_at)
}

/// Weighs an answer by its memory, and at least its share: so the number of entries is bounded too.
#[derive(Clone)]
struct Bytes;

impl Weighter<TokenHash, Arc<ActiveAnswer>> for Bytes {
    fn weight(&self, _: &TokenHash, answer: &Arc<ActiveAnswer>) -> u64 {
        u64::try_from(answer.size().max(BYTES_OF_ONE)).unwrap_or(u64::MAX)
    }
}

impl fmt::Debug for AnswerCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let answers = self.answers.as_ref().map_or(0, Cache::len);
        f.debug_struct("AnswerCache").field("answers", &answers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A provider may prolong a token.
    #[tokio::test(start_paused = true)]
    async fn an_answer_by_which_a_token_has_expired_counts_for_five_seconds() {
        let cache = AnswerCache::new(Duration::from_secs(60));
        let token = TokenHash::of(b"token");
        let answer =
            IntrospectionAnswer::read(br#"{"active": true, "exp": 1000}"#, Instant::now(), None)
                .unwrap();
        cache.keep(token, &answer.shared());
        let leeway = Duration::from_secs(60);
        let counts = |now: i64| {
            let known = cache.get(token, (UnixTime::from_secs(now), leeway), |_| true);
            matches!(known, CachedAnswer::Answered(_))
        };
        assert!(counts(999), "not yet");
        assert!(!counts(1000) && !counts(1059), "within the leeway it is asked about");
        assert!(counts(1060));
        tokio::time::advance(INACTIVE_TTL).await;
        assert!(!counts(1060));
    }
}
