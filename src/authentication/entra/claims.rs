//! Claims that Microsoft Entra ID alone writes ("Access token claims reference").

use crate::jose::json::{Document, Json};

/// `fhirUser` as Azure AD B2C sends it, which prefixes custom attributes.
pub(in crate::authentication) const FHIR_USER: &str = "extension_fhirUser";

/// Reports whether the groups of the caller were left out because there are too many: the mark of
/// the implicit flow, as a boolean or as the string `true`.
pub(in crate::authentication) fn has_too_many_groups(payload: &Document<'_>) -> bool {
    match payload.get("hasgroups") {
        Some(Json::Bool(has)) => has,
        Some(value) => value.as_str() == Some("true"),
        None => false,
    }
}
