//! The keys of clients whose proofs were accepted before, prepared for signature checks.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::jose::proof_key::ProofKey;
use crate::jose::signature::PreparedKey;
use crate::jose::{Algorithm, Thumbprint};

/// The most keys that are kept. One takes up to 4 KiB, that of an RSA key of 8,192 bits.
const MOST: usize = 4_096;

/// A memory of keys by their thumbprint. To make a key ready takes about as long as a signature check with it, and
/// a client signs all of its proofs with one key. Only a proof that passed every check is remembered, so that
/// strangers put nothing in.
pub(in crate::authentication) struct KnownKeys(Cache<(Thumbprint, Algorithm), Arc<PreparedKey>>);

impl KnownKeys {
    pub(in crate::authentication) fn new() -> Self {
        Self(Cache::new(MOST))
    }

    /// Returns the key of a thumbprint, prepared for one algorithm.
    pub(super) fn find(
        &self,
        thumbprint: Thumbprint,
        algorithm: Algorithm,
    ) -> Option<Arc<PreparedKey>> {
        self.0.get(&(thumbprint, algorithm))
    }

    /// Keeps the key of a proof that was accepted.
    pub(in crate::authentication) fn keep(&self, key: &ProofKey, algorithm: Algorithm) {
        if !key.is_known {
            self.0.insert((key.thumbprint, algorithm), Arc::clone(&key.key));
        }
    }
}

impl fmt::Debug for KnownKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownKeys").field("len", &self.0.len()).finish_non_exhaustive()
    }
}
