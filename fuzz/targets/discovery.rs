//! Discovery document (OpenID Connect Discovery 1.0 section 3).
//!
//! It is accepted if it is strict JSON for this very issuer with an address that keys may come from,
//! and then its members are those that `serde_json` reads.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use tower_fhir_auth::keys::{KeyError, read_discovery};
use tower_fhir_auth_fuzz::model::json;
use tower_fhir_auth_fuzz::model::token::ISSUER;
use url::{Host, Url};

fuzz_target!(|data: &[u8]| {
    let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let members = json::object(text);
    let text =
        |name: &str| members.as_ref().and_then(|members| members.get(name)).and_then(Value::as_str);
    let (issuer, address) = (text("issuer"), text("jwks_uri"));
    match read_discovery(data, ISSUER) {
        Ok((found, all)) => {
            assert_eq!(issuer, Some(ISSUER));
            assert_eq!(Some(&all), members.as_ref());
            assert!(may_be_fetched(&found) && found.fragment().is_none(), "{found}");
            let address = address.unwrap();
            assert_eq!(address.parse::<Url>().as_ref(), Ok(&found));
            assert!(!address.contains(|one: char| one.is_whitespace() || one.is_control()));
            // Read, written and read again, it is the same.
            let (again, _) =
                read_discovery(Value::Object(all).to_string().as_bytes(), ISSUER).unwrap();
            assert_eq!(again, found);
        }
        Err(KeyError::Discovery(_)) => {
            assert!(
                members.is_none()
                    || issuer.is_none()
                    || (issuer == Some(ISSUER) && address.is_none())
            );
        }
        Err(KeyError::Issuer { .. }) => assert!(issuer.is_some_and(|issuer| issuer != ISSUER)),
        Err(KeyError::Address { .. }) => {
            let address = address.unwrap();
            let odd = address.contains(|one: char| one.is_whitespace() || one.is_control());
            let url = address
                .parse::<Url>()
                .ok()
                .filter(|url| may_be_fetched(url) && url.fragment().is_none());
            assert!(odd || url.is_none(), "{address}");
        }
        Err(other) => panic!("{other}"),
    }
});

/// https, or http to this machine.
fn may_be_fetched(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.has_host() && (url.scheme() == "https" || (url.scheme() == "http" && is_loopback))
}
