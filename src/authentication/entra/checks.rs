//! The checks of tokens of Microsoft Entra ID beyond the standards.

use crate::authentication::claims::Claims;
use crate::authentication::issuer::IssuerSettings;
use crate::explanation::{Check, Checked, ClaimReason, Evidence, Reason};
use crate::jose::header::JoseHeader;

/// Checks `tid`: the tenant that `iss` names, and said once.
pub(crate) fn tenant(
    claims: &Claims<'_>,
    settings: &IssuerSettings,
) -> Checked<(), impl FnOnce() -> Evidence> {
    let result = match &settings.tenant {
        None => Ok(()),
        Some(_) if claims.count_in_any_case("tid") > 1 => {
            Err(Reason::Claim(ClaimReason::TenantRepeated))
        }
        Some(tenant) => match claims.string_or_none("tid") {
            Some(tid) if tid.eq_ignore_ascii_case(&tenant.id) => Ok(()),
            Some(_) => Err(Reason::Claim(ClaimReason::TenantMismatch)),
            None => Err(Reason::Claim(ClaimReason::TenantMissing)),
        },
    };
    Checked::new(Check::Tenant, result, Evidence::none)
}

/// Fails for tokens that only the API they are for can verify: those for Microsoft Graph have a
/// `nonce` in the header, which is hashed before the header is signed.
pub(crate) fn verifiable(header: JoseHeader<'_>, settings: &IssuerSettings) -> Result<(), Reason> {
    match settings.tenant.is_some() && header.has_nonce {
        true => Err(Reason::TokenForAnotherApi),
        false => Ok(()),
    }
}
