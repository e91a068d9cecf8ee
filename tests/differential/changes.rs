//! Changes of a good token or of its key set, by name.

use serde_json::{Value, json};

use super::draft::{AUDIENCE, Case, Draft, ISSUER, Keys, Signs, now};

type Change = (&'static str, fn(&mut Draft<'_>));

/// Makes a case: a good token one time in sixteen, one change otherwise, two changes in four.
pub(crate) fn case(keys: &Keys, random: &mut fastrand::Rng, at: usize) -> Case {
    let mut draft = Draft::good(keys, random.usize(..keys.len()));
    let count = match random.u8(..16) {
        0 => 0,
        1..=11 => 1,
        _ => 2,
    };
    let all: Vec<&Change> = CLAIMS.iter().chain(HEADERS).chain(SHAPES).chain(ENTRIES).collect();
    let mut names = Vec::new();
    for turn in 0..count {
        // Each change comes in its turn, so that a few cases have all of them.
        let index = if turn == 0 { at % all.len() } else { random.usize(..all.len()) };
        let Some((name, change)) = all.get(index) else { continue };
        if !names.contains(name) {
            change(&mut draft);
            names.push(name);
        }
    }
    draft.finish(names)
}

const CLAIMS: &[Change] = &[
    ("expired", |d| d.claim("exp", now() - 600)),
    ("exp missing", |d| drop(d.claims.remove("exp"))),
    ("exp with a fraction", |d| d.claim("exp", json!(f64::from(2_000_000_000) + 0.5))),
    ("exp as text", |d| d.claim("exp", (now() + 600).to_string())),
    ("exp is null", |d| d.claim("exp", Value::Null)),
    ("exp is a list", |d| d.claim("exp", json!([now() + 600]))),
    ("exp is negative", |d| d.claim("exp", -1)),
    ("exp is huge", |d| d.claim("exp", json!(1e20))),
    ("nbf in the future", |d| d.claim("nbf", now() + 600)),
    ("nbf in the past", |d| d.claim("nbf", now() - 600)),
    ("nbf as text", |d| d.claim("nbf", "soon")),
    ("nbf is null", |d| d.claim("nbf", Value::Null)),
    ("iat in the future", |d| d.claim("iat", now() + 600)),
    ("iat as text", |d| d.claim("iat", "now")),
    ("iat is null", |d| d.claim("iat", Value::Null)),
    ("iat missing", |d| drop(d.claims.remove("iat"))),
    ("another issuer", |d| d.claim("iss", "https://idp.example.com")),
    ("iss missing", |d| drop(d.claims.remove("iss"))),
    ("iss is a list", |d| d.claim("iss", json!([ISSUER]))),
    ("iss with a slash", |d| d.claim("iss", format!("{ISSUER}/"))),
    ("iss in upper case", |d| d.claim("iss", ISSUER.to_uppercase())),
    ("iss is a number", |d| d.claim("iss", 7)),
    ("another audience", |d| d.claim("aud", "https://other.example.org")),
    ("aud missing", |d| drop(d.claims.remove("aud"))),
    ("aud is null", |d| d.claim("aud", Value::Null)),
    ("aud is a list with ours", |d| d.claim("aud", json!(["https://other.example.org", AUDIENCE]))),
    ("aud is a list without ours", |d| d.claim("aud", json!(["https://other.example.org"]))),
    ("aud is an empty list", |d| d.claim("aud", json!([]))),
    ("aud is a number", |d| d.claim("aud", 5)),
    ("aud is an object", |d| d.claim("aud", json!({ AUDIENCE: true }))),
    ("aud is a list with a number", |d| d.claim("aud", json!([AUDIENCE, 5]))),
    ("aud with a slash", |d| d.claim("aud", format!("{AUDIENCE}/"))),
    ("sub missing", |d| drop(d.claims.remove("sub"))),
    ("sub is null", |d| d.claim("sub", Value::Null)),
    ("sub is a number", |d| d.claim("sub", 7)),
    ("jti missing", |d| drop(d.claims.remove("jti"))),
    ("client_id missing", |d| drop(d.claims.remove("client_id"))),
    ("claims of an ID token", |d| d.claim("at_hash", "MTIzNDU2Nzg5MDEyMzQ1Ng")),
    ("bound to a key", |d| {
        d.claim("cnf", json!({"jkt": "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}))
    }),
    ("nested deeply", |d| d.claim("deep", deep(40))),
    ("aud twice, ours last", |d| {
        d.claims_text = Some(|text| text.replacen('{', "{\"aud\":\"x\",", 1))
    }),
    ("exp twice", |d| d.claims_text = Some(|text| text.replacen('{', "{\"exp\":1,", 1))),
    ("claims with a BOM", |d| d.claims_text = Some(|text| format!("\u{feff}{text}"))),
    ("claims with more behind them", |d| d.claims_text = Some(|text| text + "{}")),
    ("claims are a list", |d| d.claims_text = Some(|text| format!("[{text}]"))),
    ("claims with white space", |d| d.claims_text = Some(|text| format!(" \n{text}\t "))),
    ("claims with an escaped name", |d| {
        d.claims_text = Some(|text| text.replace("\"aud\"", "\"\\u0061ud\""))
    }),
    ("claims end early", |d| d.claims_text = Some(|text| text.trim_end_matches('}').to_owned())),
];

const HEADERS: &[Change] = &[
    ("kid missing", |d| drop(d.header.remove("kid"))),
    ("kid of nobody", |d| d.member("kid", "nobody")),
    ("kid is a number", |d| d.member("kid", 1)),
    ("kid of another key", |d| d.member("kid", d.keys.get((d.key + 1) % d.keys.len()).kid())),
    ("typ is JWT", |d| d.member("typ", "JWT")),
    ("typ missing", |d| drop(d.header.remove("typ"))),
    ("typ with application/", |d| d.member("typ", "application/at+jwt")),
    ("typ of a proof", |d| d.member("typ", "dpop+jwt")),
    ("typ is a number", |d| d.member("typ", 1)),
    ("alg is none", |d| {
        d.member("alg", "none");
        d.signs = Signs::Nobody;
    }),
    ("alg is HS256, keyed with the public key", |d| {
        d.member("alg", "HS256");
        d.signs = Signs::PublicKeyAsSecret;
    }),
    ("alg of the same family", |d| {
        let other = match d.header.get("alg").and_then(Value::as_str) {
            Some("RS256") => "RS384",
            Some("PS256") => "RS256",
            Some("ES256") => "ES384",
            Some("ES384") => "ES256",
            _ => "Ed448",
        };
        d.member("alg", other);
    }),
    ("alg in lower case", |d| {
        let lower = d.header.get("alg").and_then(Value::as_str).unwrap_or_default().to_lowercase();
        d.member("alg", lower);
    }),
    ("alg missing", |d| drop(d.header.remove("alg"))),
    ("crit that nobody knows", |d| {
        d.member("crit", json!(["urn:example:unknown"]));
        d.member("urn:example:unknown", true);
    }),
    ("crit is empty", |d| d.member("crit", json!([]))),
    ("crit names exp", |d| {
        d.member("crit", json!(["exp"]));
        d.member("exp", now() + 600);
    }),
    ("b64 is false", |d| {
        d.member("b64", false);
        d.member("crit", json!(["b64"]));
    }),
    ("b64 is false, without crit", |d| d.member("b64", false)),
    ("zip", |d| d.member("zip", "DEF")),
    ("cty is JWT", |d| d.member("cty", "JWT")),
    ("jwk of a stranger", |d| {
        d.member("jwk", d.keys.strange(d.key).jwk());
        d.signs = Signs::Strange;
    }),
    ("jku of a stranger", |d| d.member("jku", "https://evil.example.org/keys")),
    ("alg twice", |d| d.header_text = Some(|text| text.replacen('{', "{\"alg\":\"none\",", 1))),
    ("header is a list", |d| d.header_text = Some(|text| format!("[{text}]"))),
    ("header with more behind it", |d| d.header_text = Some(|text| text + " x")),
];

const SHAPES: &[Change] = &[
    ("signed by a stranger", |d| d.signs = Signs::Strange),
    ("signature missing", |d| d.signs = Signs::Nobody),
    ("signature changed", |d| {
        d.token_text = Some(|token| at_end(token, 10, |c| if c == 'A' { 'B' } else { 'A' }))
    }),
    ("signature cut", |d| {
        d.token_text = Some(|token| token.get(..token.len() - 4).unwrap_or_default().to_owned())
    }),
    ("last bits of the signature", |d| {
        d.token_text = Some(|token| at_end(token, 1, other_last_bits))
    }),
    ("padding", |d| d.token_text = Some(|token| token + "=")),
    ("four segments", |d| d.token_text = Some(|token| token + ".e30")),
    ("two segments", |d| {
        d.token_text =
            Some(|token| token.rsplit_once('.').map(|(a, _)| a.to_owned()).unwrap_or_default())
    }),
    ("line break within", |d| d.token_text = Some(|token| token.replacen('.', ".\n", 1))),
    ("alphabet of base64", |d| {
        d.token_text = Some(|token| token.replace('-', "+").replace('_', "/") + "+")
    }),
];

const ENTRIES: &[Change] = &[
    ("key for encryption", |d| d.entry("use", "enc")),
    ("key_ops without verify", |d| d.entry("key_ops", json!(["encrypt"]))),
    ("key_ops with verify", |d| {
        d.jwk.remove("use");
        d.entry("key_ops", json!(["verify"]));
    }),
    ("key without use", |d| drop(d.jwk.remove("use"))),
    ("key without alg", |d| drop(d.jwk.remove("alg"))),
    ("key for another alg", |d| d.entry("alg", "RS512")),
    ("key for a symmetric alg", |d| d.entry("alg", "HS256")),
    ("key without kid", |d| drop(d.jwk.remove("kid"))),
    ("key of another curve", |d| d.entry("crv", "P-521")),
    ("key without a coordinate", |d| {
        for name in ["x", "n"] {
            d.jwk.remove(name);
        }
    }),
    ("key of an unknown kind", |d| d.entry("kty", "LWE")),
    ("two keys of one kid", |d| {
        let mut other = d.keys.strange(d.key).jwk();
        if let Some(members) = other.as_object_mut() {
            members.insert("kid".to_owned(), d.keys.get(d.key).kid().into());
        }
        d.beside.push(other);
    }),
    ("no key at all", |d| {
        d.jwk.clear();
        d.beside.clear();
    }),
    ("an entry of the future beside it", |d| {
        d.beside.push(json!({"kty": "AKP", "alg": "ML-DSA-65", "pub": "AA"}))
    }),
    ("an entry that is a number beside it", |d| d.beside.push(json!(5))),
];

fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

/// Changes the character so far from the end.
fn at_end(token: String, back: usize, change: impl Fn(char) -> char) -> String {
    let at = token.len().saturating_sub(back);
    token.char_indices().map(|(index, c)| if index == at { change(c) } else { c }).collect()
}

/// The next character of the alphabet: of a last one with unused bits it changes those alone.
fn other_last_bits(c: char) -> char {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = ALPHABET.find(c).unwrap_or_default();
    ALPHABET.chars().nth((at + 1) % ALPHABET.len()).unwrap_or('A')
}
