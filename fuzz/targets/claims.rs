//! Payload → claims: whatever an issuer signs.
//!
//! The first check that fails must be the model's. Of an accepted payload the principal says what
//! `serde_json` reads there, and a token from the cache is the token without it.

#![no_main]

use std::sync::LazyLock;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;
use tower_fhir_auth::Authenticator;
use tower_fhir_auth::authentication::AuthenticationError as E;
use tower_fhir_auth_fuzz::caller::says_what_was_signed;
use tower_fhir_auth_fuzz::issuer::{authenticator, forge, sign};
use tower_fhir_auth_fuzz::model::token::{judge, judge_parts};
use tower_fhir_auth_fuzz::service::at_once;

static UNCACHED: LazyLock<Authenticator> = LazyLock::new(|| authenticator(0));
static CACHED: LazyLock<Authenticator> = LazyLock::new(|| authenticator(100));

fuzz_target!(|payload: &[u8]| {
    let header = br#"{"alg":"Ed25519","kid":"fuzz","typ":"at+jwt"}"#;
    let reaches_signature = judge_parts(header, payload, false) == Err("signature");
    let token = if reaches_signature { sign(header, payload) } else { forge(header, payload) };
    let expected = judge(token.as_bytes(), reaches_signature);
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let ask = |authenticator: &Authenticator| {
        at_once(authenticator.authenticate(&headers, &Uri::from_static("/r4/Patient/1")))
    };
    let verdict = ask(&UNCACHED);
    match (&verdict, &expected) {
        (Ok(principal), Ok(caller)) => {
            says_what_was_signed(principal, caller);
            for _ in 0..2 {
                says_what_was_signed(&ask(&CACHED).unwrap(), caller);
            }
        }
        (Err(E::InvalidToken(finding)), Err(check)) => {
            assert_eq!(finding.check().name(), *check, "{finding}");
            assert_eq!(ask(&CACHED).unwrap_err(), verdict.unwrap_err());
        }
        (verdict, expected) => panic!("{verdict:?}, expected {expected:?}"),
    }
});
