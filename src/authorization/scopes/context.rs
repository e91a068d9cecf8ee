//! The patient of a token, and whom each kind of scope confines to (SMART App Launch 2.2, "Scopes and
//! Launch Context").

use std::borrow::Cow;

use super::no_patient::{NoPatient, UserFault, ValueFault};
use crate::authentication::Principal;
use crate::authentication::string_claim::{NamedClaim, StringClaim};
use crate::fhir::{BaseUrl, is_id};

/// The patients that a grant is confined to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatientContext<'a> {
    /// Nobody: everything is granted.
    Unconfined,
    /// The one patient of the token.
    ToPatient(Cow<'a, str>),
    /// There should be a patient, and there is none: nothing is granted.
    PatientMissing(NoPatient<'a>),
    /// The user cannot be told: nothing is granted, whatever patient there is.
    UserUnknown(UserFault),
}

/// `patient/` scopes confine to the token's patient.
///
/// A token has at most one: the launch context (`patient`), else the Patient that `fhirUser` is.
pub(super) fn of_patient_scopes<'a>(
    principal: &'a Principal,
    base: &BaseUrl,
) -> PatientContext<'a> {
    match launch_context(principal, base) {
        Some(Ok(patient)) => PatientContext::ToPatient(patient),
        Some(Err(fault)) => PatientContext::PatientMissing(fault),
        None => match fhir_user(principal, base) {
            Some(Ok(FhirUser::Patient(id))) => PatientContext::ToPatient(id),
            Some(Ok(_)) => {
                PatientContext::PatientMissing(NoPatient::OtherUser(principal.patient_claims()))
            }
            Some(Err(fault)) => PatientContext::PatientMissing(NoPatient::User(fault)),
            None => PatientContext::PatientMissing(NoPatient::Missing(principal.patient_claims())),
        },
    }
}

/// `user/` scopes are the rights of the user: a Patient's confine as `patient/` scopes do, a
/// relative's are those of the patient in context, and a practitioner's do not confine.
pub(super) fn of_user_scopes<'a>(principal: &'a Principal, base: &BaseUrl) -> PatientContext<'a> {
    match fhir_user(principal, base) {
        None | Some(Ok(FhirUser::Practitioner)) => PatientContext::Unconfined,
        Some(Ok(FhirUser::Patient(_))) => of_patient_scopes(principal, base),
        Some(Ok(FhirUser::Relative)) => match launch_context(principal, base) {
            Some(Ok(patient)) => PatientContext::ToPatient(patient),
            Some(Err(fault)) => PatientContext::PatientMissing(fault),
            None => PatientContext::PatientMissing(NoPatient::Relative(principal.patient_claims())),
        },
        Some(Err(fault)) => PatientContext::UserUnknown(fault),
    }
}

impl Principal {
    /// Returns the id of the token's patient: the launch context (`patient`, or what the issuer calls it), else the
    /// Patient that `fhirUser` is (SMART App Launch 2.2, "Scopes and Launch Context"). `None` where there is none,
    /// and where what is there is no Patient of this base, or names two.
    ///
    /// ```
    /// use http::Method;
    /// use tower_fhir_auth::test_util::TestCaller;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let caller = TestCaller::new().claim("scope", "user/*.rs").claim("fhirUser", "Patient/7");
    /// let access = caller.access(Method::GET, "/Patient/7")?;
    /// let base = access.interaction().base();
    /// assert_eq!(caller.principal()?.patient_id(base).as_deref(), Some("7"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn patient_id(&self, base: &BaseUrl) -> Option<Cow<'_, str>> {
        match of_patient_scopes(self, base) {
            PatientContext::ToPatient(id) => Some(id),
            PatientContext::Unconfined
            | PatientContext::PatientMissing(_)
            | PatientContext::UserUnknown(_) => None,
        }
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
) -> Option<Result<Cow<'a, str>, NoPatient<'a>>> {
    let mut patient: Option<(&str, Cow<'a, str>)> = None;
    for (name, claim) in principal.launch_patients() {
        let text = match claim {
            StringClaim::Absent => continue,
            StringClaim::String(text) => text,
            StringClaim::OtherType => {
                return Some(Err(NoPatient::Value(name, ValueFault::NotAString)));
            }
        };
        match (&patient, patient_id(text, base)) {
            (_, None) => return Some(Err(NoPatient::Value(name, value_fault(text, base)))),
            (Some((first, one)), Some(other)) if *one != other => {
                return Some(Err(NoPatient::Differ(first, name)));
            }
            (_, Some(named)) => patient = Some((name, named)),
        }
    }
    patient.map(|(_, patient)| Ok(patient))
}

/// Reports whether the token has a launch context, usable or not.
pub(super) fn has_launch_context(principal: &Principal) -> bool {
    principal.launch_patients().any(|(_, claim)| claim != StringClaim::Absent)
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

/// Finds out why a string has none of the three forms.
fn value_fault(text: &str, base: &BaseUrl) -> ValueFault {
    let below = base.relative(text);
    let is_elsewhere = below.is_none() && text.contains("://");
    let relative = below.as_deref().map_or(text, |below| below.trim_start_matches('/'));
    match relative.split('/').collect::<Vec<_>>().as_slice() {
        _ if is_elsewhere => ValueFault::Elsewhere,
        [""] => ValueFault::Empty,
        [name, _, "_history", ..] if is_type(name) => ValueFault::Version,
        [name, id] if is_type(name) && *name != "Patient" && is_id(id) => ValueFault::OtherType,
        ["Patient", id] | [id] if id.chars().count() > 64 => ValueFault::TooLong,
        _ => ValueFault::NoId,
    }
}

/// `fhirUser`, relative or absolute below the base URL.
fn fhir_user<'a>(
    principal: &'a Principal,
    base: &BaseUrl,
) -> Option<Result<FhirUser<'a>, UserFault>> {
    let NamedClaim { name: claim, claim: user } = principal.fhir_user_claim();
    let text = match user {
        StringClaim::Absent => return None,
        StringClaim::OtherType => return Some(Err(UserFault::NotAString(claim))),
        StringClaim::String(text) => text,
    };
    let Some((name, id)) = instance(text, base) else {
        return Some(Err(UserFault::Nobody(claim)));
    };
    Some(match &*name {
        "Patient" => Ok(FhirUser::Patient(id)),
        "RelatedPerson" | "Person" => Ok(FhirUser::Relative),
        "Practitioner" | "PractitionerRole" => Ok(FhirUser::Practitioner),
        _ => Err(UserFault::NoUser(claim)),
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
    (is_type(name) && is_id(id)).then_some((name, id))
}

fn is_type(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic())
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
    fn a_launch_context_that_has_none_of_them_is_told_apart() {
        let base: BaseUrl = "https://h/r4".parse().unwrap();
        let long = "a".repeat(65);
        for (text, expected) in [
            ("", ValueFault::Empty),
            ("Practitioner/1", ValueFault::OtherType),
            ("https://h/r4/Practitioner/1", ValueFault::OtherType),
            ("Patient/1/_history/2", ValueFault::Version),
            ("https://h/r4/Patient/1/_history/2", ValueFault::Version),
            ("https://other/r4/Patient/1", ValueFault::Elsewhere),
            ("http://h/r4/Patient/1", ValueFault::Elsewhere),
            ("https://h/r4/Patient/1?x", ValueFault::Elsewhere),
            (&long, ValueFault::TooLong),
            (&format!("Patient/{long}"), ValueFault::TooLong),
            ("1 2", ValueFault::NoId),
            ("Patient/", ValueFault::NoId),
            ("a1/1", ValueFault::NoId),
            ("Practitioner/a_b", ValueFault::NoId),
            ("Patient/x y", ValueFault::NoId),
            ("1/2/_history/3", ValueFault::NoId),
            ("Patient/a_b", ValueFault::NoId),
            ("..", ValueFault::NoId),
            ("urn:uuid:1", ValueFault::NoId),
        ] {
            assert_eq!(patient_id(text, &base), None, "{text}");
            assert_eq!(value_fault(text, &base), expected, "{text}");
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
            ("https://h/r4/1", None),
            ("https://h/r4/Group/1", None),
            ("", None),
            ("s|v", None),
        ] {
            assert_eq!(referred(reference, &base).as_deref(), expected, "{reference}");
        }
    }
}
