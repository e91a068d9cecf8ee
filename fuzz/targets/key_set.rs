//! Key set (RFC 7517).
//!
//! What is a set is what `serde_json` reads as one. Entries are judged one by one: each is used or
//! left out, a secret is never used, what the model would not use is not, and a good key that is
//! put behind whatever came before is used.

#![no_main]

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tower_fhir_auth::jose::JwkSet;
use tower_fhir_auth_fuzz::issuer::jwk;
use tower_fhir_auth_fuzz::model::json;

#[derive(Deserialize)]
struct Set {
    keys: Vec<Box<RawValue>>,
}

fuzz_target!(|data: &[u8]| {
    let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let is_object = text.trim_ascii_start().starts_with(b"{");
    let theirs = serde_json::from_slice::<Set>(text).ok().filter(|_| is_object);
    let ours = JwkSet::parse(data);
    let (Some(Set { keys }), Ok(set)) = (&theirs, &ours) else {
        assert!(theirs.is_none_or(|set| set.keys.len() > 1024), "a set is refused: {ours:?}");
        assert!(ours.is_err(), "what is no set is read as one");
        return;
    };
    let left_out: Vec<usize> = set.left_out().iter().map(|entry| entry.index).collect();
    assert!(left_out.is_sorted_by(|one, next| one < next), "{left_out:?}");
    assert!(left_out.last().is_none_or(|last| *last < keys.len()));
    // One that repeats another is neither.
    assert!(set.len() + left_out.len() <= keys.len());
    assert_eq!(set.is_empty(), left_out.len() == keys.len());
    for (index, key) in keys.iter().enumerate() {
        let entry = json::object(key.get().as_bytes());
        let may_be_used = entry.as_ref().is_some_and(may_be_used);
        assert!(may_be_used || left_out.contains(&index), "entry {index} must not be used");
        let kid = entry.as_ref().and_then(|entry| entry.get("kid")).and_then(Value::as_str);
        if let (Some(left_out), Some(kid)) =
            (set.left_out().iter().find(|one| one.index == index), kid)
            && kid.len() < 256
            && kid.bytes().all(|byte| byte.is_ascii_alphanumeric())
        {
            assert_eq!(left_out.kid.as_deref(), Some(kid));
        }
    }
    if keys.len() < 1024
        && !keys.iter().any(|key| key.get().contains("fuzz") || key.get().contains('\\'))
    {
        let entries = keys.iter().map(|key| key.get().to_owned()).chain([jwk()]);
        let more = format!("{{\"keys\":[{}]}}", entries.collect::<Vec<_>>().join(","));
        let more = JwkSet::parse(more.as_bytes()).unwrap();
        assert_eq!((more.len(), more.left_out()), (set.len() + 1, set.left_out()));
    }
});

/// What an entry must have to be used: points are left to those who can count on curves.
fn may_be_used(entry: &Map<String, Value>) -> bool {
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    let is_text = |name: &str| entry.get(name).is_none_or(Value::is_string);
    let verifies = entry.get("key_ops").is_none_or(|operations| {
        operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"))
    });
    let is_for_signatures =
        text("use").is_none_or(|usage| usage == "sig") && is_text("use") && verifies;
    let fits = |algorithms: &[&str]| {
        text("alg").is_none_or(|alg| algorithms.contains(&alg)) && is_text("alg")
    };
    let size = |name: &str, size: usize| bytes(text(name)).is_some_and(|bytes| bytes.len() == size);
    let is_complete = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => {
            fits(&["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
                && is_strong(text("n"), text("e"))
        }
        (Some("EC"), Some("P-256")) => fits(&["ES256"]) && size("x", 32) && size("y", 32),
        (Some("EC"), Some("P-384")) => fits(&["ES384"]) && size("x", 48) && size("y", 48),
        (Some("EC"), Some("P-521")) => fits(&["ES512"]) && size("x", 66) && size("y", 66),
        (Some("OKP"), Some("Ed25519")) => fits(&["EdDSA", "Ed25519"]) && size("x", 32),
        _ => false,
    };
    let has_secret = private.iter().any(|name| entry.contains_key(*name));
    !has_secret && is_for_signatures && is_complete && is_text("kid")
}

fn is_strong(modulus: Option<&str>, exponent: Option<&str>) -> bool {
    let number = |text| {
        let bytes = bytes(text)?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        Some(bytes[zeros..].to_vec())
    };
    let (Some(modulus), Some(exponent)) = (number(modulus), number(exponent)) else { return false };
    let bits =
        modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
    let is_odd = |number: &[u8]| number.last().is_some_and(|last| last % 2 == 1);
    let value = exponent.iter().take(8).fold(0_u64, |all, byte| all << 8 | u64::from(*byte));
    (2048..=8192).contains(&bits) && is_odd(&modulus) && is_odd(&exponent) && value >= 65537
}

/// Either alphabet, with padding or without; more than may be read, never less.
fn bytes(text: Option<&str>) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let read = |alphabet| GeneralPurpose::new(alphabet, config).decode(text?).ok();
    read(&URL_SAFE).or_else(|| read(&STANDARD))
}
