//! The patient of a token, and whom each kind of scope confines to (SMART App Launch 2.2, "Scopes and
//! Launch Context").

use std::borrow::Cow;

use crate::authentication::Principal;
use crate::authentication::principal::TextClaim;
use crate::fhir::{BaseUrl, is_id};

/// Whom what is granted is confined to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Confined<'a> {
    /// Nobody: everything is granted.
    No,
    /// The one patient of the token.
    To(Cow<'a, str>),
    /// There should be a patient, and there is none: nothing is granted.
    NoPatient(&'static str),
    /// The user cannot be told: nothing is granted, whatever patient there is.
    NoUser(&'static str),
}

/// `patient/` scopes confine to the token's patient.
///
/// A token has at most one: the launch context (`patient`), else the Patient that `fhirUser` is.
pub(super) fn of_patient_scopes<'a>(principal: &'a Principal, base: &BaseUrl) -> Confined<'a> {
    match launch_context(principal, base) {
        Some(Ok(patient)) => Confined::To(patient),
        Some(Err(reason)) => Confined::NoPatient(reason),
        None => match fhir_user(principal, base) {
            Some(Ok(FhirUser::Patient(id))) => Confined::To(id),
            Some(Ok(_)) => {
                Confined::NoPatient("`patient` is missing, and `fhirUser` is no Patient")
            }
            Some(Err(reason)) => Confined::NoPatient(reason),
            None => Confined::NoPatient("`patient` and `fhirUser` are missing"),
        },
    }
}

/// `user/` scopes are the rights of the user: a Patient's confine as `patient/` scopes do, a
/// relative's are those of the patient in context, and a practitioner's do not confine.
pub(super) fn of_user_scopes<'a>(principal: &'a Principal, base: &BaseUrl) -> Confined<'a> {
    match fhir_user(principal, base) {
        None | Some(Ok(FhirUser::Practitioner)) => Confined::No,
        Some(Ok(FhirUser::Patient(_))) => of_patient_scopes(principal, base),
        Some(Ok(FhirUser::Relative)) => match launch_context(principal, base) {
            Some(Ok(patient)) => Confined::To(patient),
            Some(Err(reason)) => Confined::NoPatient(reason),
            None => Confined::NoPatient(
                "`patient` is missing, and `fhirUser` is a RelatedPerson or Person",
            ),
        },
        Some(Err(reason)) => Confined::NoUser(reason),
    }
}

/// The user of a token.
enum FhirUser<'a> {
    Patient(Cow<'a, str>),
    /// RelatedPerson or Person.
    Relative,
    /// Practitioner or PractitionerRole.
    Practitioner,
}

/// The patients that the launch context names: all of them must be one.
fn launch_context<'a>(
    principal: &'a Principal,
    base: &BaseUrl,
) -> Option<Result<Cow<'a, str>, &'static str>> {
    let mut patient: Option<Cow<'a, str>> = None;
    for claim in principal.launch_patients() {
        let named = match claim {
            TextClaim::Absent => continue,
            TextClaim::Text(text) => patient_id(text, base),
            TextClaim::NotText => None,
        };
        match (&patient, named) {
            (_, None) => return Some(Err("`patient` is not the id of a patient")),
            (Some(one), Some(other)) if *one != other => {
                return Some(Err("the claims of the launch context name different patients"));
            }
            (_, Some(named)) => patient = Some(named),
        }
    }
    patient.map(Ok)
}

/// An id, `Patient/<id>`, or the absolute form of that below the base URL.
fn patient_id<'a>(text: &'a str, base: &BaseUrl) -> Option<Cow<'a, str>> {
    if is_id(text) {
        return Some(text.into());
    }
    match instance(text, base)? {
        (name, id) if name == "Patient" => Some(id),
        _ => None,
    }
}

/// `fhirUser`, relative or absolute below the base URL.
fn fhir_user<'a>(
    principal: &'a Principal,
    base: &BaseUrl,
) -> Option<Result<FhirUser<'a>, &'static str>> {
    let text = match principal.fhir_user_claim() {
        TextClaim::Absent => return None,
        TextClaim::NotText => return Some(Err("`fhirUser` is not a string")),
        TextClaim::Text(text) => text,
    };
    let Some((name, id)) = instance(text, base) else {
        return Some(Err("`fhirUser` names nobody of this server"));
    };
    Some(match &*name {
        "Patient" => Ok(FhirUser::Patient(id)),
        "RelatedPerson" | "Person" => Ok(FhirUser::Relative),
        "Practitioner" | "PractitionerRole" => Ok(FhirUser::Practitioner),
        _ => Err("`fhirUser` is of a type that no user has"),
    })
}

/// `Type/id` of this server, not a version of it.
fn instance<'a>(text: &'a str, base: &BaseUrl) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
    if let Some((name, id)) = split(text) {
        return Some((name.into(), id.into()));
    }
    let below = base.relative(text)?;
    let (name, id) = split(below.strip_prefix('/')?)?;
    Some((name.to_owned().into(), id.to_owned().into()))
}

fn split(text: &str) -> Option<(&str, &str)> {
    let (name, id) = text.split_once('/')?;
    let is_type = name.bytes().all(|byte| byte.is_ascii_alphabetic()) && !name.is_empty();
    (is_type && is_id(id)).then_some((name, id))
}

/// The patient that a reference of a search names, if it names one of this server: `1`,
/// `Patient/1`, an absolute URL below the base, of any version.
pub(super) fn referred(reference: &str, base: &BaseUrl) -> Option<String> {
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
    fn an_instance_is_one_of_this_server_or_none() {
        let base: BaseUrl = "https://h/r4".parse().unwrap();
        for (user, expected) in [
            ("Patient/1", Some(("Patient", "1"))),
            ("Practitioner/1", Some(("Practitioner", "1"))),
            ("https://h/r4/Patient/1", Some(("Patient", "1"))),
            ("HTTPS://H:443/r4/Person/1", Some(("Person", "1"))),
            ("https://other/r4/Patient/1", None),
            ("https://h/r5/Patient/1", None),
            ("https://h/r4/Patient/1/_history/2", None),
            ("https://h/r4/Patient/a_b", None),
            ("https://h.other/r4/Patient/1", None),
            ("https://h@other/r4/Patient/1", None),
            ("http://h/r4/Patient/1", None),
            ("Patient/1/x", None),
            ("Patient/1/_history/2", None),
            ("Patient/", None),
            ("Patient/1?x", None),
            ("/1", None),
            ("1", None),
            ("", None),
        ] {
            let found = instance(user, &base);
            let found = found.as_ref().map(|(name, id)| (&**name, &**id));
            assert_eq!(found, expected, "{user}");
        }
    }

    #[test]
    fn a_launch_context_has_three_forms() {
        let base: BaseUrl = "https://h/r4".parse().unwrap();
        for (text, expected) in [
            ("1", Some("1")),
            ("Patient/1", Some("1")),
            ("https://h/r4/Patient/1", Some("1")),
            ("patient/1", None),
            ("Practitioner/1", None),
            ("Patient/1/_history/2", None),
            ("https://other/r4/Patient/1", None),
            ("1 2", None),
            ("", None),
        ] {
            assert_eq!(patient_id(text, &base).as_deref(), expected, "{text}");
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
