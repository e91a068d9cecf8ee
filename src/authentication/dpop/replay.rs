//! The memory of proofs that were accepted (RFC 9449 section 11.1): each serves once.
//!
//! | | |
//! |---|---|
//! | what is kept | a hash of each proof's `jti`, by the key of the proof, until the proof is too old by itself for all settings that are in use |
//! | when | only after the token and the proof have passed every other check |
//! | how much | 1,000 for one key, 100,000 in all: some 10 MB |
//! | when it is full | proofs of that one key are not accepted for a while, or of all where many keys have filled it |
//!
//! One lock guards it, so that of two requests at the same time with the same proof one is let in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;

use crate::jose::Thumbprint;
use crate::time::UnixTime;

/// The most proofs of one key that are remembered at a time.
const MAX_PROOFS_PER_KEY: usize = 1_000;

/// The most proofs that are remembered at a time.
const MAX_PROOFS: usize = 100_000;

/// The proofs that were accepted, by settings of which each has its own handle.
pub(crate) struct ReplayCache {
    shared: Arc<Shared>,
    /// The age at which these settings accept no proof.
    window: Duration,
}

struct Shared {
    memory: Mutex<Memory>,
    /// The Unix time before which accepted proofs may have been forgotten, so that older ones are rejected. At the
    /// start nothing has been forgotten.
    not_before: AtomicI64,
    most_of_one_key: usize,
    most: usize,
}

#[derive(Default)]
struct Memory {
    /// The proofs of each key, and when each was made.
    keys: HashMap<Thumbprint, HashMap<Thumbprint, UnixTime>>,
    /// The keys of the proofs that were made by the end of each second, each with their number.
    by_second: BTreeMap<i64, HashMap<Thumbprint, usize>>,
    number: usize,
    /// The windows of all settings in use, each with their number. Proofs are remembered for the longest.
    windows: BTreeMap<Duration, usize>,
}

/// The reason for which a proof is not remembered, and its request not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unremembered {
    /// It was seen before.
    Replayed,
    /// There is no room for it before this time is over.
    NoRoom(Duration),
}

impl ReplayCache {
    /// Remembers proofs until they reach an age at which none is accepted.
    pub(crate) fn new(window: Duration) -> Self {
        Self::bounded(window, MAX_PROOFS_PER_KEY, MAX_PROOFS)
    }

    fn bounded(window: Duration, most_of_one_key: usize, most: usize) -> Self {
        let memory = Memory { windows: BTreeMap::from([(window, 1)]), ..Memory::default() };
        let memory = Mutex::new(memory);
        let not_before = AtomicI64::new(i64::MIN);
        Self { shared: Arc::new(Shared { memory, not_before, most_of_one_key, most }), window }
    }

    /// Goes on with the memory of other settings, which remembers proofs for as long as either accepts them.
    /// What was forgotten by now is not accepted by either.
    pub(crate) fn after(mut self, before: &Self, now: UnixTime) -> Self {
        let mut memory = before.shared.memory();
        let known = memory.window();
        if self.window > known {
            // Whole seconds are forgotten, and not before they have ended.
            let first = UnixTime::from_secs(now.as_secs()).saturating_sub(known).as_secs();
            let first = first.saturating_add(i64::from(known.subsec_nanos() > 0));
            // Relaxed is enough: the settings that need it are published later, and those before accept less.
            before.shared.not_before.fetch_max(first, Ordering::Relaxed);
            memory.forget(now);
        }
        *memory.windows.entry(self.window).or_default() += 1;
        drop(memory);
        // The memory that it gives up is its own, and empty.
        self.shared = Arc::clone(&before.shared);
        self
    }

    /// Returns the time of the first proof that is known if it was accepted.
    pub(crate) fn not_before(&self) -> UnixTime {
        UnixTime::from_secs(self.shared.not_before.load(Ordering::Relaxed))
    }

    /// Remembers a proof, unless it was seen before.
    pub(crate) fn remember(
        &self,
        key: &Thumbprint,
        jti: &str,
        issued: UnixTime,
        now: UnixTime,
    ) -> Result<(), Unremembered> {
        // Outside the lock: it is what takes longest.
        let proof = key.with(jti);
        let mut memory = self.shared.memory();
        self.shared.check_new(&mut memory, key, &proof, now)?;
        memory.keys.entry(*key).or_default().insert(proof, issued);
        let second = memory.by_second.entry(end_of_second(issued)).or_default();
        *second.entry(*key).or_default() += 1;
        memory.number += 1;
        Ok(())
    }

    /// Makes the check of [`remember`](Self::remember), and remembers nothing.
    pub(crate) fn look(
        &self,
        key: &Thumbprint,
        jti: &str,
        now: UnixTime,
    ) -> Result<(), Unremembered> {
        self.shared.check_new(&mut self.shared.memory(), key, &key.with(jti), now)
    }
}

impl Drop for ReplayCache {
    /// Proofs that only these settings accept need not be remembered any more.
    fn drop(&mut self) {
        let mut memory = self.shared.memory();
        if let Some(number) = memory.windows.get_mut(&self.window) {
            *number = number.saturating_sub(1);
        }
        memory.windows.retain(|_, number| *number > 0);
    }
}

impl Shared {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_new(
        &self,
        memory: &mut Memory,
        key: &Thumbprint,
        proof: &Thumbprint,
        now: UnixTime,
    ) -> Result<(), Unremembered> {
        memory.forget(now);
        let of_key = memory.keys.get(key);
        // Before the bounds: a replay is rejected as one, not asked to come again when there is room.
        if of_key.is_some_and(|known| known.contains_key(proof)) {
            return Err(Unremembered::Replayed);
        }
        let full = of_key.filter(|known| known.len() >= self.most_of_one_key);
        let first = match full {
            Some(known) => known.values().min().copied(),
            None if memory.number < self.most => return Ok(()),
            None => memory.by_second.keys().next().map(|second| UnixTime::from_secs(*second)),
        };
        let until = first.map(|issued| issued.saturating_add(memory.window()));
        let free = until.unwrap_or(now).saturating_add(Duration::from_secs(1));
        Err(Unremembered::NoRoom(free.since(now)))
    }
}

impl Memory {
    /// Returns the longest age at which any of the settings accept a proof.
    fn window(&self) -> Duration {
        self.windows.last_key_value().map(|(window, _)| *window).unwrap_or_default()
    }

    /// Forgets the proofs that are too old by now: each is removed once, by whoever comes next.
    fn forget(&mut self, now: UnixTime) {
        let window = self.window();
        let is_over = |second: i64| {
            UnixTime::from_secs(second).saturating_add(window).as_secs() < now.as_secs()
        };
        while let Some(first) = self.by_second.first_entry()
            && is_over(*first.key())
        {
            let second = *first.key();
            let forgotten = first.remove();
            for (key, number) in forgotten {
                self.number = self.number.saturating_sub(number);
                let Some(proofs) = self.keys.get_mut(&key) else { continue };
                proofs.retain(|_, issued| end_of_second(*issued) > second);
                if proofs.is_empty() {
                    self.keys.remove(&key);
                }
            }
        }
    }
}

/// Returns the first whole second that is not before a time.
fn end_of_second(time: UnixTime) -> i64 {
    let second = time.as_secs();
    second.saturating_add(i64::from(UnixTime::from_secs(second) < time))
}

impl fmt::Debug for ReplayCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplayCache")
            .field("proofs", &self.shared.memory().number)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_secs(seconds)
    }

    fn key(name: usize) -> Thumbprint {
        Thumbprint::of(&name.to_be_bytes())
    }

    #[test]
    fn a_proof_serves_once_until_it_is_forgotten() {
        let replays = ReplayCache::new(Duration::ZERO);
        let (one, other) = (key(1), key(2));
        assert_eq!(replays.remember(&one, "a", at(60), at(0)), Ok(()));
        assert_eq!(replays.remember(&one, "a", at(60), at(60)), Err(Unremembered::Replayed));
        assert_eq!(replays.look(&one, "a", at(60)), Err(Unremembered::Replayed));
        assert_eq!(replays.look(&one, "b", at(60)), Ok(()));
        assert_eq!(replays.remember(&other, "a", at(60), at(0)), Ok(()));
        assert_eq!(replays.remember(&one, "a", at(121), at(61)), Ok(()));
        assert_eq!(replays.shared.memory().number, 1);
        assert_eq!(replays.shared.memory().keys.len(), 1);
    }

    #[test]
    fn one_key_that_fills_its_room_costs_that_key_alone() {
        let replays = ReplayCache::bounded(Duration::ZERO, 2, 100);
        for (jti, until) in [("a", 50), ("b", 60)] {
            assert_eq!(replays.remember(&key(1), jti, at(until), at(0)), Ok(()));
        }
        let full = Err(Unremembered::NoRoom(Duration::from_secs(51)));
        assert_eq!(replays.remember(&key(1), "c", at(60), at(0)), full);
        assert_eq!(replays.remember(&key(1), "a", at(60), at(0)), Err(Unremembered::Replayed));
        assert_eq!(replays.remember(&key(2), "c", at(60), at(0)), Ok(()));
        assert_eq!(replays.remember(&key(1), "c", at(110), at(51)), Ok(()));
    }

    #[test]
    fn many_keys_that_fill_the_memory_cost_all_until_the_first_is_forgotten() {
        let replays = ReplayCache::bounded(Duration::ZERO, 2, 3);
        for n in 0..3 {
            let until = at(50 + i64::try_from(n).unwrap());
            assert_eq!(replays.remember(&key(n), "a", until, at(0)), Ok(()));
        }
        let full = Err(Unremembered::NoRoom(Duration::from_secs(51)));
        assert_eq!(replays.remember(&key(9), "a", at(60), at(0)), full);
        assert_eq!(replays.remember(&key(9), "a", at(110), at(51)), Ok(()));
    }

    #[test]
    fn settings_that_accept_older_proofs_find_those_remembered_and_accept_none_that_was_forgotten()
    {
        let before = ReplayCache::new(Duration::from_secs(60));
        let key = key(1);
        assert_eq!(before.remember(&key, "forgotten", at(0), at(0)), Ok(()));
        assert_eq!(before.remember(&key, "known", at(70), at(70)), Ok(()));
        let longer = ReplayCache::new(Duration::from_secs(600)).after(&before, at(100));
        drop(before);
        assert_eq!(longer.not_before(), at(40), "what was made before may be forgotten");
        assert_eq!(longer.look(&key, "known", at(131)), Err(Unremembered::Replayed));
        assert_eq!(longer.look(&key, "known", at(670)), Err(Unremembered::Replayed));
        assert_eq!(longer.look(&key, "known", at(671)), Ok(()));
        assert_eq!(longer.shared.memory().number, 0);
    }

    #[test]
    fn settings_that_accept_less_shorten_the_memory_once_those_before_are_not_in_use() {
        let before = ReplayCache::new(Duration::from_secs(600));
        let (key, now) = (key(1), at(100));
        assert_eq!(before.remember(&key, "old", at(30), now), Ok(()));
        assert_eq!(before.remember(&key, "young", at(90), now), Ok(()));
        let shorter = ReplayCache::new(Duration::from_secs(60)).after(&before, now);
        assert_eq!(before.look(&key, "old", now), Err(Unremembered::Replayed), "still in use");
        drop(before);
        assert_eq!(shorter.look(&key, "young", now), Err(Unremembered::Replayed));
        assert_eq!(shorter.shared.memory().number, 1);
        // What is forgotten by now is not accepted by settings that accept more, either.
        let longer = ReplayCache::new(Duration::from_secs(600)).after(&shorter, now);
        assert_eq!(longer.not_before(), at(40));
    }

    #[test]
    fn settings_that_are_given_up_before_they_are_in_force_change_nothing() {
        let before = ReplayCache::new(Duration::from_secs(60));
        drop(ReplayCache::new(Duration::from_secs(600)).after(&before, at(0)));
        assert_eq!(before.shared.memory().window(), Duration::from_secs(60));
        drop(ReplayCache::new(Duration::from_secs(1)).after(&before, at(0)));
        assert_eq!(before.shared.memory().window(), Duration::from_secs(60));
    }
}
