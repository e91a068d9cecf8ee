//! SHA-256 of keys (RFC 7638), certificates (RFC 8705 section 3.1) and tokens (RFC 9449 section 4.2).

use std::fmt;

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::algorithm::KeyKind;
use super::base64url;
use super::digest::{Sha256, sha256, sha256_of_both};
use super::signature::KeyMaterial;

/// A SHA-256 by which a token names what it is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Thumbprint(Sha256);

impl Thumbprint {
    /// Reads base64url of 32 bytes, in its one spelling.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Some(Self(base64url::decoded(text)?.try_into().ok()?))
    }

    /// Hashes bytes: a certificate in DER, an access token in ASCII.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(sha256(bytes))
    }

    /// Takes a hash that somebody else has made, if it has the size of one.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Hashes the members that a key of its kind must have, in the order of their names, without
    /// white space (RFC 7638 sections 3.2 and 3.3, RFC 8037 section 2).
    pub(super) fn of_key(kind: KeyKind, material: &KeyMaterial) -> Self {
        let text = base64url::encode;
        let members = match (material, kind.curve()) {
            (KeyMaterial::Rsa { n, e }, _) => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n))
            }
            (KeyMaterial::Point(x), (kty @ "OKP", crv)) => {
                format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{}"}}"#, text(x))
            }
            // Behind the tag of an uncompressed point there are two coordinates of one size.
            (KeyMaterial::Point(point), (kty, crv)) => {
                let (_, both) = point.split_at(point.len().min(1));
                let (x, y) = both.split_at(both.len() / 2);
                let (x, y) = (text(x), text(y));
                format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#)
            }
        };
        Self::of(members.as_bytes())
    }

    /// Hashes a string together with this thumbprint.
    pub(crate) fn with(&self, text: &str) -> Self {
        Self(sha256_of_both(&self.0, text.as_bytes()))
    }

    /// Compares in a time that does not tell where two differ.
    pub(crate) fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }

    /// Writes it as tokens do.
    pub(crate) fn to_text(self) -> String {
        base64url::encode(&self.0)
    }
}

/// Says nothing of its value: it is that of a claim.
impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thumbprint(..)")
    }
}
