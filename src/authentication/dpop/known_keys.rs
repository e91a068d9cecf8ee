//! The keys of clients whose proofs were accepted before, prepared for signature checks.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::jose::proof_key::ProofKey;

/// The most keys that are kept. One takes up to 4 KiB, that of an RSA key of 8,192 bits, beside its header.
const MAX_KEYS: usize = 4_096;

/// The longest header that is kept, in bytes: that of an RSA key of 8,192 bits has some 1,500.
const LONGEST: usize = 2 * 1024;

/// A memory of keys by the whole header that they came in, byte by byte. To read one and to make its key ready takes
/// longer than a signature check, and a client signs all of its proofs with one key, below one header. Only a proof
/// that passed every check is remembered, so that strangers put nothing in.
pub(in crate::authentication) struct KnownKeys(Cache<Box<[u8]>, Arc<ProofKey>>);

impl KnownKeys {
    pub(in crate::authentication) fn new() -> Self {
        Self(Cache::new(MAX_KEYS))
    }

    /// Returns the key that came in a header before, which has then passed every check of a header.
    pub(super) fn find(&self, header: &[u8]) -> Option<Arc<ProofKey>> {
        self.0.get(header)
    }

    /// Keeps the key of a proof that was accepted.
    pub(in crate::authentication) fn keep(&self, header: Box<[u8]>, key: Arc<ProofKey>) {
        if header.len() <= LONGEST {
            self.0.insert(header, key);
        }
    }
}

impl fmt::Debug for KnownKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownKeys").field("len", &self.0.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Algorithm;
    use crate::jose::json::Document;

    #[test]
    fn a_key_is_known_by_its_whole_header_and_long_headers_are_not_kept() {
        let jwk = r#"{"jwk":{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}"#;
        let header = Document::parse(jwk).unwrap();
        let row = header.get("jwk").and_then(|jwk| jwk.as_object()).unwrap();
        let key = Arc::new(ProofKey::read(row, Algorithm::EdDsa).unwrap());
        let known = KnownKeys::new();
        known.keep(b"one".as_slice().into(), Arc::clone(&key));
        known.keep(vec![b' '; LONGEST + 1].into(), key);
        assert!(known.find(b"one").is_some());
        assert!(known.find(b"one ").is_none() && known.find(b"on").is_none());
        assert!(known.find(&[b' '; LONGEST + 1]).is_none());
    }
}
