//! Headers and query of a request → the bearer token (RFC 6750 section 2).
//!
//! The first line is a query, each further line a value of `Authorization`; `@` stands for a good
//! token. The verdict must be the model's: nothing, malformed, or this token, which is then judged
//! as any token.

#![no_main]

use std::sync::LazyLock;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Uri};
use libfuzzer_sys::fuzz_target;
use serde_json::json;
use tower_fhir_auth::Authenticator;
use tower_fhir_auth::authentication::AuthenticationError as E;
use tower_fhir_auth_fuzz::access::{claims, token};
use tower_fhir_auth_fuzz::issuer::authenticator;
use tower_fhir_auth_fuzz::model::bearer::{Presented, presented};
use tower_fhir_auth_fuzz::model::token::judge;
use tower_fhir_auth_fuzz::service::at_once;

static AUTHENTICATOR: LazyLock<Authenticator> = LazyLock::new(|| authenticator(10));
static TOKEN: LazyLock<String> = LazyLock::new(|| token(&claims(json!({}))));

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let query = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let uri = if query.is_empty() {
        "/r4/Patient/1".to_owned()
    } else {
        format!("/r4/Patient/1?{query}")
    };
    let Ok(uri) = uri.parse::<Uri>() else { return };
    let mut headers = HeaderMap::new();
    for line in lines {
        let value: Vec<u8> = match line.iter().position(|byte| *byte == b'@') {
            Some(at) => [&line[..at], TOKEN.as_bytes(), &line[at + 1..]].concat(),
            None => line.to_vec(),
        };
        let Ok(value) = HeaderValue::from_bytes(&value) else { return };
        headers.append(AUTHORIZATION, value);
    }
    let values: Vec<&[u8]> =
        headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes).collect();
    let verdict = at_once(AUTHENTICATOR.authenticate(&headers, &uri));
    match presented(&values, uri.query()) {
        Presented::Nothing => {
            assert!(
                matches!(verdict, Err(E::MissingCredentials | E::OtherCredentials(_))),
                "{verdict:?}"
            );
        }
        Presented::Malformed => {
            assert!(matches!(verdict, Err(E::InvalidRequest(_))), "{verdict:?}")
        }
        // The token is bound to no key, and nobody who says so is let in.
        Presented::DpopToken(_) => {
            assert!(matches!(verdict, Err(E::InvalidToken(_))), "{verdict:?}")
        }
        Presented::Token(sent) => match (verdict, judge(sent, sent == TOKEN.as_bytes())) {
            (Ok(caller), Ok(expected)) => assert_eq!(caller.subject(), expected.subject.as_deref()),
            (Err(E::InvalidToken(finding)), Err(check)) => {
                assert_eq!(finding.check().name(), check)
            }
            (verdict, expected) => panic!("{verdict:?}, expected {expected:?}"),
        },
    }
});
