//! The JSON of tokens (RFC 7515 section 4, RFC 8725 section 2.4).

use crate::compact::{HEADER, Make, ask, claiming, headed, of, payload, shape};
use crate::kit::{Attack, Row, table};
use crate::support::Server;

pub(crate) fn attacks() -> Vec<Attack> {
    table(json(), Server::start, ask)
}

fn json() -> Vec<Row<Make>> {
    let doubled = "RFC 7515 section 4, RFC 8725 section 2.4";
    let twice = "duplicate member";
    let claims = "RFC 7519 section 4, jsonwebtoken: the last of two claims wins";
    let not_json = "RFC 7515 section 4";
    let deep = "CVE-2025-53864";
    vec![
        shape(
            "alg twice",
            doubled,
            |s| headed(s, r#"{"alg":"ES256","alg":"none","kid":"key-1"}"#),
            twice,
        ),
        shape(
            "alg twice, once escaped",
            doubled,
            |s| headed(s, r#"{"alg":"ES256","\u0061lg":"none","kid":"key-1"}"#),
            twice,
        ),
        shape(
            "kid twice",
            doubled,
            |s| headed(s, r#"{"alg":"ES256","kid":"x","kid":"key-1"}"#),
            twice,
        ),
        shape(
            "a member twice within a member",
            doubled,
            |s| headed(s, r#"{"alg":"ES256","kid":"key-1","x":{"a":1,"a":2}}"#),
            twice,
        ),
        shape(
            "aud twice, ours last",
            claims,
            |s| claiming(s, r#","aud":"https://fhir.example.org/r4""#),
            twice,
        ),
        shape("sub twice", claims, |s| claiming(s, r#","sub":"mallory""#), twice),
        shape(
            "roles twice",
            claims,
            |s| claiming(s, r#","roles":["a"],"roles":["globalAdmin"]"#),
            twice,
        ),
        shape(
            "roles twice, once escaped",
            claims,
            |s| claiming(s, r#","roles":["a"],"role\u0073":["globalAdmin"]"#),
            twice,
        ),
        shape(
            "a role twice within a claim",
            claims,
            |s| claiming(s, r#","realm_access":{"roles":[],"roles":["a"]}"#),
            twice,
        ),
        shape("the header is a list", not_json, |s| headed(s, r#"["ES256"]"#), "header"),
        shape("the header is empty", not_json, |s| headed(s, ""), "header"),
        shape(
            "the header goes on",
            not_json,
            |s| headed(s, r#"{"alg":"ES256","kid":"key-1"} x"#),
            "header",
        ),
        shape(
            "the header begins with a mark",
            "RFC 8725 section 3.7",
            |s| headed(s, "\u{feff}{\"alg\":\"ES256\",\"kid\":\"key-1\"}"),
            "header",
        ),
        shape(
            "the header has a comment",
            not_json,
            |s| headed(s, r#"{"alg":"ES256","kid":"key-1"/**/}"#),
            "header",
        ),
        shape(
            "the header has a lone surrogate",
            not_json,
            |s| headed(s, r#"{"alg":"ES256","kid":"key-1","x":"\ud800"}"#),
            "header",
        ),
        shape("the payload is a list", "RFC 7519 section 7.2", |s| of(s, HEADER, "[]"), "payload"),
        shape("the payload is text", "RFC 7519 section 7.2", |s| of(s, HEADER, "\"x\""), "payload"),
        shape("the payload is empty", "RFC 7519 section 7.2", |s| of(s, HEADER, ""), "payload"),
        shape(
            "the payload goes on",
            "RFC 7519 section 7.2",
            |s| of(s, HEADER, &format!("{} {{}}", payload(s))),
            "payload",
        ),
        shape(
            "the payload begins with a mark",
            "RFC 8725 section 3.7",
            |s| of(s, HEADER, &format!("\u{feff}{}", payload(s))),
            "payload",
        ),
        shape(
            "the payload has NaN",
            "RFC 8259 section 6",
            |s| claiming(s, r#","x":NaN"#),
            "payload",
        ),
        shape(
            "the payload is UTF-16",
            "RFC 8725 section 3.7",
            |s| {
                let wide: Vec<u8> = payload(s).encode_utf16().flat_map(u16::to_le_bytes).collect();
                s.issuer.key().sign(HEADER.as_bytes(), &wide).unwrap()
            },
            "payload",
        ),
        shape(
            "the payload is no UTF-8",
            "RFC 8725 section 3.7",
            |s| {
                let mut bytes = payload(s).into_bytes();
                let end = bytes.len() - 1;
                bytes.splice(end..end, *b",\"x\":\"\xff\"");
                s.issuer.key().sign(HEADER.as_bytes(), &bytes).unwrap()
            },
            "payload",
        ),
        shape(
            "a deep payload",
            deep,
            |s| claiming(s, &format!(",\"x\":{}{}", "[".repeat(3000), "]".repeat(3000))),
            "deeper",
        ),
        shape(
            "a deep header",
            deep,
            |s| {
                let deep = format!("{}{}", "[".repeat(3000), "]".repeat(3000));
                headed(s, &format!(r#"{{"alg":"ES256","kid":"key-1","x":{deep}}}"#))
            },
            "deeper",
        ),
    ]
}
