//! Dates, callers and kinds of token: claims that are missing, of another type, or of somebody else.

use std::time::Duration;

use serde_json::json;
use tower_fhir_auth::explanation::Check;
use tower_fhir_auth::test_util::TokenBuilder;

use crate::kit::{Attack, Refused, Row, row, table};
use crate::support::{NOW, Reply, Server};

type Make = fn(&Server) -> TokenBuilder;

/// A server with every rule about claims that can be set.
async fn start() -> Server {
    let day = Duration::from_secs(3600 * 24);
    Server::trusting(|issuer| issuer.clients(["app"]).max_token_age(day)).await
}

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
    table(dates().into_iter().chain(others()).chain(kinds()), start, ask)
}

fn dates() -> Vec<Row<Make>> {
    const EXP: Refused = Refused::Token(Check::Expiry, "`exp` is not a valid NumericDate");
    const NBF: Refused = Refused::Token(Check::NotBefore, "`nbf` is not a valid NumericDate");
    const IAT: Refused = Refused::Token(Check::IssuedAt, "`iat` is not a valid NumericDate");
    let huge = "mod_auth_openidc 2026-08-12, GO-2026-5732";
    let of_type = "CVE-2026-25537";
    let fraction: Make = |s| s.token().claim("exp", json!(1_800_000_060.5));
    vec![
        row("exp is a string", of_type, fraction, |s| s.token().claim("exp", "1800000060"), EXP),
        row("exp is true", of_type, fraction, |s| s.token().claim("exp", true), EXP),
        row("exp is a list", of_type, fraction, |s| s.token().claim("exp", json!([NOW + 60])), EXP),
        row("exp is an object", of_type, fraction, |s| s.token().claim("exp", json!({})), EXP),
        row("exp is 1e300", huge, fraction, |s| s.token().claim("exp", json!(1e300)), EXP),
        row("exp is -1e300", huge, fraction, |s| s.token().claim("exp", json!(-1e300)), EXP),
        row("exp is the largest u64", huge, fraction, |s| s.token().claim("exp", u64::MAX), EXP),
        row("exp is the largest i64", huge, fraction, |s| s.token().claim("exp", i64::MAX), EXP),
        against("exp is in milliseconds", huge, |s| s.token().claim("exp", (NOW + 60) * 1000), EXP),
        against(
            "exp is an hour ago",
            "GO-2026-5732",
            |s| s.token().claim("exp", NOW - 3600),
            Refused::Expired,
        ),
        against(
            "exp is at the end of the leeway",
            "RFC 7519 section 4.1.4",
            |s| s.token().claim("exp", NOW - 60),
            Refused::Expired,
        ),
        against(
            "exp is negative",
            "RFC 7519 section 4.1.4",
            |s| s.token().claim("exp", -1),
            Refused::Expired,
        ),
        against(
            "exp is 0",
            "RFC 7519 section 4.1.4",
            |s| s.token().claim("exp", 0),
            Refused::Expired,
        ),
        against(
            "exp is missing",
            "GO-2026-5732",
            |s| s.token().without("exp"),
            Refused::Token(Check::RequiredClaims, "`exp` is required but missing"),
        ),
        against(
            "exp is null",
            "CVE-2026-25537",
            |s| s.token().claim("exp", json!(null)),
            Refused::Token(Check::RequiredClaims, "`exp` is required but missing"),
        ),
        against(
            "nbf is in an hour",
            "jsonwebtoken: nbf unchecked by default",
            |s| s.token().claim("nbf", NOW + 3600),
            Refused::Token(Check::NotBefore, "`nbf` is in the future"),
        ),
        against("nbf is a string", of_type, |s| s.token().claim("nbf", "0"), NBF),
        against("nbf is null", of_type, |s| s.token().claim("nbf", json!(null)), NBF),
        against("nbf is 1e300", huge, |s| s.token().claim("nbf", json!(1e300)), NBF),
        against(
            "iat is in an hour",
            "jsonwebtoken: iat never checked",
            |s| s.token().claim("iat", NOW + 3600),
            Refused::Token(Check::IssuedAt, "`iat` is in the future"),
        ),
        against("iat is a string", of_type, |s| s.token().claim("iat", "0"), IAT),
        against("iat is null", of_type, |s| s.token().claim("iat", json!(null)), IAT),
        against(
            "iat is too long ago",
            "jsonwebtoken: no largest age",
            |s| s.token().claim("iat", NOW - 3600 * 25),
            Refused::Token(Check::IssuedAt, "`iat` is too long ago"),
        ),
        against(
            "iat is missing where it counts",
            "jsonwebtoken: no largest age",
            |s| s.token().without("iat"),
            Refused::Token(Check::IssuedAt, "`iat` is missing"),
        ),
    ]
}

fn others() -> Vec<Row<Make>> {
    const fn no_string(words: &'static str) -> Refused {
        Refused::Token(Check::RequiredClaims, words)
    }
    const BOUND: Refused =
        Refused::Token(Check::Confirmation, "`cnf` binds the token to its sender");
    const NOBODY: Refused = Refused::Token(Check::Confirmation, "`cnf` is malformed");
    let of_type = "CVE-2026-25537, RFC 7519 section 4.1";
    let allowed = "RFC 9700 section 4.15";
    let bound = "RFC 9449 section 7.2, RFC 8705 section 3";
    vec![
        against(
            "sub is missing",
            "RFC 9068 section 2.2",
            |s| s.token().without("sub"),
            no_string("`sub` is required"),
        ),
        against(
            "sub is null",
            "RFC 9068 section 2.2",
            |s| s.token().claim("sub", json!(null)),
            no_string("`sub` is required"),
        ),
        against(
            "sub is a number",
            of_type,
            |s| s.token().claim("sub", 1),
            no_string("`sub` is not a string"),
        ),
        against(
            "sub is a list",
            of_type,
            |s| s.token().claim("sub", json!(["alice"])),
            no_string("`sub` is not a string"),
        ),
        against(
            "jti is a number",
            of_type,
            |s| s.token().claim("jti", 1),
            no_string("`jti` is not a string"),
        ),
        against(
            "client_id is a list",
            of_type,
            |s| s.token().claim("client_id", json!(["app"])),
            no_string("`client_id` is not a string"),
        ),
        against(
            "azp is an object",
            of_type,
            |s| s.token().claim("azp", json!({})),
            no_string("`azp` is not a string"),
        ),
        against(
            "another client",
            allowed,
            |s| s.token().claim("client_id", "other"),
            Refused::Token(Check::Client, "is not allowed"),
        ),
        against(
            "no client",
            allowed,
            |s| s.token().without("client_id"),
            Refused::Token(Check::Client, "names no client"),
        ),
        against(
            "two clients",
            allowed,
            |s| s.token().claim("azp", "other"),
            Refused::Token(Check::Client, "names another client"),
        ),
        against(
            "two clients, in appid",
            allowed,
            |s| s.token().claim("appid", "other"),
            Refused::Token(Check::Client, "names another client"),
        ),
        against(
            "two clients, in cid",
            allowed,
            |s| s.token().claim("cid", "other"),
            Refused::Token(Check::Client, "names another client"),
        ),
        against(
            "the client as sub",
            allowed,
            |s| s.token().without("client_id").claim("sub", "app"),
            Refused::Token(Check::Client, "names no client"),
        ),
        against(
            "a key of DPoP as Bearer",
            bound,
            |s| {
                s.token()
                    .claim("cnf", json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}))
            },
            BOUND,
        ),
        against(
            "a certificate's token without it",
            bound,
            |s| {
                let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
                s.token().claim("cnf", json!({"x5t#S256": thumbprint}))
            },
            Refused::Token(Check::Certificate, "the request came without one"),
        ),
        against(
            "cnf of a kind that nobody knows",
            "RFC 7800 section 3.1",
            |s| s.token().claim("cnf", json!({"osc": {}})),
            BOUND,
        ),
        against(
            "cnf is empty",
            "RFC 7800 section 3.1",
            |s| s.token().claim("cnf", json!({})),
            NOBODY,
        ),
        against("cnf is text", "RFC 7800 section 3.1", |s| s.token().claim("cnf", "x"), NOBODY),
        against(
            "cnf is null",
            "RFC 7800 section 3.1",
            |s| s.token().claim("cnf", json!(null)),
            Refused::Token(Check::Confirmation, "`cnf` is null"),
        ),
    ]
}

fn kinds() -> Vec<Row<Make>> {
    const fn kind(mark: &'static str) -> Refused {
        Refused::Token(Check::TokenKind, mark)
    }
    let other = "RFC 8725 section 3.12";
    vec![
        against(
            "an ID token by at_hash",
            other,
            |s| s.token().claim("at_hash", "x"),
            kind("`at_hash` is present"),
        ),
        against(
            "an ID token by c_hash",
            other,
            |s| s.token().claim("c_hash", "x"),
            kind("`c_hash` is present"),
        ),
        against(
            "an ID token by s_hash",
            other,
            |s| s.token().claim("s_hash", "x"),
            kind("`s_hash` is present"),
        ),
        against(
            "an ID token of Keycloak",
            "axum-keycloak-auth: typ unchecked",
            |s| s.token().claim("typ", "ID"),
            kind("`typ` is `ID`"),
        ),
        against(
            "a refresh token of Keycloak",
            "axum-keycloak-auth: typ unchecked",
            |s| s.token().claim("typ", "Refresh"),
            kind("`typ` is `Refresh`"),
        ),
        against(
            "an offline token of Keycloak",
            "axum-keycloak-auth: typ unchecked",
            |s| s.token().claim("typ", "Offline"),
            kind("`typ` is `Offline`"),
        ),
        against(
            "a logout token of Keycloak",
            "axum-keycloak-auth: typ unchecked",
            |s| s.token().claim("typ", "Logout"),
            kind("`typ` is `Logout`"),
        ),
        against(
            "an ID token of Cognito",
            other,
            |s| s.token().claim("token_use", "id"),
            kind("`token_use` is `id`"),
        ),
        against(
            "a refresh token of Cognito",
            other,
            |s| s.token().claim("token_use", "refresh"),
            kind("`token_use` is `refresh`"),
        ),
        against(
            "a token for anything else",
            other,
            |s| s.token().claim("token_use", json!(["access"])),
            kind("`token_use` is not `access`"),
        ),
        against(
            "a logout token by events",
            "RFC 8417 section 2.2",
            |s| {
                s.token().claim(
                    "events",
                    json!({"http://schemas.openid.net/event/backchannel-logout": {}}),
                )
            },
            kind("`events` is present"),
        ),
    ]
}
