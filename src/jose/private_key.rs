//! A private key of this server, with which it signs as a client of a provider (RFC 7523).

use std::fmt;

use aws_lc_rs::rand::{self, SystemRandom};
use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::algorithm::{Algorithm, KeyKind};
use super::base64url;
use super::json::{self, Document, without_mark};

/// A private key that signs JWTs. Its `Debug` output has nothing of it.
pub(crate) struct PrivateKey {
    kid: Option<String>,
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// The reason why a document is no private key to sign with. It repeats nothing of the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PrivateKeyError {
    #[error("expected a JWK, or a set of JWKs of which the first signs (RFC 7517)")]
    NotAKey,
    #[error("`{0}` is missing or malformed (RFC 7518 section 6)")]
    Member(&'static str),
    #[error("expected an RSA key, an EC key on P-256, P-384 or P-521, or an Ed25519 key")]
    Unsupported,
    #[error("`alg` is not a signature algorithm that fits the key")]
    Algorithm,
    #[error("the key is inconsistent, or not private")]
    Inconsistent,
}

/// The key could not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SigningFailed;

impl PrivateKey {
    /// Reads a JWK, or the first one of a set.
    pub(crate) fn parse(content: &[u8]) -> Result<Self, PrivateKeyError> {
        #[derive(Deserialize)]
        struct Set<'a> {
            #[serde(borrow)]
            keys: Vec<&'a RawValue>,
        }
        let not_a_key = PrivateKeyError::NotAKey;
        let text = json::string(without_mark(content)).map_err(|_| not_a_key)?;
        let document = Document::parse(text).map_err(|_| not_a_key)?;
        if !document.has("keys") {
            return Self::of(&document);
        }
        let set: Set<'_> = serde_json::from_str(text).map_err(|_| not_a_key)?;
        let first = set.keys.first().ok_or(not_a_key)?;
        Self::of(&Document::parse(first.get()).map_err(|_| not_a_key)?)
    }

    fn of(jwk: &Document<'_>) -> Result<Self, PrivateKeyError> {
        let kind = match (string(jwk, "kty")?, jwk.string("crv").ok().flatten()) {
            ("RSA", _) => KeyKind::Rsa,
            ("EC", Some("P-256")) => KeyKind::P256,
            ("EC", Some("P-384")) => KeyKind::P384,
            ("EC", Some("P-521")) => KeyKind::P521,
            ("OKP", Some("Ed25519")) => KeyKind::Ed25519,
            _ => return Err(PrivateKeyError::Unsupported),
        };
        let algorithm = match jwk.string("alg").map_err(|_| PrivateKeyError::Algorithm)? {
            None => default_of(kind),
            Some(name) => name.parse().map_err(|_| PrivateKeyError::Algorithm)?,
        };
        if algorithm.key_kind() != kind {
            return Err(PrivateKeyError::Algorithm);
        }
        let kid = jwk.string("kid").map_err(|_| PrivateKeyError::Member("kid"))?;
        let pair = match kind {
            KeyKind::Rsa => Pair::Rsa(Box::new(rsa(jwk)?), encoding(algorithm)),
            KeyKind::P256 => ecdsa(jwk, &ECDSA_P256_SHA256_FIXED_SIGNING)?,
            KeyKind::P384 => ecdsa(jwk, &ECDSA_P384_SHA384_FIXED_SIGNING)?,
            KeyKind::P521 => ecdsa(jwk, &ECDSA_P521_SHA512_FIXED_SIGNING)?,
            KeyKind::Ed25519 => {
                let (seed, point) = (bytes(jwk, "d")?, bytes(jwk, "x")?);
                let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &point);
                Pair::Ed25519(pair.map_err(|_| PrivateKeyError::Inconsistent)?)
            }
        };
        Ok(Self { kid: kid.map(str::to_owned), algorithm, pair })
    }

    /// Signs claims as a compact JWS.
    pub(crate) fn sign(&self, claims: &Value) -> Result<String, SigningFailed> {
        let mut header = json!({"alg": self.algorithm.name(), "typ": "JWT"});
        if let (Some(kid), Some(members)) = (&self.kid, header.as_object_mut()) {
            members.insert("kid".to_owned(), kid.as_str().into());
        }
        let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
        let input = format!("{}.{}", part(&header), part(claims));
        let signature = self.signature(input.as_bytes())?;
        Ok(format!("{input}.{}", base64url::encode(&signature)))
    }

    fn signature(&self, input: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair, encoding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(*encoding, &random, input, &mut signature);
                signed.map(|()| signature).map_err(|_| SigningFailed)
            }
            Pair::Ecdsa(pair) => {
                let signed = pair.sign(&random, input).map_err(|_| SigningFailed)?;
                Ok(signed.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(input).as_ref().to_vec()),
        }
    }
}

/// Returns a name that nobody can guess, and that is never made twice.
pub(crate) fn random_id() -> Result<String, SigningFailed> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| SigningFailed)?;
    Ok(base64url::encode(&bytes))
}

/// Returns what a key without `alg` signs with: what providers support most widely.
fn default_of(kind: KeyKind) -> Algorithm {
    match kind {
        KeyKind::Rsa => Algorithm::Rs256,
        KeyKind::P256 => Algorithm::Es256,
        KeyKind::P384 => Algorithm::Es384,
        KeyKind::P521 => Algorithm::Es512,
        KeyKind::Ed25519 => Algorithm::EdDsa,
    }
}

fn encoding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::Rs384 => &RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &RSA_PSS_SHA256,
        Algorithm::Ps384 => &RSA_PSS_SHA384,
        Algorithm::Ps512 => &RSA_PSS_SHA512,
        Algorithm::Rs256
        | Algorithm::Es256
        | Algorithm::Es384
        | Algorithm::Es512
        | Algorithm::EdDsa
        | Algorithm::Ed25519 => &RSA_PKCS1_SHA256,
    }
}

fn rsa(jwk: &Document<'_>) -> Result<RsaKeyPair, PrivateKeyError> {
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: bytes(jwk, "n")?, e: bytes(jwk, "e")? },
        d: bytes(jwk, "d")?,
        p: bytes(jwk, "p")?,
        q: bytes(jwk, "q")?,
        dP: bytes(jwk, "dp")?,
        dQ: bytes(jwk, "dq")?,
        qInv: bytes(jwk, "qi")?,
    };
    RsaKeyPair::from_components(&components).map_err(|_| PrivateKeyError::Inconsistent)
}

fn ecdsa(
    jwk: &Document<'_>,
    signing: &'static EcdsaSigningAlgorithm,
) -> Result<Pair, PrivateKeyError> {
    // The tag of an uncompressed point (SEC 1 section 2.3.3).
    let point = [vec![4], bytes(jwk, "x")?, bytes(jwk, "y")?].concat();
    let pair = EcdsaKeyPair::from_private_key_and_public_key(signing, &bytes(jwk, "d")?, &point);
    pair.map(|pair| Pair::Ecdsa(Box::new(pair))).map_err(|_| PrivateKeyError::Inconsistent)
}

fn string<'d>(jwk: &'d Document<'_>, name: &'static str) -> Result<&'d str, PrivateKeyError> {
    jwk.string(name).ok().flatten().ok_or(PrivateKeyError::Member(name))
}

fn bytes(jwk: &Document<'_>, name: &'static str) -> Result<Vec<u8>, PrivateKeyError> {
    base64url::decode_either_alphabet(string(jwk, name)?).ok_or(PrivateKeyError::Member(name))
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
