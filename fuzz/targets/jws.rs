//! Bytes → JWS and its header (RFC 7515, RFC 8725).
//!
//! What begins with a brace is a header, which is signed with a good payload; anything else is a
//! token as it was sent, with `@` for a good payload. The first check that fails must be the
//! model's, and what no key has signed is never accepted.

#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tower_fhir_auth::Authenticator;
use tower_fhir_auth::authentication::AuthenticationError as E;
use tower_fhir_auth_fuzz::access::claims;
use tower_fhir_auth_fuzz::issuer::{authenticator, forge, sign};
use tower_fhir_auth_fuzz::model::bearer::{Presented, presented};
use tower_fhir_auth_fuzz::model::token::{judge, judge_parts};
use tower_fhir_auth_fuzz::service::at_once;

static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| authenticator(0));
static PAYLOAD: LazyLock<Vec<u8>> = LazyLock::new(|| claims(json!({})).to_string().into_bytes());

fuzz_target!(|data: &[u8]| {
    let is_header = data.first() == Some(&b'{');
    // Signing takes longest, and is of no use where the header is refused before.
    let is_signed = is_header && judge_parts(data, &PAYLOAD, true).is_ok();
    let token = match (is_header, is_signed) {
        (true, true) => sign(data, &PAYLOAD).into_bytes(),
        (true, false) => forge(data, &PAYLOAD).into_bytes(),
        (false, _) => match data.iter().position(|byte| *byte == b'@') {
            Some(at) => {
                let payload = URL_SAFE_NO_PAD.encode(&*PAYLOAD);
                [&data[..at], payload.as_bytes(), &data[at + 1..]].concat()
            }
            None => data.to_vec(),
        },
    };
    let Ok(value) = HeaderValue::from_bytes(&[b"Bearer ", &*token].concat()) else { return };
    let values = [value.as_bytes()];
    let expected = match presented(&values, None) {
        Presented::Token(sent) => judge(sent, is_signed),
        Presented::Nothing | Presented::Malformed | Presented::DpopToken(_) => Err("malformed"),
    };
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value.clone())]);
    let verdict = at_once(AUTHENTICATOR.authenticate(&headers, &Uri::from_static("/r4/Patient/1")));
    match (verdict, expected) {
        (Ok(_), Ok(_)) => assert!(is_signed, "nobody has signed this"),
        (Err(E::InvalidRequest(_)), Err("malformed")) => {}
        (Err(E::InvalidToken(finding)), Err(check)) => assert_eq!(finding.check().name(), check),
        (verdict, expected) => panic!("{verdict:?}, expected {expected:?}"),
    }
});
