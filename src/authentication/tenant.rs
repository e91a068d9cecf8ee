//! The tenant of a token of Microsoft Entra ID.

use super::claims::Claims;
use super::issuer::IssuerSettings;
use crate::explanation::{Check, Finding, Reason};

/// `tid` of a token of Microsoft Entra ID: the tenant that `iss` names, and said once.
pub(crate) fn tenant(claims: &Claims<'_>, settings: &IssuerSettings) -> Result<(), Finding> {
    let Some(tenant) = &settings.tenant else {
        return Ok(());
    };
    let fault = |reason| Err(Finding::new(Check::Tenant, reason));
    if claims.count_in_any_case("tid") > 1 {
        return fault(Reason::TenantRepeated);
    }
    match claims.text_or_none("tid") {
        Some(tid) if tid.eq_ignore_ascii_case(&tenant.id) => Ok(()),
        Some(_) => fault(Reason::TenantMismatch),
        None => fault(Reason::TenantMissing),
    }
}
