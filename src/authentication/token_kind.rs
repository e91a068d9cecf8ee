//! Tokens that are no access tokens although the same keys sign them (RFC 8725 section 3.12): told
//! apart by what their providers write, because few of them have a `typ` of their own.

use super::claims::Claims;
use super::issuer::IssuerSettings;
use crate::explanation::{Check, Finding};
use crate::jose::json::Json;

/// An access token, as far as its claims tell.
pub(crate) fn access_token(claims: &Claims<'_>, settings: &IssuerSettings) -> Result<(), Finding> {
    // Keycloak says it in a claim, whatever `typ` of the header is.
    match claims.text_or_none("typ") {
        Some("ID") => return other("`typ` is `ID`: this is an ID token, not an access token"),
        Some("Refresh" | "Offline") => {
            return other("`typ` says that this is a refresh token, not an access token");
        }
        Some("Logout") => {
            return other("`typ` is `Logout`: this is a logout token, not an access token");
        }
        Some(_) | None => {}
    }
    // Amazon Cognito has one header for all its tokens.
    match claims.member("token_use") {
        None | Some(Json::String("access" | "access_token")) => {}
        Some(Json::String("id")) => {
            return other("`token_use` is `id`: this is an ID token, not an access token");
        }
        Some(Json::String("refresh" | "refresh_token")) => {
            return other("`token_use` says that this is a refresh token, not an access token");
        }
        Some(_) => return other("`token_use` is not `access`: this is not an access token"),
    }
    // OpenID Connect Core sections 3.1.3.6 and 3.3.2.11; `s_hash` is that of FAPI 1.0.
    for (name, summary) in [
        ("at_hash", "`at_hash` is there: this is an ID token, not an access token"),
        ("c_hash", "`c_hash` is there: this is an ID token, not an access token"),
        ("s_hash", "`s_hash` is there: this is an ID token, not an access token"),
    ] {
        if claims.has(name) {
            return other(summary);
        }
    }
    // RFC 8417 section 2.2; OpenID Connect Back-Channel Logout 1.0 section 2.4.
    if claims.has("events") {
        return other(
            "`events` is there: this is a logout token or another security event token, not an \
             access token",
        );
    }
    // An ID token of Microsoft Entra ID has the audience of an API that is its own client, and
    // nothing of the above where it came by the authorization code flow.
    if settings.names_client && ["azp", "appid"].iter().all(|name| !claims.is_present(name)) {
        return other(
            "neither `azp` nor `appid` is there: this is an ID token of Microsoft Entra ID, not \
             an access token",
        );
    }
    Ok(())
}

fn other(summary: &'static str) -> Result<(), Finding> {
    Err(Finding::new(Check::TokenKind, summary))
}
