//! Whose data a token is about: the patient in context.

use std::borrow::Cow;

use crate::authentication::Principal;
use crate::authentication::principal::TextClaim;
use crate::fhir::{BaseUrl, is_id};

/// The patient of a token, or why there is none.
///
/// The launch context (`patient`) counts before the user (`fhirUser`): a practitioner or a parent
/// works on one patient's record at a time (SMART App Launch 2.2, "Scopes and Launch Context").
pub(crate) fn of<'a>(
    principal: &'a Principal,
    base: &BaseUrl,
) -> Result<Cow<'a, str>, &'static str> {
    match principal.launch_claims() {
        (TextClaim::Text(id), _) if is_id(id) => Ok(id.into()),
        (TextClaim::Text(_) | TextClaim::NotText, _) => Err("`patient` is not the id of a patient"),
        (TextClaim::Absent, TextClaim::Text(user)) => match user_patient(user, base) {
            Some(id) => Ok(id),
            None => Err("`patient` is missing, and `fhirUser` names no patient of this server"),
        },
        (TextClaim::Absent, TextClaim::NotText) => {
            Err("`patient` is missing, and `fhirUser` is not text")
        }
        (TextClaim::Absent, TextClaim::Absent) => Err("`patient` and `fhirUser` are missing"),
    }
}

/// `Patient/…`, relative or below the base.
fn user_patient<'a>(user: &'a str, base: &BaseUrl) -> Option<Cow<'a, str>> {
    if let Some(id) = user.strip_prefix("Patient/") {
        return is_id(id).then(|| id.into());
    }
    let below = base.relative(user)?;
    let id = below.strip_prefix("/Patient/").filter(|id| is_id(id))?;
    Some(id.to_owned().into())
}

/// The patient that a reference of a search names, if it names one of this server: `1`,
/// `Patient/1`, an absolute URL below the base, of any version.
pub(crate) fn referred(reference: &str, base: &BaseUrl) -> Option<String> {
    let below = base.relative(reference);
    let relative = match &below {
        Some(below) => below.strip_prefix('/')?,
        None => reference,
    };
    let id = match relative.strip_prefix("Patient/") {
        Some(rest) => rest.split('/').next().unwrap_or_default(),
        None if below.is_none() => relative,
        None => return None,
    };
    is_id(id).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_patient_of_this_server_or_none() {
        let base: BaseUrl = "https://h/r4".parse().unwrap();
        for (user, expected) in [
            ("Patient/1", Some("1")),
            ("https://h/r4/Patient/1", Some("1")),
            ("HTTPS://H:443/r4/Patient/1", Some("1")),
            ("https://other/r4/Patient/1", None),
            ("https://h/r5/Patient/1", None),
            ("https://h/r4/Patient/1/_history/2", None),
            ("https://h/r4/Patient/a_b", None),
            ("https://h.other/r4/Patient/1", None),
            ("https://h@other/r4/Patient/1", None),
            ("http://h/r4/Patient/1", None),
            ("Practitioner/1", None),
            ("Patient/1/x", None),
            ("Patient/", None),
            ("Patient/1?x", None),
            ("patient/1", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(user_patient(user, &base).as_deref(), expected, "{user}");
        }
    }

    #[test]
    fn a_reference_names_a_patient_of_this_server_or_none() {
        let base: BaseUrl = "https://h/r4".parse().unwrap();
        for (reference, expected) in [
            ("1", Some("1")),
            ("Patient/1", Some("1")),
            ("Patient/1/_history/2", Some("1")),
            ("https://h/r4/Patient/1", Some("1")),
            ("https://other/Patient/1", None),
            ("Group/1", None),
            ("https://h/r4/Group/1", None),
            ("", None),
            ("s|v", None),
        ] {
            assert_eq!(referred(reference, &base).as_deref(), expected, "{reference}");
        }
    }
}
