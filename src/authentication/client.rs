//! The client application that a token was issued to.

use super::claims::{CLIENT_CLAIMS, Claims};
use super::issuer::IssuerSettings;
use crate::explanation::{Check, Finding, Reason};

/// The client against the issuer's allow-list, where there is one. A token that names two clients
/// was issued to neither for certain.
pub(crate) fn allowed(claims: &Claims<'_>, settings: &IssuerSettings) -> Result<(), Finding> {
    let Some(allowed) = &settings.clients else {
        return Ok(());
    };
    let mut client = None;
    for name in CLIENT_CLAIMS {
        let fault = |reason| Finding::new(Check::Client, reason);
        match (claims.text(name).map_err(|_| fault(Reason::ClaimNotAString(name)))?, client) {
            (Some(named), Some(known)) if named != known => {
                return Err(fault(Reason::ClientConflict(name)));
            }
            (Some(named), _) => client = Some(named),
            (None, _) => {}
        }
    }
    match client {
        Some(client) if allowed.iter().any(|name| name == client) => Ok(()),
        Some(_) => Err(Finding::new(Check::Client, Reason::ClientNotAllowed)),
        None => Err(Finding::new(Check::Client, Reason::ClientMissing)),
    }
}
