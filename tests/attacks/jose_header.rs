//! Headers of tokens: parameters, algorithms and types (RFC 7515, RFC 7797, RFC 8725).

use serde_json::{Value, json};
use tower_fhir_auth::explanation::Check;

use crate::kit::{Attack, Refused, Row, row, table};
use crate::support::{BASE, NOW, Reply, Server, b64};

type Make = fn(&Server) -> String;

async fn ask(server: &Server, make: Make) -> Reply {
    server.bearer(&make(server)).await
}

const GOOD: Make = |s| s.token().sign().unwrap();

const HEADER: &str = r#"{"alg":"ES256","kid":"key-1"}"#;

fn payload(server: &Server) -> String {
    json!({"iss": server.issuer.url(), "aud": BASE, "sub": "alice", "exp": NOW + 60}).to_string()
}

/// A good token with other text for its header.
fn headed(server: &Server, header: &str) -> String {
    server.issuer.key().sign(header.as_bytes(), payload(server).as_bytes()).unwrap()
}

const PLAIN: Make = |s| headed(s, HEADER);

fn with(server: &Server, name: &str, value: impl Into<Value>) -> String {
    server.token().header(name, value).sign().unwrap()
}

fn against(
    name: &'static str,
    reference: &'static str,
    attack: Make,
    refused: Refused,
) -> Row<Make> {
    row(name, reference, GOOD, attack, refused)
}

pub(crate) fn attacks() -> Vec<Attack> {
    table(parameters().into_iter().chain(algorithms()).chain(types()), Server::start, ask)
}

fn parameters() -> Vec<Row<Make>> {
    const CRIT: Refused = Refused::Token(Check::Header, "`crit` in the header is not supported");
    const B64: Refused = Refused::Token(Check::Header, "`b64` in the header is not supported");
    let ignored = "CVE-2025-59420, CVE-2026-32597, CVE-2026-35042, node-jsonwebtoken#1032";
    let work = "CVE-2026-48525, RFC 7797 section 7";
    let zip = "CVE-2024-28180, CVE-2024-21319";
    vec![
        against("crit names what nobody knows", ignored, |s| with(s, "crit", json!(["x"])), CRIT),
        against(
            "crit names what is there and nobody knows",
            ignored,
            |s| s.token().header("crit", json!(["x"])).header("x", 1).sign().unwrap(),
            CRIT,
        ),
        against("crit is an empty list", ignored, |s| with(s, "crit", json!([])), CRIT),
        against("crit names alg", ignored, |s| with(s, "crit", json!(["alg"])), CRIT),
        against("crit names exp", ignored, |s| with(s, "crit", json!(["exp"])), CRIT),
        against("crit is null", ignored, |s| with(s, "crit", json!(null)), CRIT),
        against("crit is text", ignored, |s| with(s, "crit", "exp"), CRIT),
        against("crit is true", ignored, |s| with(s, "crit", true), CRIT),
        against("b64 is false", work, |s| with(s, "b64", false), B64),
        against("b64 is true", work, |s| with(s, "b64", true), B64),
        against("b64 is null", work, |s| with(s, "b64", json!(null)), B64),
        against(
            "b64 is false, and crit names it",
            work,
            |s| s.token().header("b64", false).header("crit", json!(["b64"])).sign().unwrap(),
            CRIT,
        ),
        against("zip", zip, |s| with(s, "zip", "DEF"), Refused::Token(Check::Header, "`zip`")),
        against(
            "a token within, by cty",
            "RFC 7519 section 5.2",
            |s| with(s, "cty", "JWT"),
            Refused::Token(Check::Header, "`cty` says"),
        ),
        against(
            "a token within, by its media type",
            "RFC 7519 section 5.2",
            |s| with(s, "cty", "application/jwt"),
            Refused::Token(Check::Header, "`cty` says"),
        ),
        against(
            "kid is a number",
            "RFC 7515 section 4.1.4",
            |s| with(s, "kid", 1),
            Refused::Token(Check::Header, "`kid` in the header is not a string"),
        ),
        against(
            "kid in another case",
            "RFC 7515 section 4.1.4",
            |s| with(s, "kid", "KEY-1"),
            Refused::Token(Check::Key, "`kid`"),
        ),
        against(
            "kid is a path",
            "RFC 8725 section 3.10",
            |s| with(s, "kid", "../../../dev/null"),
            Refused::Token(Check::Key, "`kid`"),
        ),
        against(
            "kid is a query",
            "RFC 8725 section 3.10",
            |s| with(s, "kid", "' OR '1'='1"),
            Refused::Token(Check::Key, "`kid`"),
        ),
        against(
            "kid is ours and a NUL",
            "RFC 8725 section 3.10",
            |s| with(s, "kid", "key-1\0"),
            Refused::Token(Check::Key, "`kid`"),
        ),
        against(
            "kid is a list",
            "RFC 7515 section 4.1.4",
            |s| with(s, "kid", json!(["key-1"])),
            Refused::Token(Check::Header, "`kid` in the header is not a string"),
        ),
    ]
}

fn algorithms() -> Vec<Row<Make>> {
    const UNSIGNED: Refused = Refused::Token(Check::Header, "`alg` is not an asymmetric signature");
    const UNKNOWN: Refused =
        Refused::Token(Check::Algorithm, "`alg` is not an algorithm that this server");
    let none = "CVE-2015-9235, CVE-2015-2951, CVE-2021-22160";
    fn unsigned(server: &Server, alg: &str) -> String {
        let header = json!({"alg": alg, "typ": "at+jwt"}).to_string();
        format!("{}.{}.", b64(header), b64(payload(server)))
    }
    let named = "RFC 7515 section 4.1.1";
    let typed = Refused::Token(Check::Header, "`alg` in the header is not a string");
    vec![
        row("alg is none", none, PLAIN, |s| unsigned(s, "none"), UNSIGNED),
        row("alg is None", none, PLAIN, |s| unsigned(s, "None"), UNSIGNED),
        row("alg is NONE", none, PLAIN, |s| unsigned(s, "NONE"), UNSIGNED),
        row("alg is noNE", none, PLAIN, |s| unsigned(s, "noNE"), UNSIGNED),
        row("alg is none and a blank", none, PLAIN, |s| unsigned(s, "none "), UNSIGNED),
        row("alg is empty", none, PLAIN, |s| unsigned(s, ""), UNKNOWN),
        against("alg is none, with a good signature", none, |s| with(s, "alg", "none"), UNSIGNED),
        row(
            "alg is missing",
            named,
            PLAIN,
            |s| headed(s, r#"{"kid":"key-1"}"#),
            Refused::Token(Check::Header, "the header has no `alg`"),
        ),
        against("alg is a number", named, |s| with(s, "alg", 256), typed),
        against("alg is a list", named, |s| with(s, "alg", json!(["ES256"])), typed),
        against("alg is null", named, |s| with(s, "alg", json!(null)), typed),
        against(
            "alg in small letters",
            "RFC 7518 section 3.1",
            |s| with(s, "alg", "es256"),
            UNKNOWN,
        ),
        against(
            "alg and a blank",
            "CVE-2023-48223, CVE-2026-34950",
            |s| with(s, "alg", " ES256"),
            UNKNOWN,
        ),
        against("alg is ES256K", "RFC 8725 section 3.1", |s| with(s, "alg", "ES256K"), UNKNOWN),
        against(
            "alg is ML-DSA-44",
            "RFC 8725 section 3.1",
            |s| with(s, "alg", "ML-DSA-44"),
            UNKNOWN,
        ),
        against(
            "alg is one of encryption",
            "RFC 8725 section 3.1",
            |s| with(s, "alg", "RSA-OAEP"),
            UNKNOWN,
        ),
        against(
            "alg is one of passwords",
            "CVE-2023-52428, CVE-2023-50967",
            |s| with(s, "alg", "PBES2-HS256+A128KW"),
            UNKNOWN,
        ),
        against(
            "alg is RS256 for a key of another kind",
            "RFC 8725 section 3.2",
            |s| with(s, "alg", "RS256"),
            Refused::Token(Check::Key, "may not be used with the token's `alg`"),
        ),
        against(
            "alg is EdDSA for a key of another kind",
            "RFC 8725 section 3.2",
            |s| with(s, "alg", "EdDSA"),
            Refused::Token(Check::Key, "may not be used with the token's `alg`"),
        ),
        against(
            "alg is ES384 for a key of P-256",
            "RFC 8725 section 3.2",
            |s| with(s, "alg", "ES384"),
            Refused::Token(Check::Key, "may not be used with the token's `alg`"),
        ),
    ]
}

fn types() -> Vec<Row<Make>> {
    const OTHER: Refused = Refused::Token(Check::Type, "`typ` is not that of an access token");
    let other = "RFC 8725 section 3.11";
    vec![
        against("typ of a proof", other, |s| with(s, "typ", "dpop+jwt"), OTHER),
        against("typ of a logout token", other, |s| with(s, "typ", "logout+jwt"), OTHER),
        against("typ of a security event", other, |s| with(s, "typ", "secevent+jwt"), OTHER),
        against(
            "typ of an introspection",
            other,
            |s| with(s, "typ", "token-introspection+jwt"),
            OTHER,
        ),
        against("typ of a media type", other, |s| with(s, "typ", "application/dpop+jwt"), OTHER),
        against("typ of another tree", other, |s| with(s, "typ", "text/at+jwt"), OTHER),
        against("typ of a refresh token", other, |s| with(s, "typ", "rt+jwt"), OTHER),
        against("typ and a blank", other, |s| with(s, "typ", "at+jwt "), OTHER),
        against(
            "typ is a list",
            other,
            |s| with(s, "typ", json!(["at+jwt"])),
            Refused::Token(Check::Header, "`typ` in the header is not a string"),
        ),
    ]
}
