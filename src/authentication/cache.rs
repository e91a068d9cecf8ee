//! A cache of verified tokens, so that the next request with the same one need not be verified.
//!
//! | | |
//! |---|---|
//! | what is kept | the bytes of the token, and the [`Principal`] made of it, only in memory |
//! | when it is used | the token is the same byte by byte; the keys of its issuer are the ones that verified it, and not too old; the present time is between its dates |
//! | how much is kept | the configured number of tokens, and 8 KiB for each of them in all; tokens that were used again outlive those seen once |
//! | what is not kept | refusals, so that only good tokens fill it; any decision on a request: roles and scopes are evaluated anew each time |
//!
//! A token is found by a hash of its last bytes, which are its signature, with a random key of this
//! process. Whatever two tokens may have in common, all their bytes are compared, so no token is
//! ever taken for another; and as only verified ones are kept, collisions cannot be made without an
//! issuer's signatures.

use std::fmt;
use std::hash::{Hash, Hasher};

use hashbrown::DefaultHashBuilder;
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{Equivalent, OptionsBuilder, Weighter};

use super::principal::Principal;
use super::validity::Validity;

/// The default capacity of the cache, in tokens.
pub(crate) const DEFAULT_TOKENS: usize = 10_000;

/// The share of one token in the cache's memory. Most take less, and count as this.
const BYTES_OF_ONE: usize = 8 * 1024;

/// The overhead of an entry: its slot in the cache, counts, the rest of its allocations.
const ENTRY_OVERHEAD: usize = 768;

/// The number of bytes of a token that are hashed: the last ones, of its signature. The hash decides nothing.
const HASHED: usize = 64;

/// Verified tokens; `None` where caching is turned off.
pub(super) struct TokenCache(Option<Entries>);

type Entries = Cache<TokenKey, CachedCaller, Bytes, DefaultHashBuilder>;

/// A verified token, as a key of the cache.
struct TokenKey(Box<[u8]>);

/// A token that a request presents.
struct TokenKeyRef<'a>(&'a [u8]);

/// The caller of a verified token, and how long this counts.
#[derive(Clone)]
struct CachedCaller {
    principal: Principal,
    validity: Validity,
}

impl TokenCache {
    pub(super) fn new(tokens: usize) -> Self {
        let bytes = u64::try_from(tokens.saturating_mul(BYTES_OF_ONE)).unwrap_or(u64::MAX);
        let mut options = OptionsBuilder::new();
        options.estimated_items_capacity(tokens).weight_capacity(bytes);
        let options = options.build().ok().filter(|_| tokens > 0);
        Self(options.map(|options| {
            let key = DefaultHashBuilder::default();
            Cache::with_options(options, Bytes, key, DefaultLifecycle::default())
        }))
    }

    /// Returns the caller of a token that was verified before, if nothing has changed since.
    pub(super) fn get(
        &self,
        token: &[u8],
        still_holds: impl FnOnce(Validity) -> bool,
    ) -> Option<Principal> {
        let entries = self.0.as_ref()?;
        // The one clone that the request needs: all cores contend for the count of one token.
        let CachedCaller { principal, validity } = entries.get(&TokenKeyRef(token))?;
        if still_holds(validity) {
            return Some(principal);
        }
        // A concurrent request might have replaced it by a fresh one, which is then verified again.
        entries.remove(&TokenKeyRef(token));
        None
    }

    pub(super) fn insert(&self, token: &[u8], principal: &Principal, validity: Validity) {
        if let Some(entries) = &self.0 {
            let principal = principal.clone();
            entries.insert(TokenKey(token.into()), CachedCaller { principal, validity });
        }
    }
}

/// Weighs an entry by its memory, and at least its share: so the number of entries is bounded too.
#[derive(Clone)]
struct Bytes;

impl Weighter<TokenKey, CachedCaller> for Bytes {
    fn weight(&self, token: &TokenKey, verified: &CachedCaller) -> u64 {
        let bytes = token.0.len() + verified.principal.size() + ENTRY_OVERHEAD;
        u64::try_from(bytes.max(BYTES_OF_ONE)).unwrap_or(u64::MAX)
    }
}

impl Hash for TokenKeyRef<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let (_, end) = self.0.split_at(self.0.len().saturating_sub(HASHED));
        state.write(end);
    }
}

impl Hash for TokenKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        TokenKeyRef(&self.0).hash(state);
    }
}

impl PartialEq for TokenKey {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for TokenKey {}

impl Equivalent<TokenKey> for TokenKeyRef<'_> {
    fn equivalent(&self, token: &TokenKey) -> bool {
        *self.0 == *token.0
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.0.as_ref().map_or(0, Cache::len);
        f.debug_struct("TokenCache").field("tokens", &tokens).finish()
    }
}
