//! The client application that a token was issued to.

use super::claims::Claims;
use super::issuer::IssuerSettings;
use crate::explanation::{Check, Finding};

/// The claims that name it, the first that is there counting: RFC 9068 and RFC 8693; OpenID
/// Connect and Entra v2; Entra v1; Okta.
pub(crate) const CLAIMS: [&str; 4] = ["client_id", "azp", "appid", "cid"];

/// The client against the issuer's allow-list, where there is one. A token that names two clients
/// was issued to neither for certain.
pub(crate) fn allowed(claims: &Claims<'_>, settings: &IssuerSettings) -> Result<(), Finding> {
    let Some(allowed) = &settings.clients else {
        return Ok(());
    };
    let mut client = None;
    for name in CLAIMS {
        let fault = |what: &str| Finding::new(Check::Client, format!("`{name}` {what}"));
        match (claims.text(name).map_err(|_| fault("is not a string"))?, client) {
            (Some(named), Some(known)) if named != known => {
                return Err(fault("names another client than a claim before it"));
            }
            (Some(named), _) => client = Some(named),
            (None, _) => {}
        }
    }
    match client {
        Some(client) if allowed.iter().any(|name| name == client) => Ok(()),
        Some(_) => Err(Finding::new(
            Check::Client,
            "the client (`client_id`, `azp`, `appid` or `cid`) is not one of those allowed",
        )),
        None => Err(Finding::new(
            Check::Client,
            "the token names no client (`client_id`, `azp`, `appid` or `cid`)",
        )),
    }
}
