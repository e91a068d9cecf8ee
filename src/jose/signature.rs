//! Signature checks. The only file of the authentication path that names the crypto crate.
//!
//! A key is prepared once, when its set is loaded: parsing it again at each check costs more than
//! the strict reading of the whole token.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaPublicKeyComponents, VerificationAlgorithm,
};

use super::algorithm::Algorithm;

/// The public values of a key, as its JWK gives them, checked for size.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum KeyMaterial {
    /// Modulus and exponent, big-endian, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point (SEC 1 section 2.3.3) for ECDSA, or an Ed25519 point (RFC 8032).
    Point(Vec<u8>),
}

/// A key prepared for one algorithm.
#[derive(Clone, Debug)]
pub(crate) struct PreparedKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

/// The key is impossible: off its curve, or otherwise invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ImpossibleKey;

/// The signature does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadSignature;

/// Proof that a signature was verified. Only [`PreparedKey::verify`] makes one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignatureValid(());

impl PreparedKey {
    pub(crate) fn prepare(
        material: &KeyMaterial,
        algorithm: Algorithm,
    ) -> Result<Self, ImpossibleKey> {
        let key = match material {
            KeyMaterial::Rsa { n, e } => {
                let parameters = match algorithm {
                    Algorithm::Rs256 => &RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::Rs384 => &RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::Rs512 => &RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                    Algorithm::Ps384 => &RSA_PSS_2048_8192_SHA384,
                    Algorithm::Ps512 => &RSA_PSS_2048_8192_SHA512,
                    Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => {
                        return Err(ImpossibleKey);
                    }
                    Algorithm::EdDsa | Algorithm::Ed25519 => return Err(ImpossibleKey),
                };
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters)
            }
            KeyMaterial::Point(point) => {
                let parameters: &'static dyn VerificationAlgorithm = match algorithm {
                    Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
                    Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
                    Algorithm::Es512 => &ECDSA_P521_SHA512_FIXED,
                    Algorithm::EdDsa | Algorithm::Ed25519 => &ED25519,
                    Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => {
                        return Err(ImpossibleKey);
                    }
                    Algorithm::Ps256 | Algorithm::Ps384 | Algorithm::Ps512 => {
                        return Err(ImpossibleKey);
                    }
                };
                ParsedPublicKey::new(parameters, point)
            }
        };
        key.map(|key| Self { algorithm, key }).map_err(|_| ImpossibleKey)
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Verifies a signature over `signing_input`. A bad one costs as much as a good one.
    pub(crate) fn verify(
        &self,
        signing_input: &[u8],
        signature: &[u8],
    ) -> Result<SignatureValid, BadSignature> {
        self.key
            .verify_sig(signing_input, signature)
            .map(|()| SignatureValid(()))
            .map_err(|_| BadSignature)
    }
}
