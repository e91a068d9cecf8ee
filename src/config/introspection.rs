//! `introspection` of an issuer in the file.

use super::address::address;
use super::reader::SectionReader;
use crate::authentication::introspection::{self, IntrospectedTokens};
use crate::authentication::{Introspection, IntrospectionClient};
use crate::danger::PlainHttp;
use crate::secure_url;

const WHEN: [(&str, IntrospectedTokens); 2] =
    [("opaque", IntrospectedTokens::Opaque), ("always", IntrospectedTokens::EveryJwt)];

const AUDIENCE: [(&str, ()); 1] = [("provider", ())];

/// Reads the settings, if there are any. `is_discoverable` says whether the issuer has metadata, which
/// may name the endpoint.
pub(super) fn read(
    issuer: &mut SectionReader<'_>,
    is_discoverable: bool,
    plain_http: &PlainHttp,
) -> Option<Introspection> {
    let mut table = issuer.table("introspection")?;
    let endpoint = endpoint(&mut table, is_discoverable, plain_http);
    let client = client(&mut table);
    let when = table.choice("when", &WHEN).unwrap_or(IntrospectedTokens::Opaque);
    let max_age = table.duration("max_age");
    let is_audience_known = table.choice("audience", &AUDIENCE).is_some();
    table.finish();
    let mut read = match endpoint? {
        Endpoint::Written(address) => Introspection::at(address, client?),
        Endpoint::Discovered => Introspection::discover(client?),
    };
    read.asks_about = when;
    read.is_audience_known = is_audience_known;
    let Some(max_age) = max_age else { return Some(read) };
    let read = read.max_age(max_age);
    if !read.is_max_age_good() {
        return issuer.fail("introspection.max_age", "expected at most 24h");
    }
    Some(read)
}

enum Endpoint {
    Written(String),
    Discovered,
}

fn endpoint(
    table: &mut SectionReader<'_>,
    is_discoverable: bool,
    plain_http: &PlainHttp,
) -> Option<Endpoint> {
    const EXPECTED: &str = "\"discover\", or an https URL";
    if !table.has("endpoint") {
        table.required("endpoint", EXPECTED);
        return None;
    }
    if !table.is_string("endpoint", "discover") {
        let written = address(table, "endpoint", plain_http)?;
        return Some(Endpoint::Written(written));
    }
    table.string("endpoint")?;
    if is_discoverable {
        return Some(Endpoint::Discovered);
    }
    let message = "expected an https URL: an issuer that is no URL has no metadata to discover it in, \
                   unless `discovery` names them";
    table.fail("endpoint", message)
}

/// Reads how this server authenticates: by a secret or by a key.
fn client(table: &mut SectionReader<'_>) -> Option<IntrospectionClient> {
    let id = table.required("client_id", "the id of this server at the provider");
    let id = filled(table, "client_id", id);
    let (has_secret, has_key) = (table.has("client_secret"), table.has("client_key_file"));
    let secret = table.string("client_secret");
    let secret = filled(table, "client_secret", secret);
    let key_file = table.path("client_key_file");
    if has_secret && has_key {
        let message = "expected either a secret or a key, found both";
        return table.fail("client_key_file", message);
    }
    if !has_secret && !has_key {
        let message = "is required: expected `client_secret` or `client_key_file`";
        return table.fail("client_secret", message);
    }
    if let Some(path) = key_file {
        if let Err(error) = introspection::read_key_file(path.clone()) {
            let expected = "expected a readable private key as a JWK";
            return table.fail("client_key_file", format!("{expected}: {error}"));
        }
        return Some(IntrospectionClient::with_key_file(id?, path));
    }
    Some(IntrospectionClient::with_secret(id?, secret?))
}

/// Rejects a string that is empty.
fn filled(table: &SectionReader<'_>, key: &str, text: Option<String>) -> Option<String> {
    match text {
        Some(empty) if empty.is_empty() => table.fail(key, "expected a string that is not empty"),
        text => text,
    }
}

/// Reports whether an issuer of this name, or with another address of its document, has metadata.
pub(super) fn is_discoverable(name: &str, discovery: Option<&str>, plain_http: &PlainHttp) -> bool {
    let is_url = |url: url::Url| url.query().is_none();
    discovery.is_some() || secure_url::parse_with(name, plain_http).is_some_and(is_url)
}
