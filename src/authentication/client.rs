//! The client application that a token was issued to.

use super::claims::{CLIENT_CLAIMS, Claims};
use super::issuer::IssuerSettings;
use crate::explanation::{Check, Checked, ClaimReason, Evidence, Reason};

/// Checks the client against the issuer's allow-list, where there is one.
pub(crate) fn allowed(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
) -> Checked<(), impl FnOnce() -> Evidence> {
    let result = match &settings.clients {
        None => Ok(()),
        Some(allowed) => the_client(claims).and_then(|client| {
            let is_allowed = allowed.iter().any(|name| name == client);
            if is_allowed { Ok(()) } else { Err(Reason::Claim(ClaimReason::ClientNotAllowed)) }
        }),
    };
    Checked::new(Check::Client, result, Evidence::none)
}

/// Returns the client. A token that names two of them was issued to neither for certain.
fn the_client<'c>(claims: &'c Claims<'_>) -> Result<&'c str, Reason> {
    let mut client = None;
    for name in CLIENT_CLAIMS {
        match (
            claims.string(name).map_err(|_| Reason::Claim(ClaimReason::NotAString(name)))?,
            client,
        ) {
            (Some(named), Some(known)) if named != known => {
                return Err(Reason::Claim(ClaimReason::ClientConflict(name)));
            }
            (Some(named), _) => client = Some(named),
            (None, _) => {}
        }
    }
    client.ok_or(Reason::Claim(ClaimReason::ClientMissing))
}
