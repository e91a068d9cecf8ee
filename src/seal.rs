//! Sealed text: what only this server, and others with its keys, can write and read.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand;

use crate::jose::base64url;
use crate::jose::digest::sha256;

/// The purpose that a seal is bound to: nothing sealed for another one opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A page of a search.
    #[cfg(feature = "confine")]
    Page,
    /// An address of an export.
    #[cfg(feature = "confine")]
    Export,
    /// A Binary that an attachment names.
    #[cfg(feature = "confine")]
    Attachment,
    /// A nonce for proofs of possession.
    DpopNonce,
}

impl Purpose {
    fn name(self) -> &'static [u8] {
        match self {
            #[cfg(feature = "confine")]
            Self::Page => b"tower-fhir-auth page 1",
            #[cfg(feature = "confine")]
            Self::Export => b"tower-fhir-auth export 1",
            #[cfg(feature = "confine")]
            Self::Attachment => b"tower-fhir-auth attachment 1",
            Self::DpopNonce => b"tower-fhir-auth dpop nonce 1",
        }
    }
}

/// The length of a nonce, in bytes (RFC 8452).
const NONCE: usize = 12;

/// The length of a key, in bytes.
const KEY: usize = 32;

/// A key that seals page links and the nonces of DPoP (AES-256-GCM-SIV, RFC 8452). All instances of a server need the
/// same keys: otherwise only the instance that sealed something can open it.
///
/// ```
/// use tower_fhir_auth::authentication::{Dpop, SealKey};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (new, old) = ([7; 32], [8; 32]);
/// // The same on each instance. The first one seals, and both open what was sealed.
/// let dpop = Dpop::new().seal_keys([SealKey::new(&new)?, SealKey::new(&old)?]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct SealKey(Arc<RandomizedNonceKey>);

/// Bytes are not a key.
///
/// ```
/// use tower_fhir_auth::authentication::SealKey;
///
/// let error = SealKey::new(b"too short").unwrap_err();
/// println!("{error}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a seal key must have at least 32 bytes")]
#[non_exhaustive]
pub struct SealKeyError;

impl SealKey {
    /// Makes a key from at least 32 random bytes. More than 32 are hashed with SHA-256.
    ///
    /// # Errors
    ///
    /// When it is shorter.
    pub fn new(bytes: &[u8]) -> Result<Self, SealKeyError> {
        let longer = (bytes.len() > KEY).then(|| sha256(bytes));
        let bytes = longer.as_ref().map_or(bytes, <[u8; KEY]>::as_slice);
        let key = RandomizedNonceKey::new(&AES_256_GCM_SIV, bytes).map_err(|_| SealKeyError)?;
        Ok(Self(Arc::new(key)))
    }

    /// Makes a random key, which is forgotten when the process ends.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub fn random() -> Result<Self, SealKeyError> {
        let mut bytes = [0; KEY];
        rand::fill(&mut bytes).map_err(|_| SealKeyError)?;
        Self::new(&bytes)
    }

    /// Seals bytes as base64url text that opens only in the same context.
    pub(crate) fn seal(&self, plain: &[u8], purpose: Purpose, context: &str) -> Option<String> {
        let mut sealed = plain.to_vec();
        let bound = bound_to(purpose, context);
        let nonce = self.0.seal_in_place_append_tag(bound, &mut sealed).ok()?;
        Some(base64url::encode(&[nonce.as_ref().as_slice(), &sealed].concat()))
    }

    /// Opens what this key has sealed in the same context.
    pub(crate) fn open(&self, sealed: &str, purpose: Purpose, context: &str) -> Option<Vec<u8>> {
        let bytes = base64url::decoded(sealed)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = sealed.to_vec();
        let opened = self.0.open_in_place(nonce, bound_to(purpose, context), &mut sealed);
        opened.ok().map(|plain| plain.to_vec())
    }
}

fn bound_to(purpose: Purpose, context: &str) -> Aad<Vec<u8>> {
    Aad::from([purpose.name(), b"\n", context.as_bytes()].concat())
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PURPOSE: Purpose = Purpose::DpopNonce;

    #[test]
    fn only_the_same_key_opens_and_only_what_it_has_sealed() {
        let (key, other) = (SealKey::new(&[7; 32]).unwrap(), SealKey::random().unwrap());
        let sealed = key.seal(b"page", PURPOSE, "here").unwrap();
        assert_eq!(key.open(&sealed, PURPOSE, "here").as_deref(), Some(b"page".as_slice()));
        assert_ne!(
            key.seal(b"page", PURPOSE, "here").unwrap(),
            sealed,
            "each seal has a nonce of its own"
        );
        assert_eq!(other.open(&sealed, PURPOSE, "here"), None);
        assert_eq!(key.open(&sealed, PURPOSE, "there"), None, "sealed for another server");
        #[cfg(feature = "confine")]
        assert_eq!(key.open(&sealed, Purpose::Page, "here"), None, "sealed for another purpose");
        for index in 0..sealed.len() {
            let mut forged = sealed.clone().into_bytes();
            forged[index] = if forged[index] == b'A' { b'B' } else { b'A' };
            let forged = std::str::from_utf8(&forged).unwrap();
            assert_eq!(key.open(forged, PURPOSE, "here"), None, "{index}");
        }
        for short in ["", "AAAA", "AAAAAAAAAAAAAAAA", "=", "é"] {
            assert_eq!(key.open(short, PURPOSE, "here"), None, "{short}");
        }
        assert_eq!(SealKey::new(&[7; 31]).unwrap_err(), SealKeyError);
        assert_eq!(format!("{key:?}"), "SealKey(..)");
        let (longer, other) = (SealKey::new(&[7; 40]).unwrap(), SealKey::new(&[7; 41]).unwrap());
        let sealed = longer.seal(b"page", PURPOSE, "here").unwrap();
        assert_eq!(longer.open(&sealed, PURPOSE, "here").as_deref(), Some(b"page".as_slice()));
        assert_eq!(
            (key.open(&sealed, PURPOSE, "here"), other.open(&sealed, PURPOSE, "here")),
            (None, None)
        );
    }
}
