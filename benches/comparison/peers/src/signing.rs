//! The provider's keys.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaKeyPair, RsaSignatureEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::Failure;

/// An RSA key of 2048 bits, listed for RS256.
#[derive(Debug)]
pub(crate) struct SigningKey {
    kid: &'static str,
    listed_use: &'static str,
    pair: RsaKeyPair,
}

impl SigningKey {
    /// Makes a key.
    ///
    /// # Errors
    ///
    /// When the crypto library cannot.
    pub(crate) fn generate(kid: &'static str, listed_use: &'static str) -> Result<Self, Failure> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
        Ok(Self { kid, listed_use, pair })
    }

    /// Its `kid`.
    pub(crate) fn kid(&self) -> &'static str {
        self.kid
    }

    /// Its entry in the key set.
    pub(crate) fn jwk(&self) -> Value {
        let key = self.pair.public_key();
        json!({
            "kty": "RSA",
            "use": self.listed_use,
            "alg": "RS256",
            "kid": self.kid,
            "n": encode(key.modulus().big_endian_without_leading_zero()),
            "e": encode(key.exponent().big_endian_without_leading_zero()),
        })
    }

    /// Its public half, as a file would hold it.
    ///
    /// # Errors
    ///
    /// When the crypto library cannot write it.
    pub(crate) fn public_der(&self) -> Result<Vec<u8>, Failure> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der()?;
        Ok(der.as_ref().to_vec())
    }

    /// A signature of RS256.
    pub(crate) fn rs256(&self, message: &[u8]) -> Vec<u8> {
        self.sign(&RSA_PKCS1_SHA256, message)
    }

    /// A signature of RS384, for which the key is not listed.
    pub(crate) fn rs384(&self, message: &[u8]) -> Vec<u8> {
        self.sign(&RSA_PKCS1_SHA384, message)
    }

    fn sign(&self, encoding: &'static RsaSignatureEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(encoding, &SystemRandom::new(), message, &mut signature)
            .expect("a fresh key signs");
        signature
    }
}

/// base64url, as in JWS.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
