//! Signing keys for tests.
//!
//! They are made and used with `aws-lc-rs` directly. A backend feature of `jsonwebtoken` would be
//! unified into the application's own test build, where a second backend makes that crate's
//! default ambiguous.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the kind of key is known where the algorithm only chooses a variant of it"
)]

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaKeyPair, RsaSignatureEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::TestUtilError;
use crate::jose::Algorithm;

/// A private key with its `kid`, freshly made. Its `Debug` output has neither half of it.
///
/// ```
/// use tower_fhir_auth::jose::{Algorithm, JwkSet};
/// use tower_fhir_auth::test_util::SigningKey;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::generate("mine", Algorithm::Es256)?;
/// let set = serde_json::json!({"keys": [key.jwk()]});
/// assert_eq!(JwkSet::parse(set.to_string().as_bytes())?.len(), 1);
/// # Ok(()) }
/// ```
pub struct SigningKey {
    kid: String,
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Makes a key for an algorithm. RSA keys have 2048 bits and take longest.
    ///
    /// # Errors
    ///
    /// When the operating system gives no randomness.
    pub fn generate(kid: impl Into<String>, algorithm: Algorithm) -> Result<Self, TestUtilError> {
        let ecdsa = |signing: &'static EcdsaSigningAlgorithm| {
            EcdsaKeyPair::generate(signing).map(Box::new).map(Pair::Ecdsa)
        };
        let pair = match algorithm {
            Algorithm::Rs256
            | Algorithm::Rs384
            | Algorithm::Rs512
            | Algorithm::Ps256
            | Algorithm::Ps384
            | Algorithm::Ps512 => {
                RsaKeyPair::generate(KeySize::Rsa2048).map(Box::new).map(Pair::Rsa)
            }
            Algorithm::Es256 => ecdsa(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::Es384 => ecdsa(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::Es512 => ecdsa(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDsa | Algorithm::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        let pair = pair.map_err(|_| TestUtilError::Signing("the key could not be made"))?;
        Ok(Self { kid: kid.into(), algorithm, pair })
    }

    /// Returns the `kid`.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the algorithm.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Returns the public half as a JWK (RFC 7517).
    #[must_use]
    pub fn jwk(&self) -> Value {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let key = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": b64(key.modulus().big_endian_without_leading_zero()),
                    "e": b64(key.exponent().big_endian_without_leading_zero()),
                })
            }
            Pair::Ecdsa(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point.get(1..).unwrap_or_default().split_at(point.len() / 2);
                let curve = match self.algorithm {
                    Algorithm::Es384 => "P-384",
                    Algorithm::Es512 => "P-521",
                    _ => "P-256",
                };
                json!({"kty": "EC", "crv": curve, "x": b64(x), "y": b64(y)})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref())})
            }
        };
        if let Value::Object(members) = &mut jwk {
            members.insert("kid".to_owned(), self.kid.clone().into());
            members.insert("alg".to_owned(), self.algorithm.name().into());
            members.insert("use".to_owned(), "sig".into());
        }
        jwk
    }

    /// Signs any header and payload as a compact JWS, including ones that no issuer would send.
    ///
    /// # Errors
    ///
    /// When the crypto library fails.
    pub fn sign(&self, header: &[u8], payload: &[u8]) -> Result<String, TestUtilError> {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let input = format!("{}.{}", b64(header), b64(payload));
        let signature = self.signature(input.as_bytes())?;
        Ok(format!("{input}.{}", b64(&signature)))
    }

    fn signature(&self, input: &[u8]) -> Result<Vec<u8>, TestUtilError> {
        let refused = |_| TestUtilError::Signing("the key could not sign");
        match &self.pair {
            Pair::Rsa(pair) => {
                let encoding: &'static RsaSignatureEncoding = match self.algorithm {
                    Algorithm::Rs384 => &RSA_PKCS1_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_SHA512,
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_SHA384,
                    Algorithm::Ps512 => &RSA_PSS_SHA512,
                    _ => &RSA_PKCS1_SHA256,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), input, &mut signature)
                    .map_err(refused)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&SystemRandom::new(), input).map_err(refused)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(input).as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
