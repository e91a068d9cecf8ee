//! Header fields of HTTP/1.1 (RFC 6750, RFC 9110), as bytes on a socket.

use tower_fhir_auth::explanation::Check;

use crate::kit::{Answer, Attack, Refused, Row, row, table};
use crate::wire::Wire;

pub(crate) async fn ask(wire: &Wire, bytes: Vec<u8>) -> Answer {
    wire.last(&bytes).await
}

/// A request whose only fields are these; `TOKEN` is the token.
pub(crate) fn with(fields: &[u8]) -> Vec<u8> {
    to("GET /r4/Patient/1", fields)
}

pub(crate) fn to(line: &str, fields: &[u8]) -> Vec<u8> {
    let head = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n");
    [head.as_bytes(), fields, b"\r\n"].concat()
}

pub(crate) const GOOD: &[u8] = b"authorization: Bearer TOKEN\r\n";
pub(crate) const NONE: Refused =
    Refused::Credentials("no bearer token in the `Authorization` header");
const TWO: Refused = Refused::Request("more than one `Authorization` header");
const JOINED: Refused = Refused::Request("joined by a comma");
/// hyper answers by itself.
pub(crate) const MALFORMED: Refused = Refused::Unreached(400);

pub(crate) fn attacks() -> Vec<Attack> {
    table(credentials().into_iter().chain(fields()), Wire::start, ask)
}

fn against(
    name: &'static str,
    reference: &'static str,
    fields: &[u8],
    refused: Refused,
) -> Row<Vec<u8>> {
    row(name, reference, with(GOOD), with(fields), refused)
}

fn credentials() -> Vec<Row<Vec<u8>>> {
    let rfc = "RFC 6750 section 2.1";
    let first = "oauth-resource-server and seven others: the first of two headers counts";
    let lower = || with(b"AUTHORIZATION: bearer TOKEN\r\n");
    let upper = || with(b"authorization: BEARER TOKEN\r\n");
    let odd = |character| Refused::Request(character);
    vec![
        row("no credentials", "axum-jwt-oidc: fails open", lower(), with(b""), NONE),
        row(
            "garbage",
            "axum-jwt-oidc: fails open",
            upper(),
            with(b"authorization: Bearer x\r\n"),
            Refused::Token(Check::Shape, "1 segment"),
        ),
        against(
            "another scheme",
            rfc,
            b"authorization: Basic YTpi\r\n",
            Refused::Credentials("the scheme `Basic`"),
        ),
        against(
            "a token without a scheme",
            rfc,
            b"authorization: TOKEN\r\n",
            Refused::Credentials("a token without a scheme"),
        ),
        against(
            "two headers, good and bad",
            first,
            b"authorization: Bearer TOKEN\r\nauthorization: Bearer x\r\n",
            TWO,
        ),
        against(
            "two headers, bad and good",
            first,
            b"authorization: Bearer x\r\nauthorization: Bearer TOKEN\r\n",
            TWO,
        ),
        against(
            "two headers, both good",
            first,
            b"authorization: Bearer TOKEN\r\nAuthorization: Bearer TOKEN\r\n",
            TWO,
        ),
        against(
            "two headers, one of another scheme",
            first,
            b"authorization: Basic YTpi\r\nauthorization: Bearer TOKEN\r\n",
            TWO,
        ),
        against(
            "two headers, one empty",
            first,
            b"authorization:\r\nauthorization: Bearer TOKEN\r\n",
            TWO,
        ),
        against(
            "two tokens by a comma",
            "RFC 9110 section 5.3",
            b"authorization: Bearer TOKEN, Bearer TOKEN\r\n",
            JOINED,
        ),
        against(
            "two schemes by a comma",
            "RFC 9110 section 5.3",
            b"authorization: Basic YTpi, Bearer TOKEN\r\n",
            JOINED,
        ),
        against(
            "a scheme twice",
            rfc,
            b"authorization: Bearer Bearer TOKEN\r\n",
            Refused::Request("appears twice"),
        ),
        against(
            "Bearer somewhere within",
            "Envoy: looks for `Bearer ` anywhere",
            b"authorization: Token Bearer TOKEN\r\n",
            Refused::Credentials("the scheme `Token`"),
        ),
        against(
            "a longer scheme",
            rfc,
            b"authorization: Bearerx TOKEN\r\n",
            Refused::Credentials("a scheme that is unknown"),
        ),
        against("a tab", rfc, b"authorization: Bearer\tTOKEN\r\n", odd("a tab (U+0009)")),
        against(
            "an empty token",
            rfc,
            b"authorization: Bearer\r\n",
            Refused::Request("the bearer token is empty"),
        ),
        against(
            "quotes",
            rfc,
            b"authorization: Bearer \"TOKEN\"\r\n",
            Refused::Request("in quotes"),
        ),
        against(
            "a blank within",
            rfc,
            b"authorization: Bearer TOKEN x\r\n",
            odd("a space (U+0020)"),
        ),
        against(
            "C1 bytes",
            "tried by hand: C1 bytes",
            b"authorization: Bearer TOKEN\x80\x9f\r\n",
            odd("a byte that is not UTF-8"),
        ),
        against(
            "C1 characters",
            "tried by hand: C1 bytes",
            "authorization: Bearer TOKEN\u{85}\r\n".as_bytes(),
            odd("outside ASCII (U+0085)"),
        ),
        against(
            "a blank of Unicode",
            "tried by hand",
            "authorization: Bearer\u{a0}TOKEN\r\n".as_bytes(),
            Refused::Credentials("a scheme that is unknown"),
        ),
        against(
            "a letter of Latin-1",
            "tried by hand",
            b"authorization: Bearer TOKEN\xe9\r\n",
            odd("a byte that is not UTF-8"),
        ),
        against(
            "a semicolon behind",
            rfc,
            b"authorization: Bearer TOKEN;x\r\n",
            odd("`;` (U+003B)"),
        ),
        against(
            "Proxy-Authorization",
            "RFC 9110 section 11.7.1",
            b"proxy-authorization: Bearer TOKEN\r\n",
            NONE,
        ),
        against("Authorization_", "tried by hand", b"authorization_: Bearer TOKEN\r\n", NONE),
        against(
            "X-Forwarded-Authorization",
            "tried by hand",
            b"x-forwarded-authorization: Bearer TOKEN\r\n",
            NONE,
        ),
        against(
            "X-Forwarded-Access-Token",
            "tried by hand",
            b"x-forwarded-access-token: TOKEN\r\n",
            NONE,
        ),
        against("a cookie", "RFC 6750 section 2", b"cookie: access_token=TOKEN\r\n", NONE),
    ]
}

fn fields() -> Vec<Row<Vec<u8>>> {
    let colon = "tried by hand: `Authorization :`, RFC 9112 section 5.1";
    let folded = "tried by hand: header folding, RFC 9112 section 5.2";
    let field = "RFC 9110 section 5.5";
    let large = |size: usize| format!("authorization: Bearer {}\r\n", "A".repeat(size));
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    vec![
        against("a blank before the colon", colon, b"authorization : Bearer TOKEN\r\n", MALFORMED),
        against("a tab before the colon", colon, b"authorization\t: Bearer TOKEN\r\n", MALFORMED),
        against("a blank before the name", folded, b" authorization: Bearer TOKEN\r\n", MALFORMED),
        against("a folded value", folded, b"authorization: Bearer\r\n TOKEN\r\n", MALFORMED),
        against(
            "a folded value, by a tab",
            folded,
            b"authorization: Bearer\r\n\tTOKEN\r\n",
            MALFORMED,
        ),
        against("a NUL", field, b"authorization: Bearer TOKEN\0\r\n", MALFORMED),
        against("a lone CR", field, b"authorization: Bearer TOKEN\rx: y\r\n", MALFORMED),
        against("an escape", field, b"authorization: Bearer TOKEN\x1b\r\n", MALFORMED),
        against("DEL", field, b"authorization: Bearer TOKEN\x7f\r\n", MALFORMED),
        against("a name that is none", field, b"author\xefzation: Bearer TOKEN\r\n", MALFORMED),
        against("no colon", field, b"authorization Bearer TOKEN\r\n", MALFORMED),
        against(
            "a huge token",
            "RFC 9110 section 5.4",
            large(100_000).as_bytes(),
            Refused::Token(Check::Size, "too large"),
        ),
        against(
            "a header of a megabyte",
            "RFC 9110 section 5.4",
            large(1 << 20).as_bytes(),
            Refused::Unreached(431),
        ),
        against(
            "very many headers",
            "RFC 9110 section 5.4",
            [many.as_bytes(), GOOD].concat().as_slice(),
            Refused::Unreached(431),
        ),
    ]
}
