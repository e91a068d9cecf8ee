//! Signature algorithms (RFC 7518 section 3.1, RFC 8037, RFC 9864).

use std::fmt;
use std::str::FromStr;

/// An asymmetric signature algorithm that an issuer may be allowed to use.
///
/// `none` and the symmetric algorithms are not among them, so no setting can allow one.
///
/// ```
/// use tower_fhir_auth::TrustedIssuer;
/// use tower_fhir_auth::jose::Algorithm;
///
/// let issuer = TrustedIssuer::discover("https://idp.example.org").algorithms([Algorithm::Es256]);
/// assert_eq!(Algorithm::Es256.name(), "ES256");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// EdDSA (RFC 8037); of its curves, Ed25519 alone.
    EdDsa,
    /// EdDSA on Ed25519 under its fully specified name (RFC 9864).
    Ed25519,
}

/// The kind of key that an algorithm needs (RFC 7517 `kty`, and `crv` where there is a choice).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa,
    P256,
    P384,
    P521,
    Ed25519,
}

impl KeyKind {
    /// Returns `kty` and `crv` of its keys (RFC 7518 section 6, RFC 8037 section 2).
    pub(crate) fn curve(self) -> (&'static str, &'static str) {
        match self {
            Self::Rsa => ("RSA", ""),
            Self::P256 => ("EC", "P-256"),
            Self::P384 => ("EC", "P-384"),
            Self::P521 => ("EC", "P-521"),
            Self::Ed25519 => ("OKP", "Ed25519"),
        }
    }
}

impl Algorithm {
    /// Every algorithm of this enum: the default of an issuer that sets none.
    pub const ALL: &'static [Self] = &[
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
        Self::Ed25519,
    ];

    /// Returns the name as written in `alg`, for example `RS256`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Ed25519 => "Ed25519",
        }
    }

    pub(crate) fn key_kind(self) -> KeyKind {
        match self {
            Self::Rs256 | Self::Rs384 | Self::Rs512 => KeyKind::Rsa,
            Self::Ps256 | Self::Ps384 | Self::Ps512 => KeyKind::Rsa,
            Self::Es256 => KeyKind::P256,
            Self::Es384 => KeyKind::P384,
            Self::Es512 => KeyKind::P521,
            Self::EdDsa | Self::Ed25519 => KeyKind::Ed25519,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Algorithm {
    type Err = UnknownAlgorithm;

    /// Reads a name, with regard to case (RFC 7515 section 4.1.1).
    fn from_str(name: &str) -> Result<Self, UnknownAlgorithm> {
        Self::ALL.iter().copied().find(|algorithm| algorithm.name() == name).ok_or(UnknownAlgorithm)
    }
}

/// An unknown algorithm name.
///
/// ```
/// use tower_fhir_auth::jose::Algorithm;
///
/// assert_eq!("PS256".parse(), Ok(Algorithm::Ps256));
/// // No signature, and no key that only the provider has.
/// assert!("none".parse::<Algorithm>().is_err() && "HS256".parse::<Algorithm>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected one of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, EdDSA, Ed25519"
)]
#[non_exhaustive]
pub struct UnknownAlgorithm;

/// Reports whether an `alg` names no signature, or one made with a shared secret. RFC 8725 section
/// 3.1 counts spellings of `none` in any case.
pub(crate) fn is_none_or_symmetric(name: &str) -> bool {
    let starts = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    // Decides only the reason: a name that it misses is no `Algorithm`, and the next check rejects it.
    name.trim().eq_ignore_ascii_case("none") || starts("HS")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(*algorithm));
        }
        for name in ["rs256", "RS256 ", "", "none", "HS256", "ES256K", "RSA-OAEP"] {
            assert_eq!(name.parse::<Algorithm>(), Err(UnknownAlgorithm), "{name}");
        }
    }

    #[test]
    fn none_and_shared_secrets_are_known_in_any_case() {
        for name in ["none", "None", "nOnE", "NONE", "none ", "HS256", "hs512"] {
            assert!(is_none_or_symmetric(name), "{name}");
        }
        for name in ["RS256", "", "H", "ES256", "nonexistent"] {
            assert!(!is_none_or_symmetric(name), "{name}");
        }
    }
}
