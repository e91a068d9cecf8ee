//! The issuer's keys.

use anyhow::{Result, anyhow};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RsaKeyPair, RsaSignatureEncoding,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// An RSA key of 2048 bits, listed for RS256.
#[derive(Debug)]
pub(crate) struct SigningKey {
    pub(crate) kid: &'static str,
    listed_use: &'static str,
    pair: RsaKeyPair,
}

/// The digests that it can sign with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Digest {
    Sha256,
    /// For which the key is not listed.
    Sha384,
}

impl SigningKey {
    pub(crate) fn generate(kid: &'static str, listed_use: &'static str) -> Result<Self> {
        Ok(Self { kid, listed_use, pair: RsaKeyPair::generate(KeySize::Rsa2048)? })
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

    /// Its public half, as DER of X.509.
    pub(crate) fn public_der(&self) -> Result<Vec<u8>> {
        let der: PublicKeyX509Der<'_> = self.pair.public_key().as_der()?;
        Ok(der.as_ref().to_vec())
    }

    /// Its public half, as PEM.
    pub(crate) fn public_pem(&self) -> Result<String> {
        let text = STANDARD.encode(self.public_der()?);
        let mut pem = "-----BEGIN PUBLIC KEY-----\n".to_owned();
        for line in text.as_bytes().chunks(64) {
            pem.push_str(std::str::from_utf8(line)?);
            pem.push('\n');
        }
        pem.push_str("-----END PUBLIC KEY-----\n");
        Ok(pem)
    }

    pub(crate) fn sign(&self, digest: Digest, message: &[u8]) -> Result<Vec<u8>> {
        let encoding: &'static RsaSignatureEncoding = match digest {
            Digest::Sha256 => &RSA_PKCS1_SHA256,
            Digest::Sha384 => &RSA_PKCS1_SHA384,
        };
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let signed = self.pair.sign(encoding, &SystemRandom::new(), message, &mut signature);
        signed.map_err(|_| anyhow!("the key does not sign"))?;
        Ok(signature)
    }
}

/// base64url, as in JWS.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
