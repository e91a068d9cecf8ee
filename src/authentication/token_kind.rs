//! Tokens that are no access tokens although the same keys sign them (RFC 8725 section 3.12): told
//! apart by what their providers write, because few of them have a `typ` of their own.

use super::claims::Claims;
use super::issuer::IssuerSettings;
use crate::explanation::{Check, Checked, Evidence, Reason};
use crate::jose::json::Json;

/// Checks that the token is an access token, as far as its claims tell.
pub(crate) fn access_token(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
) -> Checked<(), impl FnOnce() -> Evidence> {
    Checked::new(Check::TokenKind, tell_apart(claims, settings), Evidence::none)
}

/// Checks that an introspection is about an access token. Beside what a token has, the answer has a
/// type (RFC 7662 section 2.2, RFC 8693 section 2.2.1).
#[cfg(feature = "client")]
pub(crate) fn of_answer(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
) -> Checked<(), impl FnOnce() -> Evidence> {
    let token_type = claims.string_or_none("token_type").unwrap_or_default();
    let is = |other: &[&str]| other.iter().any(|one| token_type.eq_ignore_ascii_case(one));
    let result = match () {
        () if is(&[
            "refresh_token",
            "refresh",
            "urn:ietf:params:oauth:token-type:refresh_token",
        ]) =>
        {
            other_kind("`token_type` is that of a refresh token", Some(REFRESH))
        }
        () if is(&["id_token", "urn:ietf:params:oauth:token-type:id_token"]) => {
            other_kind("`token_type` is that of an ID token", Some(ID))
        }
        () if is(&["N_A"]) => other_kind("`token_type` is `N_A`", None),
        () => tell_apart(claims, settings),
    };
    Checked::new(Check::TokenKind, result, Evidence::none)
}

/// Checks that a token which its provider says is one of DPoP is bound to a key: without it nobody could
/// prove anything, and whoever has the token could use it (RFC 9449 sections 5 and 6.2).
#[cfg(feature = "client")]
pub(super) fn bound_as_said(
    answer: &Claims<'_>,
    is_bound_to_a_key: bool,
) -> Checked<(), impl FnOnce() -> Evidence> {
    let token_type = answer.string_or_none("token_type").unwrap_or_default();
    let result = match token_type.eq_ignore_ascii_case("DPoP") && !is_bound_to_a_key {
        true => other_kind("`token_type` is `DPoP`, and no `cnf` names its key", None),
        false => Ok(()),
    };
    Checked::new(Check::TokenKind, result, Evidence::none)
}

fn tell_apart(claims: &Claims<'_>, settings: &IssuerSettings) -> Result<(), Reason> {
    // Keycloak says it in a claim, whatever `typ` of the header is.
    match claims.string_or_none("typ") {
        Some("ID") => return other_kind("`typ` is `ID`", Some(ID)),
        Some("Refresh") => return other_kind("`typ` is `Refresh`", Some(REFRESH)),
        Some("Offline") => return other_kind("`typ` is `Offline`", Some(REFRESH)),
        Some("Logout") => return other_kind("`typ` is `Logout`", Some("a logout token")),
        Some(_) | None => {}
    }
    // Amazon Cognito has one header for all its tokens.
    match claims.member("token_use") {
        None | Some(Json::String("access" | "access_token")) => {}
        Some(Json::String("id")) => return other_kind("`token_use` is `id`", Some(ID)),
        Some(Json::String("refresh")) => {
            return other_kind("`token_use` is `refresh`", Some(REFRESH));
        }
        Some(Json::String("refresh_token")) => {
            return other_kind("`token_use` is `refresh_token`", Some(REFRESH));
        }
        Some(_) => return other_kind("`token_use` is not `access`", None),
    }
    // OpenID Connect Core sections 3.1.3.6 and 3.3.2.11; `s_hash` is that of FAPI 1.0.
    for (name, mark) in [
        ("at_hash", "`at_hash` is present"),
        ("c_hash", "`c_hash` is present"),
        ("s_hash", "`s_hash` is present"),
    ] {
        if claims.has(name) {
            return other_kind(mark, Some(ID));
        }
    }
    // RFC 8417 section 2.2; OpenID Connect Back-Channel Logout 1.0 section 2.4.
    if claims.has("events") {
        let kind = "a logout token or another security event token";
        return other_kind("`events` is present", Some(kind));
    }
    // An ID token of Microsoft Entra ID has the audience of an API that is its own client, and
    // nothing of the above where it came by the authorization code flow.
    if settings.names_client && ["azp", "appid"].iter().all(|name| !claims.is_present(name)) {
        let kind = "an ID token of Microsoft Entra ID";
        return other_kind("`azp` and `appid` are missing", Some(kind));
    }
    Ok(())
}

const ID: &str = "an ID token";
const REFRESH: &str = "a refresh token";

fn other_kind(mark: &'static str, kind: Option<&'static str>) -> Result<(), Reason> {
    Err(Reason::NotAnAccessToken { mark, kind })
}
