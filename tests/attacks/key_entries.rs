//! Entries of a key set that no token may be verified by. Each costs itself alone.

use serde_json::{Value, json};
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::jose::Algorithm;

use crate::key_sets::{bearer, key, remove, set, token, trusting};
use crate::kit::{Attack, Pair, Refused};
use crate::support::b64;

pub(crate) fn attacks() -> Vec<Attack> {
    entries().into_iter().map(spoilt).collect()
}

/// An entry of a set: its name, the reference, what the key is for, what is changed, and the words.
type Entry = (&'static str, &'static str, Algorithm, fn(&mut Value), &'static str);

fn entries() -> Vec<Entry> {
    use Algorithm::{Ed25519, Es256, Rs256};
    let ignored = "jsonwebtoken: use, key_ops and alg of a key are ignored";
    let label = "jsonwebtoken: crv of a key is ignored";
    let whole = "jsonwebtoken: one bad entry fails the whole set";
    let purpose = "`use` does not allow";
    let operations = "`key_ops` does not allow";
    let size = "RFC 7518 section 3.3";
    let private = "RFC 7517 section 9.2";
    fn bits(jwk: &mut Value, bits: usize) {
        set(jwk, "n", b64(vec![0xff; bits / 8]));
    }
    vec![
        ("use is enc", ignored, Es256, |jwk| set(jwk, "use", "enc"), purpose),
        ("use is SIG", ignored, Es256, |jwk| set(jwk, "use", "SIG"), purpose),
        ("use is a number", whole, Es256, |jwk| set(jwk, "use", 5), "`use` is malformed"),
        (
            "key_ops is encrypt",
            ignored,
            Es256,
            |jwk| set(jwk, "key_ops", json!(["encrypt"])),
            operations,
        ),
        ("key_ops is empty", ignored, Es256, |jwk| set(jwk, "key_ops", json!([])), operations),
        (
            "key_ops is text",
            whole,
            Es256,
            |jwk| set(jwk, "key_ops", "verify"),
            "`key_ops` is malformed",
        ),
        (
            "key_ops has verify twice",
            "RFC 7517 section 4.3",
            Es256,
            |jwk| set(jwk, "key_ops", json!(["verify", "verify"])),
            "`key_ops` is malformed",
        ),
        (
            "alg of encryption",
            ignored,
            Rs256,
            |jwk| set(jwk, "alg", "RSA-OAEP"),
            "`RSA-OAEP` does not fit",
        ),
        ("alg of a secret", ignored, Rs256, |jwk| set(jwk, "alg", "HS256"), "`HS256` does not fit"),
        ("alg is none", ignored, Rs256, |jwk| set(jwk, "alg", "none"), "`none` does not fit"),
        (
            "alg of another curve",
            ignored,
            Es256,
            |jwk| set(jwk, "alg", "ES384"),
            "`ES384` does not fit",
        ),
        ("alg is a number", whole, Es256, |jwk| set(jwk, "alg", 5), "`alg` is malformed"),
        ("alg is null", whole, Es256, |jwk| set(jwk, "alg", Value::Null), "`alg` is malformed"),
        ("kid is a number", whole, Es256, |jwk| set(jwk, "kid", 5), "no key of the issuer has"),
        (
            "a key type that nobody knows",
            whole,
            Es256,
            |jwk| set(jwk, "kty", "AKP"),
            "`AKP` is not supported",
        ),
        ("kty is a number", whole, Es256, |jwk| set(jwk, "kty", 5), "`kty` is malformed"),
        ("kty is missing", whole, Es256, |jwk| remove(jwk, "kty"), "`kty` is missing"),
        (
            "crv is secp256k1",
            label,
            Es256,
            |jwk| set(jwk, "crv", "secp256k1"),
            "`secp256k1` is not supported",
        ),
        (
            "crv is P-521 over points of P-256",
            label,
            Es256,
            |jwk| {
                remove(jwk, "alg");
                set(jwk, "crv", "P-521");
            },
            "bytes instead of 66",
        ),
        (
            "crv is P-384 over points of P-256",
            label,
            Es256,
            |jwk| {
                remove(jwk, "alg");
                set(jwk, "crv", "P-384");
            },
            "bytes instead of 48",
        ),
        (
            "crv of another type",
            label,
            Ed25519,
            |jwk| {
                remove(jwk, "alg");
                set(jwk, "crv", "P-256");
            },
            "`P-256` is not supported",
        ),
        (
            "crv is X25519",
            label,
            Ed25519,
            |jwk| set(jwk, "crv", "X25519"),
            "`X25519` is not supported",
        ),
        (
            "x is a byte short",
            "jsonwebtoken: the border of x and y moves",
            Es256,
            |jwk| set(jwk, "x", b64([1; 31])),
            "`x` has 31 bytes instead of 32",
        ),
        (
            "y is a byte long",
            "jsonwebtoken: the border of x and y moves",
            Es256,
            |jwk| set(jwk, "y", b64([1; 33])),
            "`y` has 33 bytes instead of 32",
        ),
        (
            "a point off its curve",
            "RFC 8725 section 3.4",
            Es256,
            |jwk| set(jwk, "x", b64([1; 32])),
            "the point is not on its curve",
        ),
        (
            "the zero point",
            "RFC 8725 section 3.4",
            Es256,
            |jwk| {
                set(jwk, "x", b64([0; 32]));
                set(jwk, "y", b64([0; 32]));
            },
            "the point is not on its curve",
        ),
        (
            "an Edwards point a byte short",
            "jsonwebtoken with rust_crypto: panic",
            Ed25519,
            |jwk| set(jwk, "x", b64([9; 31])),
            "`x` has 31 bytes instead of 32",
        ),
        (
            "an Edwards point of nothing",
            "jsonwebtoken with rust_crypto: panic",
            Ed25519,
            |jwk| set(jwk, "x", ""),
            "`x` has 0 bytes instead of 32",
        ),
        (
            "an Edwards point a byte long",
            "jsonwebtoken with rust_crypto: accepted",
            Ed25519,
            |jwk| set(jwk, "x", b64([9; 33])),
            "`x` has 33 bytes instead of 32",
        ),
        ("RSA of 512 bits", size, Rs256, |jwk| bits(jwk, 512), "RSA modulus of 512 bits"),
        ("RSA of 1024 bits", size, Rs256, |jwk| bits(jwk, 1024), "RSA modulus of 1024 bits"),
        ("RSA of 2040 bits", size, Rs256, |jwk| bits(jwk, 2040), "RSA modulus of 2040 bits"),
        ("RSA of 16384 bits", size, Rs256, |jwk| bits(jwk, 16384), "RSA modulus of 16384 bits"),
        (
            "RSA of 2^20 bits",
            "a modulus of a megabit, tried by hand",
            Rs256,
            |jwk| bits(jwk, 1 << 20),
            "RSA modulus of 1048576 bits",
        ),
        (
            "an even modulus",
            "RFC 8725 section 3.4",
            Rs256,
            |jwk| set(jwk, "n", b64([0xfe; 256])),
            "it must be odd",
        ),
        (
            "an exponent of 0",
            "RFC 8725 section 3.4",
            Rs256,
            |jwk| set(jwk, "e", "AA"),
            "the RSA exponent",
        ),
        (
            "an exponent of 1",
            "RFC 8725 section 3.4",
            Rs256,
            |jwk| set(jwk, "e", "AQ"),
            "the RSA exponent",
        ),
        (
            "an exponent of 2",
            "RFC 8725 section 3.4",
            Rs256,
            |jwk| set(jwk, "e", "Ag"),
            "the RSA exponent",
        ),
        ("an exponent of 3", "CVE-2006-4339", Rs256, |jwk| set(jwk, "e", "Aw"), "the RSA exponent"),
        (
            "an exponent of 33 bits",
            "tried by hand",
            Rs256,
            |jwk| set(jwk, "e", "AQAAAAE"),
            "the RSA exponent",
        ),
        ("n is missing", whole, Rs256, |jwk| remove(jwk, "n"), "`n` is missing"),
        ("e is missing", whole, Rs256, |jwk| remove(jwk, "e"), "`e` is missing"),
        ("n is a number", whole, Rs256, |jwk| set(jwk, "n", 5), "`n` is malformed"),
        (
            "n in another alphabet",
            "RFC 7518 section 2",
            Rs256,
            |jwk| set(jwk, "n", "a~b"),
            "`n` is malformed",
        ),
        (
            "the private half of RSA",
            private,
            Rs256,
            |jwk| set(jwk, "d", "AQAB"),
            "`d` belongs to a private",
        ),
        (
            "a private factor of RSA",
            private,
            Rs256,
            |jwk| set(jwk, "p", "AQAB"),
            "`p` belongs to a private",
        ),
        (
            "the private half of EC",
            private,
            Es256,
            |jwk| set(jwk, "d", b64([1; 32])),
            "`d` belongs to a private",
        ),
        (
            "a secret that is published",
            "jsonwebtoken: oct in a key set accepted",
            Es256,
            |jwk| {
                set(jwk, "kty", "oct");
                set(jwk, "k", "");
            },
            "`k` belongs to a private",
        ),
        (
            "a secret without its value",
            "jsonwebtoken: oct in a key set accepted",
            Es256,
            |jwk| set(jwk, "kty", "oct"),
            "`oct` is not supported",
        ),
    ]
}

/// The token of a key whose entry is spoilt; the sound key beside it goes on to verify.
fn spoilt((name, reference, algorithm, spoil, words): Entry) -> Attack {
    Attack::new(name, reference, move || async move {
        let (one, good) = (key("one", algorithm), key("good", Algorithm::Es256));
        let token_of_one = token(&one).sign().unwrap();
        let mut entry = one.jwk();
        let twin = trusting(&[entry.to_string(), good.jwk().to_string()]);
        let twin = bearer(&twin, &token_of_one).await;
        spoil(&mut entry);
        let layer = trusting(&[entry.to_string(), good.jwk().to_string()]);
        bearer(&layer, &token(&good).sign().unwrap()).await.is_let_in();
        Pair::new(twin, bearer(&layer, &token_of_one).await, Refused::Token(Check::Key, words))
    })
}
