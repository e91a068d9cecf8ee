//! The memory of proofs that were accepted (RFC 9449 section 11.1): each serves once.
//!
//! | | |
//! |---|---|
//! | what is kept | a hash of each proof's `jti`, by the key of the proof, until the proof is too old by itself, also by the settings that replace the present ones |
//! | when | only after the token and the proof have passed every other check |
//! | how much | 1,000 for one key, 100,000 in all: some 10 MB |
//! | when it is full | proofs of that one key are not accepted for a while, or of all where many keys have filled it |
//!
//! One lock guards it, so that of two requests at the same time with the same proof one is let in.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashbrown::HashMap;

use crate::jose::Thumbprint;
use crate::time::UnixTime;

/// The most proofs of one key that are remembered at a time.
const MOST_OF_ONE_KEY: usize = 1_000;

/// The most proofs that are remembered at a time.
const MOST: usize = 100_000;

/// The proofs that were accepted.
pub(crate) struct Replays {
    memory: Mutex<Memory>,
    /// The seconds since 1970 of the first proof that is known if it was accepted; none is older at the start.
    not_before: AtomicI64,
    most_of_one_key: usize,
    most: usize,
}

#[derive(Default)]
struct Memory {
    /// The proofs of each key, and until when each has to be remembered.
    keys: HashMap<Thumbprint, Vec<Remembered>>,
    /// The keys of the proofs that are forgotten after each second, each with their number.
    forgotten_after: BTreeMap<i64, HashMap<Thumbprint, usize>>,
    number: usize,
    /// The longest age at which any of the settings accept a proof.
    window: Duration,
}

struct Remembered {
    proof: Thumbprint,
    until: UnixTime,
}

/// The reason for which a proof is not remembered, and its request not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unremembered {
    /// It was seen before.
    Replayed,
    /// There is no room for it before this time is over.
    NoRoom(Duration),
}

impl Replays {
    /// Remembers proofs until they reach an age at which none is accepted.
    pub(crate) fn new(window: Duration) -> Self {
        Self::bounded(window, MOST_OF_ONE_KEY, MOST)
    }

    fn bounded(window: Duration, most_of_one_key: usize, most: usize) -> Self {
        let memory = Mutex::new(Memory { window, ..Memory::default() });
        Self { memory, not_before: AtomicI64::new(i64::MIN), most_of_one_key, most }
    }

    /// Returns the age until which proofs are remembered.
    pub(crate) fn window(&self) -> Duration {
        self.memory().window
    }

    /// Returns the time of the first proof that is known if it was accepted.
    pub(crate) fn not_before(&self) -> UnixTime {
        // The number orders no other memory.
        UnixTime::from_secs(self.not_before.load(Ordering::Relaxed))
    }

    /// Remembers proofs, and those that are remembered now, for as long as other settings accept them. What
    /// was forgotten by now is not accepted by these settings either.
    pub(crate) fn remember_for(&self, window: Duration, now: UnixTime) {
        let mut memory = self.memory();
        let Some(longer) = window.checked_sub(memory.window).filter(|longer| !longer.is_zero())
        else {
            return;
        };
        // Whole seconds are forgotten, and not before they have ended.
        let first = UnixTime::from_secs(now.as_secs()).saturating_sub(memory.window).as_secs();
        let rounded_up = i64::from(memory.window.subsec_nanos() > 0);
        self.not_before.fetch_max(first.saturating_add(rounded_up), Ordering::Relaxed);
        memory.forget(now);
        memory.extend(longer);
        memory.window = window;
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut memory = self.memory();
        let until = issued.saturating_add(memory.window);
        self.has_room(&mut memory, key, &proof, now)?;
        memory.keys.entry(*key).or_default().push(Remembered { proof, until });
        let second = memory.forgotten_after.entry(until.as_secs()).or_default();
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
        self.has_room(&mut self.memory(), key, &key.with(jti), now)
    }

    fn has_room(
        &self,
        memory: &mut Memory,
        key: &Thumbprint,
        proof: &Thumbprint,
        now: UnixTime,
    ) -> Result<(), Unremembered> {
        memory.forget(now);
        let of_key = memory.keys.get(key).map(Vec::as_slice).unwrap_or_default();
        if of_key.iter().any(|known| known.proof == *proof) {
            return Err(Unremembered::Replayed);
        }
        let is_full = of_key.len() >= self.most_of_one_key;
        let first = match is_full {
            true => of_key.iter().map(|known| known.until).min(),
            false if memory.number < self.most => return Ok(()),
            false => {
                memory.forgotten_after.keys().next().map(|second| UnixTime::from_secs(*second))
            }
        };
        let free = first.unwrap_or(now).saturating_add(Duration::from_secs(1));
        Err(Unremembered::NoRoom(free.since(now)))
    }
}

impl Memory {
    /// Moves the time at which each proof is forgotten.
    fn extend(&mut self, longer: Duration) {
        self.forgotten_after.clear();
        for (key, proofs) in &mut self.keys {
            for proof in proofs {
                proof.until = proof.until.saturating_add(longer);
                let second = self.forgotten_after.entry(proof.until.as_secs()).or_default();
                *second.entry(*key).or_default() += 1;
            }
        }
    }

    /// Forgets the proofs that are too old by now: each is removed once, by whoever comes next.
    fn forget(&mut self, now: UnixTime) {
        while let Some(first) = self.forgotten_after.first_entry()
            && *first.key() < now.as_secs()
        {
            let second = *first.key();
            let forgotten = first.remove();
            for (key, number) in forgotten {
                self.number = self.number.saturating_sub(number);
                let Some(proofs) = self.keys.get_mut(&key) else { continue };
                proofs.retain(|known| known.until.as_secs() > second);
                if proofs.is_empty() {
                    self.keys.remove(&key);
                }
            }
        }
    }
}

impl fmt::Debug for Replays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replays").field("proofs", &self.memory().number).finish_non_exhaustive()
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
        let replays = Replays::new(Duration::ZERO);
        let (one, other) = (key(1), key(2));
        assert_eq!(replays.remember(&one, "a", at(60), at(0)), Ok(()));
        assert_eq!(replays.remember(&one, "a", at(60), at(60)), Err(Unremembered::Replayed));
        assert_eq!(replays.look(&one, "a", at(60)), Err(Unremembered::Replayed));
        assert_eq!(replays.look(&one, "b", at(60)), Ok(()));
        assert_eq!(replays.remember(&other, "a", at(60), at(0)), Ok(()));
        assert_eq!(replays.remember(&one, "a", at(121), at(61)), Ok(()));
        assert_eq!(replays.memory().number, 1);
        assert_eq!(replays.memory().keys.len(), 1);
    }

    #[test]
    fn one_key_that_fills_its_room_costs_that_key_alone() {
        let replays = Replays::bounded(Duration::ZERO, 2, 100);
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
        let replays = Replays::bounded(Duration::ZERO, 2, 3);
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
        let replays = Replays::new(Duration::from_secs(60));
        let key = key(1);
        assert_eq!(replays.remember(&key, "forgotten", at(0), at(0)), Ok(()));
        assert_eq!(replays.remember(&key, "known", at(70), at(70)), Ok(()));
        let now = at(100);
        replays.remember_for(Duration::from_secs(600), now);
        assert_eq!(replays.not_before(), at(40), "what was made before may be forgotten");
        assert_eq!(replays.look(&key, "known", at(131)), Err(Unremembered::Replayed));
        assert_eq!(replays.look(&key, "known", at(670)), Err(Unremembered::Replayed));
        assert_eq!(replays.look(&key, "known", at(671)), Ok(()));
        assert_eq!(replays.memory().number, 0);
        // Settings that accept less leave it as it is: those before may come back.
        replays.remember_for(Duration::from_secs(60), at(700));
        assert_eq!(replays.window(), Duration::from_secs(600));
        assert_eq!(replays.not_before(), at(40));
    }
}
