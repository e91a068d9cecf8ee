//! The Patient compartment of R4 for some types, as the defaults change it.

use serde_json::Value;
use url::Url;

use super::route::is_id;
use super::token::BASE;

/// Types with the elements by which they belong to a patient.
pub const MEMBERS: &[(&str, &[&str])] = &[
    ("AllergyIntolerance", &["patient", "recorder", "asserter"]),
    ("Appointment", &["participant.actor"]),
    ("CarePlan", &["subject", "activity.detail.performer"]),
    ("Condition", &["subject", "asserter"]),
    ("Coverage", &["policyHolder", "subscriber", "beneficiary", "payor"]),
    ("Device", &["patient"]),
    ("Encounter", &["subject"]),
    ("MedicationRequest", &["subject"]),
    ("Observation", &["subject", "performer"]),
    ("RelatedPerson", &["patient"]),
];

pub const SHARED: &[&str] = &[
    "HealthcareService",
    "Location",
    "Medication",
    "Organization",
    "Practitioner",
    "PractitionerRole",
];

/// Whom a reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A resource of this server.
    Here(String, String),
    /// Anything else.
    Other,
}

/// Reports whether a resource is seen by a patient; `None` for types that this model does not know.
pub fn is_seen(resource: &Value, patient: &str) -> Option<bool> {
    let resource_type = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    if resource_type == "Patient" {
        return Some(resource.get("id").and_then(Value::as_str) == Some(patient));
    }
    if SHARED.contains(&resource_type) {
        return Some(true);
    }
    if resource_type == "Group" {
        return Some(false);
    }
    let (_, paths) = MEMBERS.iter().find(|(name, _)| *name == resource_type)?;
    let own = Named::Here("Patient".to_owned(), patient.to_owned());
    let mut named = paths.iter().flat_map(|path| elements(resource, path));
    Some(named.any(|element| reference(element) == Some(own.clone())))
}

/// Reports whether a state may be written on behalf of a patient, where that is beyond doubt.
pub fn is_about(resource: &Value, patient: &str) -> Option<bool> {
    let resource_type = resource.get("resourceType").and_then(Value::as_str).unwrap_or_default();
    if SHARED.contains(&resource_type)
        || matches!(resource_type, "Group" | "Person" | "Provenance" | "AuditEvent")
    {
        return Some(false);
    }
    let is_seen = is_seen(resource, patient)?;
    if resource_type == "Patient" {
        return if is_seen { None } else { Some(false) };
    }
    let (_, paths) = MEMBERS.iter().find(|(name, _)| *name == resource_type)?;
    let own = Named::Here("Patient".to_owned(), patient.to_owned());
    let elements: Vec<&Value> = paths.iter().flat_map(|path| elements(resource, path)).collect();
    let names_another = |element: &&Value| match reference(element) {
        Some(Named::Here(of, id)) => of == "Patient" && id != patient,
        Some(Named::Other) | None => false,
    };
    let about = |path: &str| {
        self::elements(resource, path).into_iter().any(|one| reference(one) == Some(own.clone()))
    };
    let decides: Vec<&&str> =
        paths.iter().filter(|path| matches!(**path, "subject" | "patient")).collect();
    let is_about = match decides.as_slice() {
        [] => is_seen,
        decides => decides.iter().any(|path| about(path)),
    };
    if !is_seen || !is_about || elements.iter().any(names_another) {
        return Some(false);
    }
    // Nothing but this patient is named anywhere, in plain references.
    let mut all = Vec::new();
    references(resource, &mut all);
    let is_plain = |text: &&str| *text == format!("Patient/{patient}");
    let counted = count(resource, "reference");
    (all.iter().all(is_plain)
        && counted == all.len()
        && count(resource, "identifier") == 0
        && has_plain_elements(&elements))
    .then_some(true)
}

fn has_plain_elements(elements: &[&Value]) -> bool {
    elements
        .iter()
        .all(|element| element.as_object().is_some_and(|members| members.contains_key("reference")))
}

/// Every string member `reference`, at any depth.
pub fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(members) => {
            found.extend(members.get("reference").and_then(Value::as_str));
            members.values().for_each(|value| references(value, found));
        }
        _ => {}
    }
}

/// How often a member occurs, at any depth.
fn count(value: &Value, name: &str) -> usize {
    match value {
        Value::Array(items) => items.iter().map(|item| count(item, name)).sum(),
        Value::Object(members) => {
            let own = usize::from(members.contains_key(name));
            own + members.values().map(|value| count(value, name)).sum::<usize>()
        }
        _ => 0,
    }
}

/// The values at a path of elements, through lists.
pub fn elements<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let items: Vec<&Value> = match value.get(name) {
        None => Vec::new(),
        Some(Value::Array(items)) => items.iter().collect(),
        Some(one) => vec![one],
    };
    match rest {
        None => items,
        Some(rest) => items.into_iter().flat_map(|item| elements(item, rest)).collect(),
    }
}

pub fn reference(element: &Value) -> Option<Named> {
    let text = element.as_object()?.get("reference")?.as_str()?;
    let named = instance(text).or_else(|| instance(below_base(text)?.strip_prefix('/')?));
    Some(named.map_or(Named::Other, |(of, id)| Named::Here(of, id)))
}

/// The rest of a URL below the base.
pub fn below_base(text: &str) -> Option<String> {
    let (url, base) = (Url::parse(text).ok()?, Url::parse(BASE).ok()?);
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let rest = url.path().strip_prefix(base.path())?;
    let is_below = rest.is_empty() || rest.starts_with('/');
    (is_plain && is_below && url.origin() == base.origin()).then(|| rest.to_owned())
}

/// `Type/id` of any version.
fn instance(text: &str) -> Option<(String, String)> {
    let segments: Vec<&str> = text.split('/').collect();
    let (of, id) = match segments.as_slice() {
        [of, id] => (*of, *id),
        [of, id, "_history", version] if is_id(version) => (*of, *id),
        _ => return None,
    };
    let letters = of.chars().all(|one| one.is_ascii_alphabetic());
    let is_type = letters
        && (2..=64).contains(&of.len())
        && of.starts_with(|first: char| first.is_ascii_uppercase());
    (is_type && is_id(id)).then(|| (of.to_owned(), id.to_owned()))
}
