//! Whether a proof of possession is good, by RFC 9449 section 4.3, for `GET` of one address.

use serde_json::{Map, Value};
use url::Url;

use super::json;
use super::token::{NOW, date, media_type};

/// The address of the request, below the base URL.
pub const ADDRESS: &str = "https://fhir.example.org/r4/Patient/1";

/// The longest time for which a proof is good, and what clocks may differ by, in seconds.
const MAX_AGE: i64 = 60;
const LEEWAY: i64 = 60;

type Members = Map<String, Value>;

/// What the proof has to be of.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The Ed25519 key that the token is bound to, as `x` has it.
    pub point: &'a str,
    /// The hash of the token.
    pub ath: &'a str,
}

/// Judges the decoded parts of a proof that this key has signed.
pub fn is_good(header: &[u8], payload: &[u8], wanted: Wanted<'_>) -> bool {
    let (Some(header), Some(claims)) = (json::object(header), json::object(payload)) else {
        return false;
    };
    is_header(&header, wanted.point) && are_claims(&claims, wanted.ath)
}

fn is_header(header: &Members, point: &str) -> bool {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    let changes_the_meaning = ["crit", "b64", "zip"].iter().any(|name| header.contains_key(*name));
    let are_strings = ["cty", "alg", "kid", "typ"]
        .iter()
        .all(|name| header.get(*name).is_none_or(Value::is_string));
    let is_nested = text("cty").is_some_and(|cty| media_type(cty) == "jwt");
    let is_proof = text("typ").is_some_and(|typ| media_type(typ) == "dpop+jwt");
    let Some(algorithm) = text("alg").filter(|alg| ["EdDSA", "Ed25519"].contains(alg)) else {
        return false;
    };
    let Some(Value::Object(jwk)) = header.get("jwk") else { return false };
    !changes_the_meaning && are_strings && !is_nested && is_proof && is_key(jwk, algorithm, point)
}

/// Reports whether a JWK is the key in its one spelling, public, and meant for this.
fn is_key(jwk: &Members, algorithm: &str, point: &str) -> bool {
    let is = |name: &str, value: &str| jwk.get(name).is_some_and(|member| member == value);
    let is_if_any = |name: &str, value: &str| !jwk.contains_key(name) || is(name, value);
    let secrets = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    let operations = match jwk.get("key_ops") {
        None => true,
        Some(Value::Array(all)) => {
            let texts: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
            let is_twice = |at: usize| texts.iter().take(at).any(|one| *one == texts[at]);
            texts.len() == all.len()
                && all.len() <= 16
                && !(0..texts.len()).any(is_twice)
                && texts.contains(&"verify")
        }
        Some(_) => false,
    };
    is("kty", "OKP")
        && is("crv", "Ed25519")
        && is("x", point)
        && is_if_any("use", "sig")
        && is_if_any("alg", algorithm)
        && operations
        && !secrets.iter().any(|name| jwk.contains_key(*name))
}

fn are_claims(claims: &Members, ath: &str) -> bool {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let time = |name: &str| date(claims, name);
    let now = NOW * 1000;
    let leeway = LEEWAY * 1000;
    let is_young = |iat: i64| iat <= now + leeway && iat >= now - MAX_AGE * 1000 - leeway;
    text("jti").is_some_and(|jti| !jti.is_empty() && jti.len() <= 256)
        && text("htm") == Some("GET")
        && text("htu").is_some_and(is_address)
        && time("iat").ok().flatten().is_some_and(is_young)
        && time("exp").is_ok_and(|exp| exp.is_none_or(|exp| now < exp + leeway))
        && time("nbf").is_ok_and(|nbf| nbf.is_none_or(|nbf| nbf <= now + leeway))
        && text("ath") == Some(ath)
}

/// Reports whether a text is the address, as RFC 3986 section 6.2 normalises one, with or without a query and a
/// fragment. What is no address by its section 2 is none, although browsers mend it.
fn is_address(text: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let own = rest.split(['?', '#']).next().unwrap_or_default();
    if !text.bytes().all(is_allowed) || !scheme.eq_ignore_ascii_case("https") || own.is_empty() {
        return false;
    }
    let Some(plain) = plain(own) else { return false };
    Url::parse(&format!("https://{plain}")).is_ok_and(|url| url.as_str() == ADDRESS)
        && !own.starts_with('/')
}

/// Decodes what need not have been encoded (section 6.2.2.2); `None` if an escape is broken.
fn plain(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut plain = pieces.next()?.to_owned();
    for piece in pieces {
        let byte = u8::from_str_radix(piece.get(..2)?, 16).ok()?;
        // `+1` is a number for Rust.
        if !piece.bytes().take(2).all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        match char::from(byte) {
            unreserved @ ('a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' | '_' | '~') => {
                plain.push(unreserved);
            }
            _ => plain.push_str(&format!("%{byte:02X}")),
        }
        plain.push_str(&piece[2..]);
    }
    Some(plain)
}
