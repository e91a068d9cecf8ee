//! Which check refuses a token, by RFC 7515, RFC 7519, RFC 8725 and what providers write; and who the
//! caller of an accepted one is.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::bearer::MAX_TOKEN;
use super::json;

pub const BASE: &str = "https://fhir.example.org/r4";
pub const ISSUER: &str = "https://idp.example.org/realms/fhir";
pub const STRICT_ISSUER: &str = "https://strict.example.org/";
pub const KID: &str = "fuzz";
pub const NOW: i64 = 1_800_000_000;

type Members = Map<String, Value>;

/// The rules of an issuer.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    pub types: &'static [&'static str],
    pub required: &'static [&'static str],
    pub clients: Option<&'static [&'static str]>,
    /// The path of the roles.
    pub roles: &'static [&'static str],
    pub leeway: i64,
    pub max_age: Option<i64>,
}

impl Rules {
    pub const DEFAULT: Self = Self {
        types: &["at+jwt", "jwt", ""],
        required: &["sub"],
        clients: None,
        roles: &["roles"],
        leeway: 60,
        max_age: None,
    };
    pub const STRICT: Self = Self {
        types: &["at+jwt"],
        required: &["sub", "jti"],
        clients: Some(&["app", "other app"]),
        roles: &["realm_access", "roles"],
        leeway: 0,
        max_age: Some(3600),
    };

    fn of(issuer: &str) -> Option<Self> {
        match issuer {
            ISSUER => Some(Self::DEFAULT),
            STRICT_ISSUER => Some(Self::STRICT),
            _ => None,
        }
    }
}

/// The caller of a token that is accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Caller {
    pub issuer: String,
    pub subject: Option<String>,
    pub client: Option<String>,
    pub roles: BTreeSet<String>,
    pub scopes: BTreeSet<String>,
    pub groups: BTreeSet<String>,
    /// Seconds, rounded down.
    pub expires_at: i64,
    pub claims: Members,
}

/// The verdict on a token: the caller, or the name of the first check that fails.
pub type Verdict = Result<Caller, &'static str>;

/// Judges a token as it was sent. `is_signed` says whether the issuer's key has signed it.
pub fn judge(token: &[u8], is_signed: bool) -> Verdict {
    if token.len() > MAX_TOKEN {
        return Err("size");
    }
    let segments: Vec<&[u8]> = token.split(|byte| *byte == b'.').collect();
    let [header, payload, signature] = segments.as_slice() else { return Err("shape") };
    let decode = |segment: &[u8]| URL_SAFE_NO_PAD.decode(segment).map_err(|_| "shape");
    let (header, payload) = (decode(header)?, decode(payload)?);
    decode(signature)?;
    judge_parts(&header, &payload, is_signed)
}

/// Judges the decoded parts of a token.
pub fn judge_parts(header: &[u8], payload: &[u8], is_signed: bool) -> Verdict {
    let header = json::object(header).ok_or("shape")?;
    let claims = json::object(payload).ok_or("shape")?;
    let algorithm = header_of(&header).ok_or("header")?;
    let issuer = claims.get("iss").and_then(Value::as_str).ok_or("issuer")?.to_owned();
    let rules = Rules::of(&issuer).ok_or("issuer")?;
    let accepted = [
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
        "Ed25519",
    ];
    if !accepted.contains(&algorithm) {
        return Err("algorithm");
    }
    let typ = header.get("typ").and_then(Value::as_str).unwrap_or_default();
    if !rules.types.contains(&media_type(typ).as_str()) || (typ != "" && media_type(typ).is_empty())
    {
        return Err("type");
    }
    // One key, of an Edwards curve.
    let is_meant = header.get("kid").is_none_or(|kid| kid == KID);
    if !is_meant || !matches!(algorithm, "EdDSA" | "Ed25519") {
        return Err("key");
    }
    if !is_signed {
        return Err("signature");
    }
    check_claims(&claims, rules)?;
    Ok(caller(claims, issuer, rules))
}

/// Judges the body of an answer to an introspection (RFC 7662 section 2.2) about an opaque token; `None` if it is
/// no answer.
pub fn judge_answer(body: &[u8]) -> Option<Verdict> {
    let claims = json::object(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body))?;
    Some(answered(claims))
}

fn answered(claims: Members) -> Verdict {
    let is_active = claims.get("active") == Some(&Value::Bool(true));
    if !is_active || claims.get("iss").is_some_and(|issuer| issuer != ISSUER) {
        return Err("introspection");
    }
    let kind = claims.get("token_type").and_then(Value::as_str).unwrap_or_default();
    let others = [
        "refresh_token",
        "refresh",
        "urn:ietf:params:oauth:token-type:refresh_token",
        "id_token",
        "urn:ietf:params:oauth:token-type:id_token",
        "n_a",
    ];
    if others.contains(&kind.to_ascii_lowercase().as_str()) {
        return Err("token-kind");
    }
    check_claims(&claims, Rules::DEFAULT)?;
    // Nobody could prove anything.
    if kind.eq_ignore_ascii_case("DPoP") {
        return Err("token-kind");
    }
    Ok(caller(claims, ISSUER.to_owned(), Rules::DEFAULT))
}

/// The algorithm of a header that some issuer might send.
fn header_of(header: &Members) -> Option<&str> {
    let changes_the_meaning = ["crit", "b64", "zip"].iter().any(|name| header.contains_key(*name));
    let strings = ["cty", "alg", "kid", "typ"];
    let are_strings = strings.iter().all(|name| header.get(*name).is_none_or(Value::is_string));
    let wraps =
        header.get("cty").and_then(Value::as_str).is_some_and(|cty| media_type(cty) == "jwt");
    let algorithm = header.get("alg")?.as_str()?;
    let lower = algorithm.trim().to_ascii_lowercase();
    // Shared secrets, and nothing at all.
    let is_unsigned = lower == "none" || algorithm.to_ascii_lowercase().starts_with("hs");
    (!changes_the_meaning && are_strings && !wraps && !is_unsigned).then_some(algorithm)
}

/// A media type without `application/`, in lower case.
pub(super) fn media_type(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    lower.strip_prefix("application/").map(str::to_owned).unwrap_or(lower)
}

fn check_claims(claims: &Members, rules: Rules) -> Result<(), &'static str> {
    let of_another_kind = |name: &str, kinds: &[&str]| {
        claims.get(name).and_then(Value::as_str).is_some_and(|kind| kinds.contains(&kind))
    };
    let marked = ["at_hash", "c_hash", "s_hash", "events"];
    if of_another_kind("typ", &["ID", "Refresh", "Offline", "Logout"])
        || claims.contains_key("token_use")
            && !of_another_kind("token_use", &["access", "access_token"])
        || marked.iter().any(|name| claims.contains_key(*name))
    {
        return Err("token-kind");
    }
    if !is_for_us(claims.get("aud")) {
        return Err("audience");
    }
    let now = NOW * 1000;
    let leeway = rules.leeway * 1000;
    if date(claims, "nbf").map_err(|()| "not-before")?.is_some_and(|from| from > now + leeway) {
        return Err("not-before");
    }
    let issued = date(claims, "iat").map_err(|()| "issued-at")?;
    let is_too_old =
        |issued: i64| rules.max_age.is_some_and(|age| issued < now - age * 1000 - leeway);
    if issued.is_some_and(|issued| issued > now + leeway || is_too_old(issued))
        || (issued.is_none() && rules.max_age.is_some())
    {
        return Err("issued-at");
    }
    let strings = ["sub", "jti", "client_id", "azp", "appid"];
    let wrong =
        |name: &&str| claims.get(*name).is_some_and(|value| !value.is_string() && !value.is_null());
    let missing = |name: &&str| {
        claims.get(*name).is_none_or(|value| value.is_null() || value.as_str() == Some(""))
    };
    let mut required = rules.required.iter().chain(&["exp"]);
    if strings.iter().any(|name| wrong(&name)) || required.any(|name| missing(&name)) {
        return Err("required-claims");
    }
    if rules.clients.is_some_and(|allowed| !is_of_client(claims, allowed)) {
        return Err("client");
    }
    if claims.contains_key("cnf") {
        return Err("confirmation");
    }
    match date(claims, "exp") {
        Ok(Some(until)) if now < until + leeway => Ok(()),
        _ => Err("expiry"),
    }
}

fn is_for_us(audience: Option<&Value>) -> bool {
    match audience {
        Some(Value::String(one)) => one == BASE,
        Some(Value::Array(many)) => {
            many.iter().all(Value::is_string) && many.iter().any(|one| one == BASE)
        }
        _ => false,
    }
}

/// All names that are present are one, and that one is allowed.
fn is_of_client(claims: &Members, allowed: &[&str]) -> bool {
    let named = ["client_id", "azp", "appid", "cid"].map(|name| claims.get(name));
    let named: Vec<&Value> = named.into_iter().flatten().filter(|value| !value.is_null()).collect();
    named.first().is_some_and(|first| {
        let is_allowed = first.as_str().is_some_and(|first| allowed.contains(&first));
        is_allowed && named.iter().all(|other| other == first)
    })
}

/// A `NumericDate` in milliseconds, within the years of RFC 3339.
pub(super) fn date(claims: &Members, name: &str) -> Result<Option<i64>, ()> {
    const LAST: f64 = 253_402_300_799.0;
    let Some(value) = claims.get(name) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| (-LAST..=LAST).contains(seconds)).ok_or(())?;
    Ok(Some((seconds * 1000.0).floor() as i64))
}

fn caller(claims: Members, issuer: String, rules: Rules) -> Caller {
    let text =
        |name: &str| claims.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let client = ["client_id", "azp", "appid", "cid"].into_iter().find_map(text);
    let scopes = ["scope", "scp"].into_iter().flat_map(|name| strings(claims.get(name)));
    let scopes = scopes.flat_map(|text| text.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let expires_at = date(&claims, "exp").ok().flatten().unwrap_or_default().div_euclid(1000);
    Caller {
        issuer,
        subject: text("sub").map(str::to_owned),
        client: client.map(str::to_owned),
        roles: roles(&claims, rules.roles),
        scopes: scopes.filter(|scope| !scope.is_empty()).collect(),
        groups: strings(claims.get("groups")).into_iter().collect(),
        expires_at,
        claims,
    }
}

/// One string or the strings of a list, none of them empty.
fn strings(value: Option<&Value>) -> Vec<String> {
    let all = match value {
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let texts = all.into_iter().filter_map(Value::as_str).filter(|text| !text.is_empty());
    texts.map(str::to_owned).collect()
}

fn roles(claims: &Members, path: &[&str]) -> BTreeSet<String> {
    // A claim with the whole name comes first.
    let (first, rest) = path.split_first().expect("a path has names");
    let along = || rest.iter().try_fold(claims.get(*first)?, |value, name| value.get(*name));
    match claims.get(&path.join(".")).or_else(along) {
        Some(Value::Object(members)) => {
            let held = members.iter().filter(|(name, value)| {
                let grants = match value {
                    Value::Bool(held) => *held,
                    Value::Object(inner) => !inner.is_empty(),
                    Value::Array(inner) => !inner.is_empty(),
                    _ => false,
                };
                grants && !name.is_empty()
            });
            held.map(|(name, _)| name.clone()).collect()
        }
        other => strings(other).into_iter().collect(),
    }
}
