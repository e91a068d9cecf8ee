//! Configuration file → settings.
//!
//! What `toml` does not read is an error; the same structure by way of `serde`, and written and read
//! again, gets the same answer. An accepted file has nothing that must be an error, and one key that
//! is unknown, put anywhere at its top, makes it one.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use toml::{Table, Value};
use tower_fhir_auth::config::{Config, ConfigError};
use url::{Host, Url};

fuzz_target!(|text: &str| {
    // Files that never end.
    if ["/dev", "/proc", "/sys"].iter().any(|folder| text.contains(folder)) {
        return;
    }
    let read = Config::from_toml(text);
    let Ok(table) = text.parse::<Table>() else {
        assert!(read.is_err(), "what is no TOML is read");
        return;
    };
    let by_serde = Config::deserialize(Value::Table(table.clone()));
    assert_eq!(by_serde.is_ok(), read.is_ok(), "{:?}", read.err());
    let written = toml::to_string(&table).unwrap();
    assert_eq!(Config::from_toml(&written).err(), read.as_ref().err().cloned(), "{written}");
    match &read {
        Err(error) => tells(error),
        Ok(config) => {
            assert_eq!(config.base_url().as_str().is_empty(), false);
            if !text.contains("${") {
                check(&table);
            }
            let mut more = table.clone();
            more.insert("isuers".to_owned(), Value::Boolean(true));
            let error = Config::from_toml(&toml::to_string(&more).unwrap()).unwrap_err();
            assert_eq!(error.problems().len(), 1);
            assert_eq!(error.problems()[0].key(), "isuers");
        }
    }
});

/// An error has a key and a message, in one line each.
fn tells(error: &ConfigError) {
    assert!(!error.problems().is_empty());
    for problem in error.problems() {
        assert!(!problem.key().is_empty() && !problem.message().is_empty(), "{error}");
    }
}

/// Settings that must not be accepted.
fn check(table: &Table) {
    let known = [
        "base_url",
        "access",
        "disclose",
        "public",
        "optional",
        "public_outside",
        "issuers",
        "patient",
        "danger",
        "roles",
        "keys",
        "smart",
        "cache",
    ];
    assert!(table.keys().all(|key| known.contains(&key.as_str())), "{table}");
    let plain_http =
        table.get("danger").and_then(|danger| danger.get("plain_http")).and_then(Value::as_array);
    let plain_http: Vec<&str> =
        plain_http.into_iter().flatten().filter_map(Value::as_str).collect();
    let text = |name: &str| table.get(name).and_then(Value::as_str);
    let base = text("base_url").expect("a base URL is required");
    assert!(is_secure(base, &plain_http), "{base}");
    let modes = ["roles", "scopes", "roles-or-scopes", "roles-and-scopes", "microsoft"];
    assert!(text("access").is_none_or(|access| modes.contains(&access)), "{table}");
    let issuers = table.get("issuers").and_then(Value::as_array).expect("issuers are a list");
    assert!(!issuers.is_empty());
    let mut names: Vec<&str> = Vec::new();
    for issuer in issuers {
        let text = |name: &str| issuer.get(name).and_then(Value::as_str);
        let list = |name: &str| issuer.get(name).and_then(Value::as_array);
        assert!(list("audiences").is_none_or(|audiences| !audiences.is_empty()), "{table}");
        for algorithm in list("algorithms").into_iter().flatten().filter_map(Value::as_str) {
            assert!(
                ["RS", "PS", "ES", "Ed"].iter().any(|family| algorithm.starts_with(family)),
                "{algorithm}"
            );
        }
        for address in ["discovery", "jwks_uri"].into_iter().filter_map(text) {
            assert!(is_secure(address, &plain_http), "{address}");
        }
        let Some(name) = text("issuer") else {
            assert!(issuer.get("entra").is_some(), "{table}");
            continue;
        };
        assert!(
            (1..=512).contains(&name.chars().count()) && !name.contains(char::is_control),
            "{name:?}"
        );
        assert!(!names.contains(&name), "{name} twice");
        names.push(name);
    }
}

/// https, http to this machine, or to an origin that is named.
fn is_secure(address: &str, plain_http: &[&str]) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let is_named = plain_http
        .iter()
        .any(|origin| Url::parse(origin).is_ok_and(|named| named.origin() == url.origin()));
    url.scheme() == "https" || (url.scheme() == "http" && (is_loopback || is_named))
}
