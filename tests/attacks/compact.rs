//! Segments of tokens (RFC 7515 sections 2 and 7.1).

use serde_json::json;
use tower_fhir_auth::explanation::Check;

use crate::kit::{Attack, Refused, Row, row, table};
use crate::support::{BASE, NOW, Reply, Server, b64};

pub(crate) type Make = fn(&Server) -> String;

pub(crate) async fn ask(server: &Server, make: Make) -> Reply {
    server.bearer(&make(server)).await
}

const GOOD: Make = |s| s.token().sign().unwrap();

/// Makes a good token of a header and a payload as they stand here.
pub(crate) fn of(server: &Server, header: &str, payload: &str) -> String {
    server.issuer.key().sign(header.as_bytes(), payload.as_bytes()).unwrap()
}

pub(crate) const HEADER: &str = r#"{"alg":"ES256","kid":"key-1"}"#;

pub(crate) fn payload(server: &Server) -> String {
    json!({"iss": server.issuer.url(), "aud": BASE, "sub": "alice", "exp": NOW + 60}).to_string()
}

/// A good token with other text for its header.
pub(crate) fn headed(server: &Server, header: &str) -> String {
    of(server, header, &payload(server))
}

/// A good token whose payload goes on before its end.
pub(crate) fn claiming(server: &Server, further: &str) -> String {
    let payload = payload(server);
    of(server, HEADER, &format!("{}{further}}}", payload.strip_suffix('}').unwrap()))
}

pub(crate) const PLAIN: Make = |s| headed(s, HEADER);

fn against(
    name: &'static str,
    reference: &'static str,
    attack: Make,
    refused: Refused,
) -> Row<Make> {
    row(name, reference, GOOD, attack, refused)
}

pub(crate) fn shape(
    name: &'static str,
    reference: &'static str,
    attack: Make,
    words: &'static str,
) -> Row<Make> {
    row(name, reference, PLAIN, attack, Refused::Token(Check::Shape, words))
}

pub(crate) fn attacks() -> Vec<Attack> {
    table(segments(), Server::start, ask)
}

fn segments() -> Vec<Row<Make>> {
    const BASE64: &str = "base64url without padding";
    const SIZE: Refused = Refused::Token(Check::Size, "the token is too large");
    let dots = "CVE-2025-27144, CVE-2025-30204, CVE-2025-22868";
    let giant = "CVE-2025-61920";
    let encrypted = "CVE-2023-51774, CVE-2024-28176, CVE-2023-52428";
    let lenient = "RFC 7515 section 2, RFC 4648 section 3.5";
    let count = "RFC 7515 section 7.1";
    /// Puts a byte into a segment of a good token.
    fn spoilt(server: &Server, segment: usize, text: &str) -> String {
        let token = GOOD(server);
        let mut segments: Vec<String> = token.split('.').map(str::to_owned).collect();
        segments[segment].insert_str(4, text);
        segments.join(".")
    }
    vec![
        shape(
            "two segments",
            count,
            |s| GOOD(s).rsplit_once('.').unwrap().0.to_owned(),
            "2 segments",
        ),
        shape("four segments", count, |s| format!("{}.a", GOOD(s)), "4 segments"),
        shape("an empty fourth segment", count, |s| format!("{}.", GOOD(s)), "4 segments"),
        shape(
            "an empty segment before",
            "jwt_verify_lib: SkipEmpty",
            |s| format!(".{}", GOOD(s)),
            "4 segments",
        ),
        shape(
            "two dots before",
            "jwt_verify_lib: SkipEmpty",
            |s| format!("..{}", GOOD(s)),
            "encrypted (five segments)",
        ),
        shape(
            "doubled dots",
            "jwt_verify_lib: SkipEmpty",
            |s| GOOD(s).replace('.', ".."),
            "encrypted (five segments)",
        ),
        shape("very many dots", dots, |_| ".".repeat(16_000), "segments instead of three"),
        against("a million dots", dots, |_| ".".repeat(1_000_000), SIZE),
        against("a giant segment", giant, |s| format!("{}.{}", GOOD(s), "A".repeat(1 << 20)), SIZE),
        against(
            "a giant payload that is signed",
            "jsonwebtoken: 8 MiB accepted",
            |s| s.token().claim("x", "x".repeat(8 << 20)).sign().unwrap(),
            SIZE,
        ),
        against(
            "a giant header that is signed",
            "jsonwebtoken: 1 MiB accepted",
            |s| s.token().header("x", "x".repeat(1 << 20)).sign().unwrap(),
            SIZE,
        ),
        against(
            "very many claims",
            "jsonwebtoken: 100,000 claims accepted",
            |s| claiming(s, &format!(",\"x\":[{}0]", "0,".repeat(100_000))),
            SIZE,
        ),
        shape(
            "an encrypted token",
            encrypted,
            |s| {
                let header = json!({"alg": "RSA-OAEP", "enc": "A128GCM", "zip": "DEF"}).to_string();
                format!("{}.a.a.{}.a", b64(header), b64(payload(s)))
            },
            "encrypted (five segments)",
        ),
        shape(
            "an encrypted token by password",
            "CVE-2023-50967, CVE-2023-52428",
            |s| {
                let header =
                    json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": i32::MAX});
                format!("{}.a.a.{}.a", b64(header.to_string()), b64(payload(s)))
            },
            "encrypted (five segments)",
        ),
        shape(
            "five segments of a good token",
            "CVE-2023-51774",
            |s| format!("{}.a.a", GOOD(s)),
            "encrypted (five segments)",
        ),
        row(
            "JSON serialisation",
            "CVE-2022-39227",
            GOOD,
            |s| {
                let token = GOOD(s);
                let (input, signature) = token.rsplit_once('.').unwrap();
                let (header, payload) = input.split_once('.').unwrap();
                json!({"protected": header, "payload": payload, "signature": signature}).to_string()
            },
            Refused::Request("has `{` (U+007B) at position 1"),
        ),
        row(
            "JSON around a good token",
            "CVE-2022-39227",
            GOOD,
            |s| format!("{{\"x\":\"{}\"}}", GOOD(s)),
            Refused::Request("has `{` (U+007B) at position 1"),
        ),
        shape("padding behind", lenient, |s| format!("{}=", GOOD(s)), BASE64),
        shape(
            "another character of base64 in the header",
            lenient,
            |s| spoilt(s, 0, "+///"),
            BASE64,
        ),
        shape(
            "another character of base64 in the payload",
            lenient,
            |s| spoilt(s, 1, "+///"),
            BASE64,
        ),
        shape(
            "another character of base64 in the signature",
            lenient,
            |s| spoilt(s, 2, "+///"),
            BASE64,
        ),
        row(
            "a blank within",
            lenient,
            GOOD,
            |s| spoilt(s, 1, " "),
            Refused::Request("a space (U+0020)"),
        ),
        row(
            "a tab within",
            lenient,
            GOOD,
            |s| spoilt(s, 1, "\t"),
            Refused::Request("a tab (U+0009)"),
        ),
        row(
            "padding within",
            lenient,
            GOOD,
            |s| spoilt(s, 1, "="),
            Refused::Request("it may only pad the end"),
        ),
        row(
            "a percent within",
            lenient,
            GOOD,
            |s| spoilt(s, 1, "%2E"),
            Refused::Request("`%` (U+0025)"),
        ),
        shape(
            "trailing bits of the signature",
            lenient,
            |s| {
                // 64 bytes leave one in the last group, whose lower four bits are zero.
                let token = GOOD(s);
                let last = token.chars().last().unwrap();
                let next = char::from(u8::try_from(last).unwrap() + 1);
                format!("{}{next}", token.strip_suffix(last).unwrap())
            },
            BASE64,
        ),
    ]
}
