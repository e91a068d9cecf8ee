//! The share of each caller in what all requests hold.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::hash::BuildHasher;
use std::sync::{Mutex, PoisonError};

use tower_fhir_auth::Principal;

/// The bytes that are held for each caller.
#[derive(Default)]
pub(super) struct Shares {
    held: Mutex<HashMap<Caller, usize>>,
    names: RandomState,
}

/// A caller, whose tokens may be many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Caller(u64);

impl Shares {
    /// Returns the caller of a token: its subject, or the client where it has none.
    pub(super) fn caller(&self, principal: &Principal) -> Caller {
        let name = principal.subject().or_else(|| principal.client_id());
        self.named(principal.issuer(), name)
    }

    pub(super) fn named(&self, issuer: &str, name: Option<&str>) -> Caller {
        Caller(self.names.hash_one((issuer, name)))
    }

    /// Takes bytes for a caller, and returns how many it holds with them.
    pub(super) fn take(&self, caller: Caller, bytes: usize) -> usize {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let own = held.entry(caller).or_default();
        *own = own.saturating_add(bytes);
        *own
    }

    /// Gives back what a request of a caller has taken.
    pub(super) fn give_back(&self, caller: Caller, bytes: usize) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut own) = held.entry(caller) {
            match own.get().saturating_sub(bytes) {
                0 => drop(own.remove()),
                left => *own.get_mut() = left,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_who_it_is_whatever_its_tokens_are_and_leaves_nothing_behind() {
        let shares = Shares::default();
        let amara = shares.named("https://idp.test", Some("amara"));
        assert_eq!(amara, shares.named("https://idp.test", Some("amara")));
        for (issuer, name) in
            [("https://idp.test", Some("bela")), ("https://other.test", Some("amara"))]
        {
            assert_ne!(amara, shares.named(issuer, name));
        }
        let bela = shares.named("https://idp.test", Some("bela"));
        assert_eq!((shares.take(amara, 5), shares.take(bela, 1), shares.take(amara, 2)), (5, 1, 7));
        shares.give_back(amara, 5);
        assert_eq!(shares.take(amara, 1), 3);
        shares.give_back(amara, 3);
        shares.give_back(bela, 1);
        assert!(shares.held.lock().unwrap().is_empty());
    }
}
