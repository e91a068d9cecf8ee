//! The kinds of proofs, and what the two judges say of each.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tower_fhir_auth::authentication::{Clock, SystemClock};
use tower_fhir_auth::jose::Algorithm;
use tower_fhir_auth::test_util::{ProofBuilder, SigningKey};

use super::Client;

#[derive(Clone, Copy)]
pub(super) struct Verdicts {
    pub(super) layer: bool,
    pub(super) oauth4webapi: bool,
}

pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) verdicts: Verdicts,
    /// The values of `DPoP`.
    pub(super) headers: fn(&Client) -> Vec<String>,
}

const fn kind(
    name: &'static str,
    (layer, oauth4webapi): (bool, bool),
    headers: fn(&Client) -> Vec<String>,
) -> Kind {
    Kind { name, verdicts: Verdicts { layer, oauth4webapi }, headers }
}

const GOOD: (bool, bool) = (true, true);
const BAD: (bool, bool) = (false, false);
const STRICTER: (bool, bool) = (false, true);
const LAXER: (bool, bool) = (true, false);

fn signed(proof: ProofBuilder) -> Vec<String> {
    vec![proof.sign().unwrap()]
}

fn good(client: &Client) -> String {
    client.proof().sign().unwrap()
}

/// The proof with an `iat` so many seconds from now.
fn issued(client: &Client, seconds: i64) -> Vec<String> {
    signed(client.proof().claim("iat", SystemClock.now().as_secs() + seconds))
}

fn within(low: i64, high: i64) -> i64 {
    fastrand::i64(low..=high)
}

/// Another key of the same algorithm.
fn stranger(client: &Client) -> Arc<SigningKey> {
    Arc::new(SigningKey::generate("of somebody else", client.key.algorithm()).unwrap())
}

fn with_jwk(client: &Client, change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut jwk = client.key.jwk();
    change(&mut jwk);
    signed(client.proof().header("jwk", jwk))
}

/// A good proof whose signature is other bytes.
fn with_signature(client: &Client, change: impl FnOnce(&mut Vec<u8>)) -> Vec<String> {
    let proof = good(client);
    let (input, signature) = proof.rsplit_once('.').unwrap();
    let mut signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    change(&mut signature);
    vec![format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))]
}

/// A proof whose payload is these bytes, soundly signed.
fn with_payload(client: &Client, change: impl FnOnce(String) -> String) -> Vec<String> {
    let proof = good(client);
    let mut parts = proof.split('.').map(|part| URL_SAFE_NO_PAD.decode(part).unwrap());
    let (header, payload) = (parts.next().unwrap(), parts.next().unwrap());
    let payload = change(String::from_utf8(payload).unwrap());
    vec![client.key.sign(&header, payload.as_bytes()).unwrap()]
}

fn other_algorithm(client: &Client) -> &'static str {
    if client.key.algorithm() == Algorithm::Es256 { "ES384" } else { "ES256" }
}

/// A `jti` that each key has used.
pub(super) const USED: &str = "used before";

const HTU: &str = "https://fhir.example.org/r4/Patient/1";

pub(super) const KINDS: &[Kind] = &[
    kind("a good proof", GOOD, |client| signed(client.proof())),
    kind("`htu` with a query", GOOD, |client| {
        signed(client.proof().claim("htu", format!("{HTU}?_format=json")))
    }),
    kind("`htu` with a fragment", GOOD, |client| {
        signed(client.proof().claim("htu", format!("{HTU}#x")))
    }),
    kind("`htu` in capitals, with the default port", GOOD, |client| {
        signed(client.proof().claim("htu", "HTTPS://FHIR.EXAMPLE.ORG:443/r4/./Patient/1"))
    }),
    kind("`htu` with `%31` for `1`", LAXER, |client| {
        signed(client.proof().claim("htu", "https://fhir.example.org/r4/Patient/%31"))
    }),
    kind("`iat` within a minute", GOOD, |client| issued(client, within(-55, 55))),
    kind("`iat` of two to five minutes ago", STRICTER, |client| issued(client, within(-290, -125))),
    kind("`iat` one to five minutes ahead", STRICTER, |client| issued(client, within(65, 290))),
    kind("`iat` of long ago", BAD, |client| issued(client, within(-1_000_000, -310))),
    kind("`iat` far ahead", BAD, |client| issued(client, within(310, 1_000_000))),
    kind("`iat` as text", BAD, |client| signed(client.proof().claim("iat", "1800000000"))),
    kind("no `iat`", BAD, |client| signed(client.proof().without("iat"))),
    kind("`exp` in the past", BAD, |client| {
        signed(client.proof().claim("exp", SystemClock.now().as_secs() - within(61, 10_000)))
    }),
    kind("`exp` to come", GOOD, |client| {
        signed(client.proof().claim("exp", SystemClock.now().as_secs() + within(10, 10_000)))
    }),
    kind("`exp` that is no date", BAD, |client| signed(client.proof().claim("exp", "soon"))),
    kind("`nbf` to come", BAD, |client| {
        signed(client.proof().claim("nbf", SystemClock.now().as_secs() + within(90, 10_000)))
    }),
    kind("further claims", GOOD, |client| signed(client.proof().claim("x", json!({"y": [1]})))),
    kind("a further member of the header", GOOD, |client| {
        signed(client.proof().header("kid", "mine"))
    }),
    kind("`typ` in capitals", GOOD, |client| signed(client.proof().header("typ", "DPoP+JWT"))),
    kind("`typ` with `application/`", GOOD, |client| {
        signed(client.proof().header("typ", "application/dpop+jwt"))
    }),
    kind("`typ` of another kind", BAD, |client| {
        let typ = ["JWT", "at+jwt", "", "dpop", "text/dpop+jwt"][fastrand::usize(..5)];
        signed(client.proof().header("typ", typ))
    }),
    kind("no `typ`", BAD, |client| signed(client.proof().without_header("typ"))),
    kind("no algorithm or a symmetric one", BAD, |client| {
        let alg = ["none", "HS256", "HS512", "dir", ""][fastrand::usize(..5)];
        signed(client.proof().header("alg", alg))
    }),
    kind("`alg` of another key", BAD, |client| {
        signed(client.proof().header("alg", other_algorithm(client)))
    }),
    kind("`crit`", BAD, |client| {
        signed(client.proof().header("crit", json!(["x"])).header("x", true))
    }),
    kind("`htm` of another method", BAD, |client| signed(client.proof().claim("htm", "POST"))),
    kind("`htm` in small letters", BAD, |client| signed(client.proof().claim("htm", "get"))),
    kind("no `htm`", BAD, |client| signed(client.proof().without("htm"))),
    kind("`htu` of another address", BAD, |client| {
        let other = [
            "https://fhir.example.org/r4/Patient/2",
            "http://fhir.example.org/r4/Patient/1",
            "https://fhir.example.com/r4/Patient/1",
            "https://fhir.example.org:8443/r4/Patient/1",
            "https://fhir.example.org/r4/Patient/1/",
            "/r4/Patient/1",
            "",
        ][fastrand::usize(..7)];
        signed(client.proof().claim("htu", other))
    }),
    kind("no `htu`", BAD, |client| signed(client.proof().without("htu"))),
    kind("no `ath`", BAD, |client| signed(client.proof().without("ath"))),
    kind("`ath` of another token", BAD, |client| signed(client.proof().of_token("another"))),
    kind("no `jti`", BAD, |client| signed(client.proof().without("jti"))),
    kind("`jti` that is no text", BAD, |client| signed(client.proof().claim("jti", 7))),
    kind("an empty `jti`", STRICTER, |client| signed(client.proof().claim("jti", ""))),
    kind("`jti` of more than 256 bytes", STRICTER, |client| {
        signed(client.proof().claim("jti", format!("{:0>300}", fastrand::u64(..))))
    }),
    kind("a `jti` that was used before", STRICTER, |client| {
        signed(client.proof().claim("jti", USED))
    }),
    kind("a proof of more than 8 KiB", STRICTER, |client| {
        signed(client.proof().claim("x", "y".repeat(7_000)))
    }),
    kind("no `jwk`", BAD, |client| signed(client.proof().without_header("jwk"))),
    kind("`jwk` that is no object", BAD, |client| signed(client.proof().header("jwk", "x"))),
    kind("a symmetric `jwk`", BAD, |client| {
        signed(client.proof().header("jwk", json!({"kty": "oct", "k": "AAAA"})))
    }),
    kind("`jwk` with a private member", BAD, |client| {
        with_jwk(client, |jwk| jwk["d"] = "AQAB".into())
    }),
    kind("the key of somebody else", BAD, |client| {
        let key = stranger(client);
        signed(client.proof().header("jwk", key.jwk()).signed_by(key))
    }),
    kind("signed by somebody else", BAD, |client| {
        signed(client.proof().signed_by(stranger(client)))
    }),
    kind("a signature of zeros", BAD, |client| with_signature(client, |bytes| bytes.fill(0))),
    kind("a signature with a bit turned", BAD, |client| {
        with_signature(client, |bytes| bytes[10] ^= 1)
    }),
    kind("a shortened signature", BAD, |client| {
        with_signature(client, |bytes| bytes.truncate(bytes.len() - 1))
    }),
    kind("no signature", BAD, |client| with_signature(client, Vec::clear)),
    kind("a payload that is a list", BAD, |client| with_payload(client, |_| "[1]".to_owned())),
    kind("a payload that is no JSON", BAD, |client| with_payload(client, |_| "{".to_owned())),
    kind("a claim twice", STRICTER, |client| {
        with_payload(client, |payload| payload.replacen('{', "{\"jti\":\"x\",", 1))
    }),
    kind("not three parts", BAD, |client| {
        let proof = good(client);
        let (input, _) = proof.rsplit_once('.').unwrap();
        vec![[input.to_owned(), format!("{proof}.x"), "x".to_owned()][fastrand::usize(..3)].clone()]
    }),
    kind("two proofs", BAD, |client| vec![good(client), good(client)]),
    kind("no proof", BAD, |_| Vec::new()),
];
