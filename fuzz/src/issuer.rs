//! An issuer whose key is always the same, so that an input means the same in every run.

use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tower_fhir_auth::authentication::{Clock, UnixTime};
use tower_fhir_auth::jose::JwkSet;
use tower_fhir_auth::{AudiencePolicy, Authenticator, TrustedIssuer};

use crate::model::token::{BASE, ISSUER, KID, NOW, STRICT_ISSUER};

static KEY: LazyLock<Ed25519KeyPair> =
    LazyLock::new(|| Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap());

/// A clock that stands still.
#[derive(Clone, Copy, Debug)]
pub struct StandingStill;

impl Clock for StandingStill {
    fn now(&self) -> UnixTime {
        UnixTime::from_secs(NOW)
    }
}

/// The public key as an entry of a key set, which fits `EdDSA` and `Ed25519`.
pub fn jwk() -> String {
    let point = b64(KEY.public_key());
    format!(r#"{{"kty":"OKP","crv":"Ed25519","kid":"{KID}","x":"{point}"}}"#)
}

/// Signs a header and a payload, whatever they are.
pub fn sign(header: &[u8], payload: &[u8]) -> String {
    let input = format!("{}.{}", b64(header), b64(payload));
    let signature = KEY.sign(input.as_bytes());
    format!("{input}.{}", b64(signature))
}

/// Puts a token together, with a signature of somebody else.
pub fn forge(header: &[u8], payload: &[u8]) -> String {
    format!("{}.{}.{}", b64(header), b64(payload), b64([0x5a; 64]))
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn keys() -> JwkSet {
    JwkSet::parse(format!(r#"{{"keys":[{}]}}"#, jwk()).as_bytes()).unwrap()
}

/// The issuer with the default rules.
pub fn trusted() -> TrustedIssuer {
    TrustedIssuer::with_keys(ISSUER, keys())
}

/// The issuer with a rule for everything that has one, see
/// [`Rules::STRICT`](crate::model::token::Rules::STRICT).
pub fn strictly_trusted() -> TrustedIssuer {
    TrustedIssuer::with_keys(STRICT_ISSUER, keys())
        .clients(["app", "other app"])
        .roles_claim("realm_access.roles")
        .max_token_age(Duration::from_secs(3600))
        .leeway(Duration::ZERO)
        .token_types(["at+jwt"])
        .required_claims(["sub", "jti"])
}

/// Both issuers, with so many tokens in the cache.
pub fn authenticator(cached: usize) -> Authenticator {
    let audience = AudiencePolicy::exact([BASE]);
    let builder = Authenticator::builder().audience(audience).clock(StandingStill);
    builder
        .issuer(trusted())
        .issuer(strictly_trusted())
        .token_cache_capacity(cached)
        .build()
        .unwrap()
}
