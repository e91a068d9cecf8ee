//! Digests.

use aws_lc_rs::digest::{Context, SHA256, digest};

/// A SHA-256 digest (FIPS 180-4).
pub(crate) type Sha256 = [u8; 32];

/// Returns the SHA-256 of bytes.
pub(crate) fn sha256(bytes: &[u8]) -> Sha256 {
    // A digest of another length does not exist.
    digest(&SHA256, bytes).as_ref().try_into().unwrap_or_default()
}

/// Returns the SHA-256 of bytes with others after them.
pub(crate) fn sha256_of_both(first: &[u8], then: &[u8]) -> Sha256 {
    let mut context = Context::new(&SHA256);
    context.update(first);
    context.update(then);
    context.finish().as_ref().try_into().unwrap_or_default()
}
