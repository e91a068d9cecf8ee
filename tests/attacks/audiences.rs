//! `aud` and `iss`: for whom a token is, and whose.

use serde_json::json;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::test_util::TokenBuilder;

use crate::kit::{Attack, Refused, Row, row, table};
use crate::support::{BASE, Reply, Server};

type Make = fn(&Server) -> TokenBuilder;

async fn ask(server: &Server, make: Make) -> Reply {
    server.get(make(server)).await
}

const GOOD: Make = Server::token;

fn against(
    name: &'static str,
    reference: &'static str,
    attack: Make,
    refused: Refused,
) -> Row<Make> {
    row(name, reference, GOOD, attack, refused)
}

pub(crate) fn attacks() -> Vec<Attack> {
    table(audience().into_iter().chain(issuer()), Server::start, ask)
}

fn audience() -> Vec<Row<Make>> {
    const MALFORMED: Refused = Refused::Token(Check::Audience, "`aud` is neither a string nor");
    const MISSING: Refused = Refused::Token(Check::Audience, "`aud` is missing");
    const OTHER: Refused = Refused::Token(Check::Audience, "`aud` does not name this server");
    let of_type = "CVE-2026-25537";
    let unchecked = "CVE-2023-22482, CVE-2026-30223, CVE-2026-55669";
    let list: Make = |s| s.token().claim("aud", json!(["https://other.example", BASE]));
    vec![
        against("aud is a number", of_type, |s| s.token().claim("aud", 5), MALFORMED),
        against("aud is true", of_type, |s| s.token().claim("aud", true), MALFORMED),
        against("aud is an object", of_type, |s| s.token().claim("aud", json!({})), MALFORMED),
        against(
            "aud is an object whose member is ours",
            of_type,
            |s| s.token().claim("aud", json!({BASE: true})),
            MALFORMED,
        ),
        row(
            "aud is a list of lists",
            of_type,
            list,
            |s| s.token().claim("aud", json!([[BASE]])),
            MALFORMED,
        ),
        row(
            "aud is ours and a number",
            of_type,
            list,
            |s| s.token().claim("aud", json!([BASE, 1])),
            MALFORMED,
        ),
        row(
            "aud is a number and ours",
            of_type,
            list,
            |s| s.token().claim("aud", json!([1, BASE])),
            MALFORMED,
        ),
        row(
            "aud is ours and null",
            of_type,
            list,
            |s| s.token().claim("aud", json!([BASE, null])),
            MALFORMED,
        ),
        against("aud is missing", unchecked, |s| s.token().without("aud"), MISSING),
        against("aud is null", unchecked, |s| s.token().claim("aud", json!(null)), MISSING),
        row(
            "aud is an empty list",
            "CVE-2020-26160",
            list,
            |s| s.token().claim("aud", json!([])),
            MISSING,
        ),
        row(
            "aud is a list of nothing",
            "CVE-2020-26160",
            list,
            |s| s.token().claim("aud", json!([""])),
            OTHER,
        ),
        against("aud is empty", "CVE-2020-26160", |s| s.token().claim("aud", ""), OTHER),
        against(
            "aud is another API",
            unchecked,
            |s| s.token().claim("aud", "https://other.example"),
            OTHER,
        ),
        row(
            "aud is a list of others",
            unchecked,
            list,
            |s| s.token().claim("aud", json!(["a", "b"])),
            OTHER,
        ),
        against(
            "aud begins with ours",
            unchecked,
            |s| s.token().claim("aud", format!("{BASE}.evil.example")),
            OTHER,
        ),
        against(
            "aud ends with ours",
            unchecked,
            |s| s.token().claim("aud", format!("https://evil.example/{BASE}")),
            OTHER,
        ),
        against(
            "aud is the beginning of ours",
            unchecked,
            |s| s.token().claim("aud", "https://fhir.example.org"),
            OTHER,
        ),
        against(
            "aud has a slash more",
            "RFC 8707 section 2",
            |s| s.token().claim("aud", format!("{BASE}/")),
            OTHER,
        ),
        against(
            "aud is ours in another case",
            "RFC 7519 section 4.1.3",
            |s| s.token().claim("aud", BASE.to_uppercase()),
            OTHER,
        ),
        against(
            "aud is ours and a NUL",
            "RFC 7519 section 4.1.3",
            |s| s.token().claim("aud", format!("{BASE}\0")),
            OTHER,
        ),
        against(
            "aud is ours among blanks",
            "RFC 7519 section 4.1.3",
            |s| s.token().claim("aud", format!("other {BASE}")),
            OTHER,
        ),
        against(
            "aud is ours in a comma list",
            "RFC 7519 section 4.1.3",
            |s| s.token().claim("aud", format!("other,{BASE}")),
            OTHER,
        ),
        against(
            "aud has another name",
            "RFC 7519 section 4.1.3",
            |s| s.token().without("aud").claim("audience", BASE),
            MISSING,
        ),
        against(
            "AUD stands for aud",
            "RFC 7519 section 10.1.1",
            |s| s.token().without("aud").claim("AUD", BASE),
            MISSING,
        ),
    ]
}

fn issuer() -> Vec<Row<Make>> {
    const TYPE: Refused = Refused::Token(Check::Issuer, "`iss` is not a string");
    const MISSING: Refused = Refused::Token(Check::Issuer, "`iss` is missing");
    const OTHER: Refused = Refused::Token(Check::Issuer, "`iss` is not a trusted issuer");
    let of_type = "CVE-2026-25537";
    let substring = "CVE-2024-53861";
    let unchecked = "CVE-2024-5037, CVE-2024-8901, CVE-2026-22748";
    vec![
        against("iss is a number", of_type, |s| s.token().claim("iss", 7), TYPE),
        against("iss is true", of_type, |s| s.token().claim("iss", true), TYPE),
        against(
            "iss is a list of ours",
            of_type,
            |s| s.token().claim("iss", json!([s.issuer.url()])),
            TYPE,
        ),
        against(
            "iss is a list of ours and evil",
            of_type,
            |s| s.token().claim("iss", json!([s.issuer.url(), "https://evil.example"])),
            TYPE,
        ),
        against("iss is an object", of_type, |s| s.token().claim("iss", json!({"a": 1})), TYPE),
        against("iss is missing", unchecked, |s| s.token().without("iss"), MISSING),
        against(
            "iss is another's",
            unchecked,
            |s| s.token().claim("iss", "https://evil.example"),
            OTHER,
        ),
        against("iss is empty", substring, |s| s.token().claim("iss", ""), OTHER),
        against("iss is one letter of ours", substring, |s| s.token().claim("iss", "h"), OTHER),
        against(
            "iss is the beginning of ours",
            substring,
            |s| s.token().claim("iss", "http://127.0.0.1"),
            OTHER,
        ),
        against(
            "iss begins with ours",
            substring,
            |s| s.token().claim("iss", format!("{}.evil.example", s.issuer.url())),
            OTHER,
        ),
        against(
            "iss ends with ours",
            substring,
            |s| s.token().claim("iss", format!("https://evil.example/{}", s.issuer.url())),
            OTHER,
        ),
        against(
            "iss has ours as its user",
            unchecked,
            |s| s.token().claim("iss", format!("{}@evil.example", s.issuer.url())),
            OTHER,
        ),
        against(
            "iss has a slash more",
            "RFC 9068 section 4",
            |s| s.token().claim("iss", format!("{}/", s.issuer.url())),
            OTHER,
        ),
        against(
            "iss is ours in another case",
            "RFC 9068 section 4",
            |s| s.token().claim("iss", s.issuer.url().to_uppercase()),
            OTHER,
        ),
        against(
            "iss is ours and a query",
            "RFC 9068 section 4",
            |s| s.token().claim("iss", format!("{}?", s.issuer.url())),
            OTHER,
        ),
        against(
            "iss is ours and a NUL",
            "RFC 9068 section 4",
            |s| s.token().claim("iss", format!("{}\0", s.issuer.url())),
            OTHER,
        ),
        against(
            "iss is ours and a blank",
            "RFC 9068 section 4",
            |s| s.token().claim("iss", format!("{} ", s.issuer.url())),
            OTHER,
        ),
    ]
}
