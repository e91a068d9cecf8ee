//! A client whose key is always the same, and a token that is bound to it.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::access::{claims, token};

static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap());

/// The public key, as `x` of its JWK has it.
pub static POINT: LazyLock<String> = LazyLock::new(|| b64(KEY.public_key()));

/// A token that only the holder of the key may use.
pub static BOUND: LazyLock<String> = LazyLock::new(|| {
    // RFC 7638 section 3: the members that are required, in the order of their names.
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, *POINT);
    token(&claims(json!({"cnf": {"jkt": hash(members.as_bytes())}})))
});

/// `ath` of that token (RFC 9449 section 4.2).
pub static ATH: LazyLock<String> = LazyLock::new(|| hash(BOUND.as_bytes()));

/// Signs a header and a payload, whatever they are.
pub fn prove(header: &[u8], payload: &[u8]) -> String {
    let input = format!("{}.{}", b64(header), b64(payload));
    let signature = KEY.sign(input.as_bytes());
    format!("{input}.{}", b64(signature))
}

fn hash(bytes: &[u8]) -> String {
    b64(digest(&SHA256, bytes))
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
